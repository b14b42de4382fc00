"""The model comes first, then the loss, then the parameters: in every function of `landscape`."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ORDER = {"model": 0, "objective": 1, "objectives": 1, "loss": 1, "params": 2, "point": 2}
"""Names of arguments that have a place; whatever else a function takes may stand anywhere."""


def signatures(source: str) -> Iterator[tuple[str, list[str]]]:
    """Every function and the names of its positional arguments."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            yield node.name, [each.arg for each in (*node.args.posonlyargs, *node.args.args)]


def out_of_order(source: str) -> list[str]:
    found = []
    for name, arguments in signatures(source):
        places = [ORDER[each] for each in arguments if each in ORDER]
        if places != sorted(places):
            found.append(f"{name}({', '.join(arguments)})")
    return found


def test_model_objective_and_parameters_stand_in_one_order_everywhere() -> None:
    sources = [path.read_text("utf-8") for path in (ROOT / "landscape").rglob("*.py")]
    asked = [
        name
        for source in sources
        for name, arguments in signatures(source)
        if len({ORDER[each] for each in arguments if each in ORDER}) > 1
    ]
    assert len(asked) > 40
    assert [wrong for source in sources for wrong in out_of_order(source)] == []


def test_another_order_is_seen() -> None:
    assert out_of_order("def gradient(objective, model, params): ...") == [
        "gradient(objective, model, params)"
    ]
    assert out_of_order("class A:\n    def f(self, params, step, model): ...") != []
    assert out_of_order("def f(steps, model, objective, w, params, *, loss): ...") == []
