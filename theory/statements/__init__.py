"""One theorem a file, each a `Theorem` named THEOREM, listed in `theory.statements.registry`."""
