"""Theorems in print: LaTeX that compiles, Markdown that a page shows, MathML that is XML."""

import random
import re
from pathlib import Path
from xml.etree import ElementTree

import mpmath
import pytest
import sympy as sp
from docutils.utils.math.latex2mathml import tex2mathml

from tests.theory.export.latex_reading import faults
from tests.twins.numerical_steps import unknowns, value
from theory.chain.binary import entropy_rate, kernel, unigram_entropy
from theory.export import __main__
from theory.export.latex import _lines, article, domain, equation as displayed, escaped, math, width
from theory.export.markdown import escaped as markdown, from_latex, page, portable
from theory.export.mathml import mathml
from theory.export.notation import equation, located, papers, plain, regions, relation, witness
from theory.proving.domain import (
    ABOVE,
    BELOW,
    DEEP,
    EVERYWHERE,
    ON,
    SHALLOW,
    UPWARD,
    square,
    t,
    u,
    v,
)
from theory.proving.steps import Identity, Lemma, Sign, Step, check_step
from theory.proving.theorem import Theorem
from theory.statements.records import ProofRecord, StepRecord, with_records
from theory.statements.registry import THEOREM_IDS, theorem
from theory.symbols import e, p, q, tau, w

ROOT = Path(__file__).resolve().parents[3]
SPECIAL = r"50% of x_n^2 & {p < q} ~ |a| >= $1 #2 \n != 0"
MATH = "{http://www.w3.org/1998/Math/MathML}"


def unproved(found: Theorem, *, accepted: bool = True) -> tuple[Theorem, ProofRecord]:
    """A theorem with a record that was never proved: print needs no proof to be gone through."""
    steps = tuple(
        StepRecord(type(step).__name__.lower(), step.claim, accepted, "because")
        for step in found.steps()
    )
    refusal = "refuted: left - right = 1 at u = 3, v = 1/2"
    return found, ProofRecord(found.id, steps, found.control().claim, True, refusal, "")


LONG = {"universal-law", "full-bigram", "bigram-spectrum", "attention-reduced", "tied-condition"}
"""Theorems whose equations take seconds to print."""

COMMITTED = (ROOT / __main__.PAGE).read_text("utf-8")


@pytest.mark.slow
def test_the_committed_page_is_the_generated_one() -> None:
    assert page(with_records()) == COMMITTED


def sections(text: str) -> set[str]:
    return {part.rstrip() for part in text.split("\n## ")[1:]}


def test_the_sections_of_the_committed_page_are_the_generated_ones() -> None:
    """All but the long ones; the control is the section of a theorem that is not proved."""
    short = [pair for pair in with_records() if pair[0].id not in LONG]
    generated = sections(page(short))
    assert len(generated) == len(short) and generated <= sections(COMMITTED)
    assert not sections(page([unproved(theorem("entropies"))])) <= sections(COMMITTED)
    assert "Not proved" not in COMMITTED and "Refused" not in COMMITTED


def test_the_page_is_written_by_its_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pair = unproved(theorem("entropies"))
    monkeypatch.setattr(__main__, "with_records", lambda: (pair,))
    assert __main__.main(["--out", str(tmp_path / "a.md")]) == 0
    text = (tmp_path / "a.md").read_text("utf-8")
    assert text == page([pair]) and "Refuted: left - right = 1 at u = 3, v = 1/2" in text
    refused = unproved(theorem("entropies"), accepted=False)
    monkeypatch.setattr(__main__, "with_records", lambda: (refused,))
    assert __main__.main(["--out", str(tmp_path / "a.md")]) == 1
    assert capsys.readouterr().err == "not proved: entropies\n"
    text = (tmp_path / "a.md").read_text("utf-8")
    assert "**Not proved" in text and text.count("**Refused**: because.") == len(refused[1].steps)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n in LONG else n for n in THEOREM_IDS]
)
def test_a_theorem_is_in_the_page_with_all_it_consists_of(name: str) -> None:
    found = theorem(name)
    contents, *parts = COMMITTED.split("\n## ")
    (text,) = [part for part in parts if part.startswith(f"{found.title}\n")]
    assert f"`landscape theory {name}`" in text
    for test in found.tests:
        assert f"`{test}`" in text
    for step in (*found.steps(), found.control()):
        assert markdown(step.claim) in text
    assert text.count("Refuted: ") == 1
    anchor = (
        found.title.lower().replace(" ", "-").translate({ord(sign): None for sign in "(),.:'+=<>"})
    )
    assert f"](#{anchor})" in contents
    assert page_faults(f"\n## {text}") == []


