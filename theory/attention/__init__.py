"""The fourth scalar a, the strength of attention."""
