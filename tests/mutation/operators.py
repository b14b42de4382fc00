"""Small faults, one at a time: what a slip of the pen turns a closed form into.

    + <-> -    * <-> /    A @ B -> B @ A    -x -> x    not x -> x    A.T -> A
    n -> n + 1 (exponents and indices among them)    u[:n] -> u[: n + 1]    True <-> False
    < <-> <=    > <-> >=    == <-> !=    is <-> is not    in <-> not in
    and <-> or    min <-> max    any <-> all

Texts, annotations, decorators, imports, `strict=` and whatever stands inside a `raise` are left as
they are: no value follows from them.
"""

import ast
import copy
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Mutant", "mutants"]

SWAPPED: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub,
    ast.Mult: ast.Div,
    ast.Lt: ast.LtE,
    ast.Gt: ast.GtE,
    ast.Eq: ast.NotEq,
    ast.Is: ast.IsNot,
    ast.In: ast.NotIn,
    ast.And: ast.Or,
}
SWAPPED |= {new: old for old, new in SWAPPED.items()}

NAMED = {"min": "max", "any": "all", "Min": "Max", "minimum": "maximum"}
NAMED |= {new: old for old, new in NAMED.items()}

TELLING = (ast.expr, ast.keyword, ast.Assign, ast.AugAssign)

Site = tuple[str, ast.AST]
"""What is done to a node, and what stands there afterwards."""


@dataclass(frozen=True)
class Mutant:
    """One fault in one file.

    Fields: `id`, `file::function::operator::ordinal`, which other functions' changes leave alone;
    `line`, where it is; `change`, the expression before and after; `source`, the whole file with
    the fault.
    """

    id: str
    line: int
    change: str
    source: str


def mutants(path: str, source: str) -> Iterator[Mutant]:
    """Every mutant of a file, in the order of its lines.

    Arguments: `path`, the name that the ids begin with; `source`, the file's text.

    >>> [m.change for m in mutants("f.py", "def f(x: int) -> int:\\n    return x**2 + 1\\n")]
    ['x ** 2 + 1 -> x ** 2 - 1', 'x ** 2 -> x ** 3', 'x ** 2 + 1 -> x ** 2 + 2']
    """
    tree = ast.parse(source)
    seen: Counter[tuple[str, str]] = Counter()
    for function, parent, node in _visit(tree, tree, ()):
        for operator, new in _faults(node):
            # a lone constant says little: show what it stands in
            shown = (
                parent if isinstance(node, ast.Constant) and isinstance(parent, TELLING) else node
            )
            before = ast.unparse(shown)
            original = copy.copy(node.__dict__), node.__class__
            _become(node, new)
            mutated, after = ast.unparse(tree), ast.unparse(shown)
            node.__class__ = original[1]
            node.__dict__.clear()
            node.__dict__.update(original[0])
            seen[function, operator] += 1
            name = f"{path}::{function}::{operator}::{seen[function, operator]}"
            yield Mutant(name, getattr(node, "lineno", 0), f"{before} -> {after}", mutated)


def _visit(
    node: ast.AST, parent: ast.AST, names: tuple[str, ...]
) -> Iterator[tuple[str, ast.AST, ast.AST]]:
    """(function, parent, node) of every node a fault may be put into."""
    if isinstance(node, ast.Raise | ast.JoinedStr | ast.Import | ast.ImportFrom):
        return
    if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
        return
    if isinstance(node, ast.keyword) and node.arg == "strict":
        return
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        names = (*names, node.name)
    yield ".".join(names) or "module", parent, node
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _visit(child, node, names)


def _faults(node: ast.AST) -> Iterator[Site]:
    match node:
        case ast.BinOp(op=ast.MatMult()):
            yield "swap-operands", ast.BinOp(node.right, node.op, node.left)
        case ast.BinOp() | ast.AugAssign() | ast.BoolOp() if type(node.op) in SWAPPED:
            new = copy.copy(node)
            new.op = SWAPPED[type(node.op)]()  # type: ignore[assignment]  # of the same kind
            yield _named(node.op, new.op), new
        case ast.Compare():
            for k, op in enumerate(node.ops):
                if type(op) in SWAPPED:
                    other = SWAPPED[type(op)]()
                    ops = [*node.ops[:k], other, *node.ops[k + 1 :]]
                    yield (
                        _named(op, other),
                        ast.Compare(node.left, ops, node.comparators),  # type: ignore[arg-type]  # of the same kind
                    )
        case ast.UnaryOp(op=ast.USub()):
            yield "drop-minus", node.operand
        case ast.UnaryOp(op=ast.Not()):
            yield "drop-not", node.operand
        case ast.Attribute(attr="T"):
            yield "drop-transposition", node.value
        case ast.Constant(value=bool(truth)):
            yield "flip", ast.Constant(not truth)
        case ast.Constant(value=int(number) | float(number)):
            yield "add-one", ast.Constant(number + 1)
        case ast.Slice():
            for bound in ("lower", "upper"):
                value = getattr(node, bound)
                if value is not None and not isinstance(value, ast.Constant):
                    new_slice = copy.copy(node)
                    setattr(new_slice, bound, ast.BinOp(value, ast.Add(), ast.Constant(1)))
                    yield f"{bound}-add-one", new_slice
        case ast.Call(func=ast.Name(id=name)) if name in NAMED:
            called = ast.Name(NAMED[name], ast.Load())
            yield "other-extreme", ast.Call(called, node.args, node.keywords)
        case ast.Call(func=ast.Attribute(value=owner, attr=name)) if name in NAMED:
            attribute = ast.Attribute(owner, NAMED[name], ast.Load())
            yield "other-extreme", ast.Call(attribute, node.args, node.keywords)


def _named(old: ast.AST, new: ast.AST) -> str:
    return f"{type(old).__name__}-{type(new).__name__}".lower()


def _become(node: ast.AST, new: ast.AST) -> None:
    """Turn a node into another one where it stands, so that no parent need be told."""
    place = {name: getattr(node, name) for name in node._attributes if hasattr(node, name)}
    node.__class__ = new.__class__
    node.__dict__.clear()
    node.__dict__.update(new.__dict__ | place)
