"""The network: its forward pass in symbols, its representation and Jacobian in closed form."""
