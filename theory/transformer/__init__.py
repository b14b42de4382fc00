"""The network: its reduced logit, its matrices, its representation and Jacobian."""
