"""What the loss landscape of a transformer on a Markov chain must look like."""