def page_faults(text: str) -> list[str]:
    """Mathematics that Markdown would damage, and dollars that do not match."""
    text = re.sub(r"`[^`\n]*`", "", text)
    inside = re.findall(r"\$\$\n(.*?)\n\$\$|(?<!\\)\$([^$]+)\$", text, flags=re.DOTALL)
    found = [part for pair in inside for part in pair if re.search(r"\\[^a-zA-Z]|[*|<>]", part)]
    found += [part for _, part in inside if part != part.strip()]
    rest = re.sub(r"\$\$\n.*?\n\$\$|(?<!\\)\$[^$]+\$", "", text, flags=re.DOTALL)
    found += re.findall(r"(?<!\\)\$|<|\\[a-zA-Z]+", rest.partition("\n## ")[2])
    return found


@pytest.mark.parametrize("bad", [r"$a\,b$", "$a < b$", "$a", "$ a$", r"\emph{a}", "$a*b$"])
def test_mathematics_that_a_page_would_damage_is_seen(bad: str) -> None:
    assert page_faults(f"\n## a\n{bad}") != []
    assert page_faults(f"\n## a\n{from_latex(bad)}") == [] or bad == "$a"


@pytest.mark.parametrize(
    "names", [THEOREM_IDS[:3], pytest.param(THEOREM_IDS, marks=pytest.mark.slow)]
)
def test_the_article_of_theorems_is_well_formed(names: tuple[str, ...]) -> None:
    pairs = [unproved(theorem(name)) for name in names]
    text = article(pairs)
    assert faults(text) == []
    packages = set(re.findall(r"\\usepackage\{(.*?)\}", text))
    assert packages == {"amsmath,amssymb,amsthm"} and text.startswith(r"\documentclass{article}")
    for found, _ in pairs:
        assert f"\\label{{thm:{found.id}}}" in text and found.latex in text
    for damage in (r"\end{proof}", r"\]", r"\end{aligned}", "}"):
        assert faults(text.replace(damage, "", 1)) != []  # the control


def test_a_refused_step_is_said_to_be_in_the_article() -> None:
    text = article([unproved(theorem("entropies"), accepted=False)])
    assert r"\begin{proof}[Not a proof: a step is refused]" in text
    assert text.count(r"\textbf{Refused:} because.") == len(theorem("entropies").steps())


def test_words_of_all_signs_are_escaped() -> None:
    assert faults(SPECIAL) != [] and faults(escaped(SPECIAL)) == []
    assert escaped("p < q_1") == r"p $<$ q\_1"
    assert markdown("x_n * <b> | `c` $1") == r"x\_n \* &lt;b&gt; \| \`c\` \$1"


def test_the_body_of_a_theorem_becomes_markdown() -> None:
    body = r"\textbf{If} $\{a\} < b\,c$, then~``so'': \[ \|x\| * y \\ z \]"
    assert from_latex(body) == (
        '**If** $\\lbrace a\\rbrace \\lt b\\thinspace c$, then "so":\n\n'
        "$$\n\\Vert x\\Vert \\ast y \\cr z\n$$\n"
    )
    assert portable(r"\left|a\right|") == r"\left\vert a\right\vert"


