"""What a step, a region and a theorem are, and when the machine accepts them."""
