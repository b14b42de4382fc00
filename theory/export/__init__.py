"""Theorems as LaTeX, Markdown, MathML and text."""
