"""The source: the chain of two states with its running mean, and the chain of any kernel."""
