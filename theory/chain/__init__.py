"""The source: two states, any kernel, the running mean of a sequence."""