def test_tau_w_squared_is_printed_as_w_times_its_absolute_value() -> None:
    expression = e**2 * (1 + 2 * tau * w**2) + tau * w / 3 - tau * w**3 + tau
    shown = papers(expression)
    assert tau not in shown.free_symbols
    for number in (-2, sp.Rational(-1, 3), sp.Rational(3, 7)):
        point = {w: number, e: sp.Rational(5, 4)}
        assert expression.subs({tau: sp.sign(number), **point}) == shown.subs(point)
    assert plain(papers(1 + 2 * tau * w**2)) == "2 w |w| + 1"
    assert math(papers(2 * tau * w**2)) == r"2 w \left|{w}\right|"
    assert plain(papers(tau + tau**2 / w)) == "sign(w) + sign(w)^2/w"
    assert math(papers(sp.exp(2) * e**2 + sp.E)) == (
        r"e^{2} \exp{\left(2 \right)} + \exp{\left(1 \right)}"
    )
    assert math(sp.exp(2) + e**2) == r"e^{2} + e^{2}"  # the control: two letters e
    wrong = shown.subs(sp.Abs(w), w)  # the control
    assert wrong.subs({w: -2, e: 1}) != expression.subs({tau: -1, w: -2, e: 1})


def test_a_relation_has_its_sign() -> None:
    assert relation(Sign("", p, "positive")).sign == ">"
    assert relation(Sign("", p, "negative")).sign == "<"
    assert relation(Sign("", p, "nonpositive")).sign == "<="
    assert equation(Sign("", p - q, "nonzero")) == ("p - q", "!= 0")
    assert displayed(Sign("", p - q, "nonzero")) == r"p - q \ne 0"
    assert displayed(Sign("", p, "nonnegative")) == r"p \ge 0"
    assert equation(Identity("", kernel(), kernel())) == (
        "[[1 - p, p], [q, 1 - q]]",
        "= [[1 - p, p], [q, 1 - q]]",
    )


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (Sign("", p, "positive", EVERYWHERE), []),
        (Sign("", p, "positive", BELOW), ["p + q < 1"]),
        (Sign("", q, "positive", ABOVE), ["p + q > 1"]),
        (Sign("", p + q, "positive", ON), ["p + q = 1"]),
        (Sign("", w, "positive", UPWARD), ["w > 0"]),
        (Sign("", tau, "negative", SHALLOW), ["-1/sqrt2 < w < 0"]),
        (Sign("", p * w, "negative", {**ABOVE, **DEEP}), ["p + q > 1", "w < -1/sqrt2"]),
        (Sign("", e, "positive", BELOW), []),
        (Identity("", p, q, {q: p}), ["q = p", "p > 0"]),
        (Sign("", p, "positive", square(t * u)),
         ["p = 1/(u + 1)", "q = 1/(t u + 1)", "t > 0", "u > 0"]),
        (Lemma("", "", ""), []),
    ],
)  # fmt: skip
def test_the_region_of_a_step_is_named(step: Step, words: list[str]) -> None:
    assert [region.words for region in regions(step)] == words
    assert faults(domain(step)) == []
    assert (domain(step) == "") == (words == [])


@pytest.mark.parametrize("name", ["ABOVE", "BELOW", "EVERYWHERE"])
def test_a_witness_is_given_in_p_and_q(name: str) -> None:
    region = {"ABOVE": ABOVE, "BELOW": BELOW, "EVERYWHERE": EVERYWHERE}[name]
    step = Sign("", (p - q) * (p - sp.Rational(1, 3)), "negative", region)
    outcome = check_step(step)
    assert outcome.false
    at = {name: sp.Rational(number) for name, number in witness(step, outcome.reason).items()}
    assert set(at) == {"p", "q"}
    assert step.expression.subs({p: at["p"], q: at["q"]}) > 0
    total = at["p"] + at["q"]
    assert {"ABOVE": total > 1, "BELOW": total < 1, "EVERYWHERE": True}[name]
    assert located(step, outcome.reason) == f"{outcome.reason} (p = {at['p']}, q = {at['q']})"


