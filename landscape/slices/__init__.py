"""Lines and planes through a point, and the loss on them."""
