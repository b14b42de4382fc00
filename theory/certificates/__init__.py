"""Signs and roots proved in balls, for numbers as they are: at a point, over a box, at a bigram."""
