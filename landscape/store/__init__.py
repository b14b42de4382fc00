"""One file per cell, written whole or not at all."""
