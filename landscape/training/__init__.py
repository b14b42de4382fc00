"""Many runs at once: the loop, its optimisers, and what a run leaves behind."""
