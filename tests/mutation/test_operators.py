"""The faults are the ones promised, each where it should be and nowhere else."""

import ast

import pytest

from tests.mutation.operators import mutants


def changes(source: str) -> list[str]:
    return [mutant.change for mutant in mutants("f.py", source)]


@pytest.mark.parametrize(("expression", "mutated"), [
    ("u + v", ["u + v -> u - v"]), ("u - v", ["u - v -> u + v"]), ("u * v", ["u * v -> u / v"]),
    ("u / v", ["u / v -> u * v"]), ("u @ v", ["u @ v -> v @ u"]), ("u ** 2", ["u ** 2 -> u ** 3"]),
    ("-u", ["-u -> u"]),
    ("-(u + v) * u", ["-(u + v) * u -> -(u + v) / u", "-(u + v) -> u + v", "u + v -> u - v"]),
    ("u.T", ["u.T -> u"]), ("u[1]", ["u[1] -> u[2]"]), ("u[:v]", [":v -> :v + 1"]),
    ("u[v:]", ["v: -> v + 1:"]),
    ("0.5 * u", ["0.5 * u -> 0.5 / u", "0.5 * u -> 1.5 * u"]),
    ("True", ["True -> False"]), ("u < v", ["u < v -> u <= v"]), ("u >= v", ["u >= v -> u > v"]),
    ("u == v != w", ["u == v != w -> u != v != w", "u == v != w -> u == v == w"]),
    ("u is v", ["u is v -> u is not v"]), ("u not in v", ["u not in v -> u in v"]),
    ("u and v", ["u and v -> u or v"]), ("not u", ["not u -> u"]),
    ("max(u, v)", ["max(u, v) -> min(u, v)"]),
    ("sp.Max(u, v)", ["sp.Max(u, v) -> sp.Min(u, v)"]),
    ("all(u)", ["all(u) -> any(u)"]), ("u(v)", []), ("'text'", []), ("f'{u + v}'", []),
])  # fmt: skip
def test_an_expression_has_these_faults(expression: str, mutated: list[str]) -> None:
    assert [change.replace("(yield)", "") for change in changes(expression)] == mutated


def test_what_no_value_follows_from_is_left_alone() -> None:
    source = '''
from __future__ import annotations
__all__ = ["u"][0:1]
@cache(1 + 2)
def f(x: Float[np.ndarray, 1 + 1]) -> Literal[1]:
    """One plus 1 is -2."""
    y: Literal[2] = zip(x, x, strict=True)
    if y:
        raise ValueError(f"{x + 1} is not 1", 1 + 1)
    return y
'''
    assert changes(source) == []
    assert changes(source.replace("return y", "return y + y")) == ["y + y -> y - y"]


def test_each_mutant_is_the_file_with_that_one_change_and_leaves_the_next_one_whole() -> None:
    source = "def f(u, v):\n    u += 1\n    return (u - v) * (u + v)\n"
    found = list(mutants("f.py", source))
    whole = ast.unparse(ast.parse(source)).splitlines()
    for mutant in found:
        after = mutant.source.splitlines()
        assert [a == b for a, b in zip(whole, after, strict=True)].count(False) == 1
        assert after[mutant.line - 1] != whole[mutant.line - 1]
    assert len({mutant.source for mutant in found}) == len(found) == 5


def test_an_id_names_the_function_the_fault_and_its_place_there() -> None:
    source = (
        "A = 1\nclass C:\n    def f(self, u):\n        return u + u + u\ndef g(u):\n    return -u\n"
    )
    expected = ["module::add-one::1", "C.f::add-sub::1", "C.f::add-sub::2", "g::drop-minus::1"]
    assert [mutant.id for mutant in mutants("f.py", source)] == [f"f.py::{x}" for x in expected]
    # an id is moved by nothing outside its function
    longer = source.replace("A = 1", "A = 1 + 1\nB = -1 + 2")
    assert expected[1:] == [mutant.id[6:] for mutant in mutants("f.py", longer)][-3:]
