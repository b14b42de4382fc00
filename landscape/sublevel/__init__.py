"""The set of lower loss: paths into it, and how near it is."""
