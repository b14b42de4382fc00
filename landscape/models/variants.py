"""Which GPTs there are: what a variant may be made of, and the refusal of what it may not."""

from __future__ import annotations

from collections.abc import Mapping

from landscape.models.single_layer import LARGEST

CHOICES = {
    "tying": ("tied", "untied"),
    "activation": ("gelu", "relu"),
    "positions": ("learned", "relative", "none"),
}


def check_choices(**given: str) -> None:
    """Refuse a name that is not among those of its choice.

    >>> check_choices(tying="tied", positions="none")
    """
    for name, value in given.items():
        if value not in CHOICES[name]:
            *others, last = map(repr, CHOICES[name])
            raise ValueError(f"{name}={value!r} is unknown; give {', '.join(others)} or {last}")


def check_attention(attention: bool, window: int | None, positions: str) -> None:
    """Refuse an empty window, and what only attention has where there is none."""
    if window is not None and window < 1:
        raise ValueError(
            f"window={window} is out of range; give an integer of at least 1, or None for all keys"
        )
    if not attention and (window is not None or positions == "relative"):
        what = f"positions={positions!r}" if window is None else f"window={window}"
        raise ValueError(f"{what} belongs to attention; leave it out, or give attention=True")


def check_sizes(sizes: Mapping[str, int]) -> None:
    """Refuse sizes that make no model, and those that make one beyond all measure."""
    for name, size in sizes.items():
        least = 2 if name == "states" else 1
        if size < least:
            raise ValueError(f"{name}={size} is out of range; give an integer of at least {least}")
    d, heads = sizes["width"], sizes["heads"]
    if d % heads:
        raise ValueError(f"heads={heads} does not divide width={d}; give a divisor of the width")
    per_layer = 4 * d**2 + 2 * sizes["hidden"] * d + heads * sizes["length"]
    count = (2 * sizes["states"] + sizes["length"]) * d + sizes["layers"] * per_layer
    if count > LARGEST:
        given = ", ".join(f"{name}={size}" for name, size in sizes.items() if name != "heads")
        raise ValueError(
            f"{given} make {count:.3g} parameters; give sizes that make at most {LARGEST:.3g}"
        )
