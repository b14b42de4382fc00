"""The figures of the papers, one script each, drawn from stored records."""
