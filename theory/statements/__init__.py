"""One theorem a file, named THEOREM and listed in `theory.statements.registry`."""