def test_a_reason_without_a_point_gets_none() -> None:
    step = Sign("", p, "negative")
    assert located(step, "not decided: whether p is negative") == (
        "not decided: whether p is negative"
    )
    assert witness(Sign("", w, "positive"), "refuted: the value is -1 at w = -1") == {}
    assert witness(Sign("", w, "positive", DEEP), "refuted: the value is -1 at y = 1") == {
        "w": f"{-(2**0.5):.6g}"
    }


def test_a_long_sum_is_broken_without_loss_and_a_longer_one_is_counted() -> None:
    long = sp.expand((p + 2 * q + e) ** 5)
    lines = [*_lines(long)]
    assert 1 < len(lines) <= 6 and " ".join(lines) == math(long)
    assert max(map(width, lines)) <= 66
    longer = sp.expand((p + 2 * q + e) ** 14)
    (size,) = _lines(longer)
    words = f"an expression of {sp.count_ops(longer)} operations in e, p, q"
    assert size == rf"\bigl[\text{{{words}}}\bigr]"
    step = Identity("", longer, sp.S.Zero)
    assert equation(step) == (f"[{words}]", "= 0")
    whole, _ = equation(step, short=None)
    read = sp.sympify(re.sub(r"(?<=[\w)]) (?=[\w(])", "*", whole), locals={"e": e, "p": p, "q": q})
    assert read == longer
    assert faults(rf"\[{displayed(Identity('', long, longer))}\]") == []


def test_plain_text_is_read_back_as_the_same_expression() -> None:
    names = {"ln": sp.log, "p": p, "q": q}
    for expression in (entropy_rate(), unigram_entropy(), *kernel()):
        text = re.sub(r"(?<=[\w)]) (?=[\w(])", "*", plain(expression))
        read = sp.sympify(text, locals=names)
        point = {str(symbol): sp.Rational(k + 2, 7) for k, symbol in enumerate(unknowns(read))}
        assert abs(value(read, point) - value(expression, point)) < mpmath.mpf(10) ** -60


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n in LONG else n for n in THEOREM_IDS]
)
def test_the_mathml_of_every_step_is_xml(name: str) -> None:
    found = theorem(name)
    for step in (*found.steps(), found.control().step):
        element = ElementTree.fromstring(mathml(step))
        assert element.tag == f"{MATH}math" and element.get("display") == "block"
        assert "".join(element.itertext()).strip()


def test_mathml_says_what_the_step_says() -> None:
    def said(step: Step) -> str:
        return "".join(ElementTree.fromstring(mathml(step)).itertext())

    assert said(Sign("", p - q, "nonnegative")) == "p−q≥0"
    assert said(Sign("", p, "nonzero")) == "p≠0"
    assert said(Identity("", tau * w**2, sp.log(p))) == "w|w|=ln\N{FUNCTION APPLICATION}(p)"
    assert said(Identity("", kernel(), kernel())).startswith("[1−ppq1−q]")
    assert said(Lemma("", "Gibbs' <inequality>", "A & B")) == "Gibbs' <inequality> (A & B)"
    odd = sp.Symbol("a<b & </math>")
    assert said(Identity("", odd + 1, odd)) == "a<b & </math> + 1 = a<b & </math>"
    with pytest.raises(ElementTree.ParseError):  # the control: the translation alone is no XML
        ElementTree.fromstring(tex2mathml(r"\ln p"))


def test_a_random_expression_is_printed_well_formed_everywhere() -> None:
    generator = random.Random(5)
    pool = [p, q, u, v, w, e, tau, sp.sqrt(2), sp.Rational(1, 3), sp.S(2)]
    for _ in range(40):
        x, y, z = (generator.choice(pool) for _ in range(3))
        build = generator.choice(
            [sp.log(x + 2) / (y + z), sp.exp(x * y) ** z, sp.Abs(x - y), tau * w**2 * x + y / z]
        )
        step = Identity("", build, sp.Matrix([[x, y]]) if generator.random() < 0.2 else y)
        assert faults(rf"\[{displayed(step)}\]") == []
        ElementTree.fromstring(mathml(step))
