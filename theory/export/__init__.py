"""Theorems as LaTeX, Markdown, MathML and plain text."""
