"""Mathematics that knows no network: eigenvalues, integration, limits, the stable softplus."""
