"""Signs and roots proved in balls, for numbers as they are."""
