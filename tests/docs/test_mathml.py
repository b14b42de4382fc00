"""Formulas are set as MathML that says what the LaTeX says."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import pytest
from docutils.utils.math import MathError

from theory.export.mathml import from_latex

EXTENSIONS = Path(__file__).parents[2] / "docs" / "_ext"


def extension(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXTENSIONS / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


DOCSTRINGS = extension("plain_docstrings")


def tree(latex: str, *, block: bool = False) -> Any:
    text = re.sub(r' xmlns="[^"]*"', "", from_latex(latex, block=block))
    return ElementTree.fromstring(text)


def shape(element: Any) -> str:
    """The tree of a formula in brackets: `frac(1 2)`."""
    inside = " ".join(shape(child) for child in element)
    name = element.tag.removeprefix("m")
    return f"{name}({inside})" if len(element) else (element.text or name).strip()


@pytest.mark.parametrize(("latex", "says"), [
    (r"a \lt b \gt c", "ath(a < b > c)"), (r"\frac12 w", "ath(frac(1 2) w)"),
    (r"\frac14", "ath(frac(1 4))"), (r"\frac{12}{7}", "ath(frac(12 7))"),
    (r"x_1 \dots x_n", "ath(sub(x 1) … sub(x n))"),
])  # fmt: skip
def test_a_formula_says_what_its_latex_says(latex: str, says: str) -> None:
    assert shape(tree(latex)) == says


def test_an_index_stands_beside_an_accented_letter() -> None:
    for latex in (r"\bar x_n", r"\bar{x}_n"):
        (index,) = tree(latex)
        assert index.tag == "msub" and index[1].text == "n"


def test_a_bar_takes_no_room_and_grows_only_as_a_delimiter() -> None:
    left, _, right = tree(r"\vert w\vert")
    (fence,) = tree(r"\left\vert w\right\vert")
    for bar in (left, right, fence[0], fence[2]):
        assert (bar.text, bar.get("lspace"), bar.get("rspace")) == ("|", "0", "0")
    assert (left.get("stretchy"), fence[0].get("stretchy")) == ("false", None)


def test_rows_of_a_matrix_are_separated_by_cr() -> None:
    table = tree(r"\begin{matrix}a & b\cr c & d\end{matrix}", block=True).find("mtable")
    assert [[cell[0].text for cell in row] for row in table] == [["a", "b"], ["c", "d"]]


def test_what_is_not_understood_is_refused() -> None:
    for latex in (r"\unknown", r"\frac{1}", "#"):
        with pytest.raises(MathError):
            from_latex(latex, block=False)


def test_a_docstring_is_text_where_restructuredtext_sees_markup() -> None:
    text = ["The norm ||g|| of x_ and w* for `free`, *Local to Global*: ``a*b``.", "", "    |x|_2"]
    assert DOCSTRINGS.restructured(text) == [
        r"The norm \|\|g\|\| of x\_ and w\* for ``free``, *Local to Global*: ``a*b``.",
        "",
        ".. code-block:: text",
        "",
        "    |x|_2",
        "",
    ]


def test_sections_and_examples_of_a_docstring_keep_their_shape() -> None:
    text = ["Args:", "    d: width,", "        an integer.", "    r: hidden.", "", ">>> 1", "1"]
    assert DOCSTRINGS.restructured(text) == [
        *("**Arguments**", "", "``d``", "   width, an integer.", "", "``r``", "   hidden.", ""),
        *(">>> 1", "1", ""),
    ]
    assert DOCSTRINGS.inline("see `ExactLoss`") == "see :py:obj:`~landscape.ExactLoss`"
    assert DOCSTRINGS.inline("see `exact_loss`") == "see ``exact_loss``"
