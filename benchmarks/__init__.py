"""Speed as ratios: our routines against naive twins that give the same numbers, in one run."""
