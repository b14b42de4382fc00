"""Small GPTs of every variant, over which the laws in the tests are run."""

from typing import Any

Variant = dict[str, Any]

VARIANTS: list[Variant] = [
    {"width": 3, "length": 3, "hidden": 4},
    {"width": 4, "length": 3, "hidden": 3, "heads": 2, "tying": "untied"},
    {"width": 3, "length": 3, "hidden": 3, "layers": 2, "activation": "relu"},
    {"width": 2, "length": 3, "layer_norm": False, "biases": False, "activation": "relu"},
    {"width": 2, "length": 3, "layer_norm": False, "tying": "untied", "positions": "none"},
    {"width": 4, "length": 3, "hidden": 3, "heads": 2, "positions": "relative"},
    {"width": 2, "length": 4, "layer_norm": False, "positions": "relative", "window": 3},
    {"width": 3, "length": 4, "hidden": 2, "layers": 2, "window": 2, "biases": False},
    {"width": 3, "length": 3, "window": 1, "hidden": 2, "activation": "relu", "positions": "none"},
    {"width": 4, "length": 3, "heads": 4, "layers": 2, "feedforward": False},
    {"width": 3, "length": 2, "hidden": 3, "layers": 2, "attention": False, "biases": False},
    {"width": 3, "length": 2, "attention": False, "feedforward": False, "tying": "untied"},
    {"states": 3, "width": 3, "length": 2, "hidden": 4, "positions": "relative"},
    {"states": 3, "width": 2, "length": 2, "heads": 2, "hidden": 4, "layers": 3,
     "layer_norm": False, "activation": "relu", "tying": "untied"},
    {"states": 4, "width": 3, "length": 2, "hidden": 2, "layers": 2, "positions": "none",
     "biases": False},
]  # fmt: skip
"""Arguments of `GPT`, of few parameters and few contexts; not all have `states` and the rest."""


def name_of(variant: Variant) -> str:
    """A test's name for it: what differs from the model's own choices.

    >>> name_of({"width": 2, "length": 3, "biases": False})
    'width=2 length=3 biases=False'
    """
    return " ".join(f"{name}={value}" for name, value in variant.items())
