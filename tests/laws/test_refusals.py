"""What no configuration can hold is refused: by the name it was given, with the value, the reason
and the remedy as data, and in words that name it as it was typed.
"""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import click
import pytest

from landscape.cli.commands.scan import command
from landscape.cli.options import spelling
from landscape.config import Source
from landscape.config.scan import ScanConfig
from landscape.errors import ConfigError, Refusal, dotted, words
from tests.laws.refused import refused, tables_of

Case = tuple[str, str, str, str]
"""Settings as --set takes them (@: an axis), what is refused, why or what it must be, the hint."""

KERNEL = "[[.2,.5,.3],[.6,.1,.3],[.25,.25,.5]]"
PAIRS = "[[.9,.1],[.2,.8],[.4,.6],[.7,.3]]"
MARKOV, ORDER, LAG = (f"source.kind={kind}" for kind in ("markov", "order-k", "lag"))
TERNARY = "source.kind=switching source.states=3 source.p=.9"
CONTEXT, PLAIN = "source.kind=in-context", "model.layer_norm=false model.activation=relu"
PROBABILITY = "it must be a number strictly between 0 and 1, for example 0.01 or 0.99"
WHOLE, UNKNOWN = "it must be a whole number of at least 1", "there is no such setting"
SYMBOLS = "it must be a number of symbols, a whole number of at least 2"
UNREAD = "a model of kind 'single-layer' does not read it"
GPT, GPT_ALONE = "model.kind=gpt", "take model.kind = 'gpt', or leave it out"
INIT = "it must be one of 'standard', 'low-rank', 'ansatz', 'basin', or 'own' for a model of"
KIND = "it must be one of 'single-layer', 'gpt', 'reduced', or MODULE:ATTRIBUTE for a model of your"
RELU = "the rank-one ansatz is for relu without LayerNorm"
RELU_HINT = (
    "take 'standard' or 'low-rank', or model.layer_norm = false, model.activation = 'relu' and "
    "model.feedforward = true"
)
TWO, TWO_HINT = "it is for sources of 2 symbols, and this one has 3", "or a source of 2 symbols"
BINARY = "a source of kind 'binary' does not read it"
DRAWN, CHAIN = "it belongs to a kernel that is drawn", "it belongs to the binary chain"
ROWS = "with the rows of one leave it out"

CASES: list[Case] = [
    # axes
    ("@source.pp=[.1]", 'axes."source.pp"', UNKNOWN, "did you mean source.p?"),
    ("@widht=[4]", 'axes."widht"', UNKNOWN, "did you mean model.width?"),
    ("@model=[4]", 'axes."model"', "[model] is a table", "name a setting in it"),
    ('@name=["a"]', 'axes."name"', "the name of a scan does not change its cells", ""),
    ("@train.seeds=[1,2]", 'axes."train.seeds"', "are a dimension inside it", ""),
    ('@measure.points=[["bigram"]]', 'axes."measure.points"', "one cell measures all of its", ""),
    ("@source.p=[]", 'axes."source.p" = []', "an axis needs at least one value", ""),
    ("@source.p=.5", 'axes."source.p" = 0.5', "it must be a list, or a table { from, to,", ""),
    ("@source.p=[[.5]]", 'axes."source.p" = [0.5]', "an axis takes numbers, strings and true", ""),
    ("@source.p={from=.1,to=.9}", 'axes."source.p" = {from = 0.1, to = 0.9}', "it lacks count",
     "write { from = 0.1, to = 0.9, count = 5 }"),
    ("@source.p={from=.1,too=.9,count=3}", 'axes."source.p".too = 0.9',
     "a spaced axis takes from, to and count", "did you mean to?"),
    ("@source.p={from=.1,to=.9,count=1}", 'axes."source.p".count = 1',
     "it must be a whole number of at least 2 (for a single value write a list)", ""),
    ('@source.p={from="a",to=.9,count=2}', 'axes."source.p".from = \'a\'', "be a number", ""),
    ("@source.p={from=.1,to=inf,count=2}", 'axes."source.p".to = Infinity', "be finite", ""),
    ("@source.p=[.5,1.5]", "source.p = 1.5", PROBABILITY, ""),
    ("@source.p=[.5,.50]", 'axes."source.p"',
     "source.p = 0.5 and source.p = 0.50 ask for the same cell", "keep one of the two"),
    ("@train.batch=[128,256]", 'axes."train.batch"',
     "train.batch = 128 and train.batch = 256 ask for the same cell", "keep one of the two"),
    ("model.layers=2 @model.kind=['gpt','single-layer']", "model.layers = 2", UNREAD, GPT_ALONE),
    ("axes=3", "axes = 3", "it must be a table of setting names, each with the values", ""),
    # tables, training and measuring
    ("sourc.p=1", "sourc", UNKNOWN, "did you mean source?"),
    ("zzz=1", "zzz", UNKNOWN, "the settings of the configuration are name, source, model"),
    ("source=3", "source = 3", "it must be a table of settings", ""),
    ("name=../up", "name = '../up'", "it must be letters and digits", ""),
    ("train.data=drawn", "train.data = 'drawn'", "it must be one of 'exact', 'sampled'", ""),
    ("train.lr=0", "train.lr = 0", "it must be a finite number above 0", ""),
    ("train.lr=inf", "train.lr = Infinity", "it must be a finite number above 0", ""),
    ("train.steps=-1", "train.steps = -1", "it must be a whole number, 0 or more", ""),
    ("train.seeds=0", "train.seeds = 0", "it must be a whole number from 1 to 100000", ""),
    ("train.data=sampled train.batch=0", "train.batch = 0", WHOLE, ""),
    ("train.data=sampled train.evaluate_every=0", "train.evaluate_every = 0", WHOLE, ""),
    ("train.optimizer=sgd train.momentum=1", "train.momentum = 1",
     "it must be a number of at least 0 and below 1", ""),
    ("train.optimizer=adam", "train.optimizer = 'adam'", "it must be one of 'adamw', 'sgd'",
     "did you mean adamw?"),
    ("train.checkpoints=1", "train.checkpoints = 1",
     "it must be a whole number of at least 2, or left out", ""),
    ("train.schedule=cosine", "train.schedule = 'cosine'",
     "it must be one of 'one-cycle', 'constant'", ""),
    ('measure.points=["bigrams"]', "measure.points = 'bigrams'",
     "it must be a list out of 'unigram', 'bigram', 'trained'", "did you mean bigram?"),
    ("measure.random_weights=-1", "measure.random_weights = -1",
     "it must be a standard deviation, 0 or more", ""),
    ("measure.slice.resolution=50", "measure.slice.resolution = 50", "it must be an odd whole", ""),
    ("measure.slice.resolution=1", "measure.slice.resolution = 1", "it must be an odd whole", ""),
    ("measure.slice=3", "measure.slice = 3", "it must be a table { resolution, directions }", ""),
    ("measure.refine=1", "measure.refine = 1", "it must be true or false", ""),
    # models
    ("model.kind=single_layer", "model.kind = 'single_layer'", KIND, "did you mean single-layer?"),
    ("model.kind=gpt2", "model.kind = 'gpt2'", KIND, "did you mean gpt?"),
    ("model.kind=mine:", "model.kind = 'mine:'", KIND, ""),
    ("model.width=0", "model.width = 0", WHOLE, ""),
    ("model.width=4.5", "model.width = 4.5", WHOLE, ""),
    ("model.width=true", "model.width = true", WHOLE, ""),
    ("model.tying=Tied", "model.tying = 'Tied'", "be one of 'tied', 'untied'", "did you mean tied"),
    ("model.e=0.1", "model.e = 0.1", "with model.init = 'standard' nothing reads it",
     "take model.init = 'ansatz', or leave it out"),
    ("model.init=low-rank model.e=0.5", "model.e = 0.5",
     "with model.init = 'low-rank' nothing reads it", "take model.init = 'ansatz', or leave it"),
    ("model.init=ansatz model.w=nan", "model.w = NaN", "it must be a finite number", ""),
    ("model.init=low-rang", "model.init = 'low-rang'", INIT, "did you mean low-rank?"),
    ("model.init=own", "model.init = 'own'",
     "it is for a model of your own, not for model.kind = 'single-layer'", "take 'standard' or"),
    ("model.kind=mine:Model model.init=basin", "model.init = 'basin'",
     "it is for the models of the package, not for model.kind = 'mine:Model'", "take 'standard'"),
    ("model.layers=2", "model.layers = 2", UNREAD, GPT_ALONE),
    ("model.layer_norm=false", "model.layer_norm = false", UNREAD, GPT_ALONE),
    ("model.kind=reduced model.window=2", "model.window = 2",
     "a model of kind 'reduced' does not read it", GPT_ALONE),
    (f"{GPT} model.heads=3", "model.heads = 3", "it must be a divisor of model.width = 4", ""),
    (f"{GPT} model.attention=false model.window=2", "model.window = 2",
     "with model.attention = false nothing reads it", "leave it out"),
    (f"{GPT} model.attention=false model.positions=relative", "model.positions = 'relative'",
     "with model.attention = false nothing reads it", "leave it out"),
    (f"{GPT} model.window=0", "model.window = 0",
     f"{WHOLE}: how many symbols a query sees, itself included", ""),
    (f"{GPT} model.layer_norm=1", "model.layer_norm = 1", "it must be true or false", ""),
    (f"{GPT} model.layers=0", "model.layers = 0", WHOLE, ""),
    (f"{GPT} model.layers=true", "model.layers = true", WHOLE, ""),
    (f"{GPT} model.activation=gelo", "model.activation = 'gelo'", "it must be one of 'gelu', 'rel",
     "did you mean gelu?"),
    (f"{GPT} model.positions=absolute", "model.positions = 'absolute'",
     "it must be one of 'learned', 'relative', 'none'", ""),
    (f"{GPT} model.activation=relu model.init=basin", "model.init = 'basin'", RELU, RELU_HINT),
    (f"{GPT} model.layer_norm=false model.init=ansatz", "model.init = 'ansatz'", RELU, RELU_HINT),
    (f"{GPT} {PLAIN} model.feedforward=false model.init=basin", "model.init = 'basin'", RELU,
     RELU_HINT),
    (f"{TERNARY} {GPT} {PLAIN} model.init=basin", "model.init = 'basin'", TWO,
     f"take model.kind = 'gpt' with model.init = 'standard', {TWO_HINT}"),
    (TERNARY, "model.kind = 'single-layer'", TWO, f"take model.kind = 'gpt', {TWO_HINT}"),
    (f"{TERNARY} source.start=[.5,.25,.25]", "model.kind = 'single-layer'", TWO, TWO_HINT),
    (f"{TERNARY} model.kind=reduced", "model.kind = 'reduced'", TWO, TWO_HINT),
    # sources
    ("source.q=.5", "source.p", PROBABILITY, ""),
    ("source.p=.5", "source.q", PROBABILITY, ""),
    ("source.p=.5 source.q=.5 source.states=2", "source.states = 2", BINARY,
     "leave it out (it reads p, q, start)"),
    ("source.p=.5 source.q=.5 source.order=2", "source.order = 2", BINARY, "leave it out"),
    ("source.p=.5 source.q=.5 source.kernal=1", "source.kernal", UNKNOWN, "mean source.kernel?"),
    (f"{TERNARY} source.q=.1", "source.q = 0.1", "a source of kind 'switching' does not read it",
     "leave it out (it reads states, p, start)"),
    ("source.kind=switching", "source.states", SYMBOLS, ""),
    ("source.kind=switching source.states=1 source.p=.5", "source.states = 1", SYMBOLS, ""),
    ("source.kind=switchin", "source.kind = 'switchin'", "it must be one of 'binary', 'switching',"
     " 'markov', 'order-k', 'lag', 'in-context'", "did you mean switching?"),
    (f"{MARKOV} source.p=.5", "source.p = 0.5", "a source of kind 'markov' does not read it",
     "leave it out (it reads kernel, states, kernel_seed, concentration, start)"),
    (f"{MARKOV} source.kernel={KERNEL} source.order=2", "source.order = 2",
     "a source of kind 'markov' does not read it", "leave it out"),
    (MARKOV, "source.kernel", "it must be a list of rows of probabilities, or the name of a file",
     "or draw one, by source.kernel_seed and source.states"),
    (f"{MARKOV} source.kernel_seed=1", "source.states", SYMBOLS, ""),
    (f"{MARKOV} source.kernel={KERNEL} source.kernel_seed=1", "source.kernel_seed = 1", DRAWN,
     ROWS),
    (f"{MARKOV} source.kernel={KERNEL} source.concentration=2.0", "source.concentration = 2.0",
     DRAWN, ROWS),
    (f"{ORDER} source.order=2 source.kernel={PAIRS} source.kernel_seed=1", "source.order = 2",
     DRAWN, ROWS),
    (f"{ORDER} source.states=2 source.kernel_seed=1", "source.order",
     "it must be a number of symbols back, a whole number of at least 1", ""),
    (f"{LAG} source.order=2", "source.p", PROBABILITY, ""),
    (f"{LAG} source.p=.2 source.q=.3", "source.order", "it must be a number of symbols back", ""),
    (f"{LAG} source.order=2 source.kernel=[[.5,.5],[.2,.8]] source.p=.2", "source.p = 0.2", CHAIN,
     "with a kernel leave it out"),
    (f"{LAG} source.order=2 source.states=2 source.kernel_seed=0 source.q=.2", "source.q = 0.2",
     CHAIN, "with a kernel leave it out"),
    (f"{LAG} source.order=2 source.p=.2 source.q=.3 source.states=3", "source.states = 3", DRAWN,
     "with p and q leave it out"),
    (f"{LAG} source.order=2 source.p=.2 source.q=.3 source.concentration=1.0",
     "source.concentration = 1.0", DRAWN, "with p and q leave it out"),
    (f"{CONTEXT} source.kernel=[[.5,.5]]", "source.kernel = [[0.5, 0.5]]",
     "a source of kind 'in-context' does not read it",
     "leave it out (it reads states, order, concentration, start)"),
    (f"{CONTEXT} source.states=true", "source.states = true", SYMBOLS, ""),
    (f"{CONTEXT} source.concentration=0", "source.concentration = 0",
     "it must be a finite number above 0", ""),
    (f"{ORDER} source.states=2 source.order=30 source.kernel_seed=1", "the source",
     "states=2, order=30: a kernel of 2^30 rows of 2 numbers is too large; give fewer states", ""),
    (f"{CONTEXT} source.states=1000", "the source",
     "states=1000, order=1: a kernel of 1000^1 rows of 1000 numbers is too large", ""),
    (f"{MARKOV} source.kernel=[[.5,.4],[.2,.8]]", "the source",
     "row 0 of kernel sums to 0.9, not to 1", ""),
    (f"{MARKOV} source.kernel=[[1.1,-.1],[.2,.8]]", "the source",
     "kernel[0, 0]=1.1 is no probability; give numbers from 0 to 1", ""),
    (f"{MARKOV} source.kernel=[[1.0,0.0],[.5,.5]]", "the source",
     "kernel is reducible: state 1 cannot be reached from state 0; give a kernel in which every "
     "state leads to every other in some number of steps", ""),
    (f"{MARKOV} source.kernel=[[.5,.5]]", "the source",
     "kernel of shape (1, 2) is not square; give S rows of S numbers", ""),
    (f"{MARKOV} source.kernel=[[.5,.5],[1.0]]", "the source", "kernel is no array of numbers", ""),
    (f"{MARKOV} source.kernel=[]", "the source", "kernel of shape (0,)", ""),
    (f"{ORDER} source.kernel=[[.5,.5],[.5,.5],[.5,.5]]", "the source",
     "has 3 rows, which is no power of its 2 states", ""),
    (f"{ORDER} source.kernel=[[1.0,0.0],[.5,.5],[.5,.5],[0.0,1.0]]", "the source",
     "kernel has 2 stationary laws", ""),
    (f"{MARKOV} source.kernel={KERNEL} source.start=[.5,.5,.5]", "the source",
     "start sums to 1.5, not to 1", ""),
    (f"{CONTEXT} source.start=[.5,.25,.25]", "the source",
     "start has 3 entries; give a law of 2 numbers", ""),
    (f"{MARKOV} source.kernel={KERNEL} source.start=[.5,.3,.2] {GPT} model.length=3",
     "source.start = [0.5, 0.3, 0.2]", "away from stationarity the unigram is no critical point",
     "leave it out, or measure.points = ['bigram', 'trained']"),
]  # fmt: skip


def said(found: Refusal) -> tuple[str, str, str]:
    """What is refused, why or what it must be, and the hint, each in words."""
    reasons = words(replace(found, name="", hint=()))
    return dotted(found), reasons, words(replace(found, name="", why="", allowed=""))


def fits(parts: tuple[str, str, str], case: Case) -> bool:
    """Whether a refusal is the one that the case expects, with a hint if and only if it has one."""
    (subject, why, tried), (_, name, reason, hint) = parts, case
    return subject == name and reason in why and hint in tried and bool(hint) == bool(tried)


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_a_setting_that_cannot_be_is_refused_with_value_reason_and_remedy(case: Case) -> None:
    error = refused(case[0])
    parts = said(error.refusals[0])
    fit = [other[1:] for other in CASES if fits(parts, other)]
    assert case[1:] in fit, str(error)
    assert {subject for subject, _, _ in fit} == {case[1]}  # control: it fits no other subject
    message = str(error)
    assert message.startswith(f"{case[1]} is {'missing' if error.refusals[0].missing else 'refus'}")
    assert "pydantic" not in message and "http" not in message


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_a_refusal_is_printed_with_the_name_that_was_typed(case: Case) -> None:
    error = refused(case[0])
    typed = [text for text in case[0].split() if not text.startswith("@")]
    along = [text.removeprefix("@") for text in case[0].split() if text.startswith("@")]
    context = click.Context(command)
    context.params = {"config": None, "set_": typed, "axis": along}
    error.spell = spelling(context)
    name = error.refusals[0].name
    flags = {text.partition("=")[0]: "--set" for text in typed}
    for text in along:
        axis = text.partition("=")[0]
        flags |= {axis: "--axis", f'axes."{axis}"': "--axis"}
    if name in flags:
        bare = name.removeprefix('axes."').removesuffix('"')
        assert str(error).startswith(f"{flags[name]} {bare}")
    context.params = {"config": "own.toml", "set_": (), "axis": ()}
    error.spell = spelling(context)
    assert str(error) == str(refused(case[0]))  # the control: a file's names stay as they stand


# --- lengths -----------------------------------------------------------------------------------

LONG = "points are measured with the exact loss, which enumerates 2^17 contexts (their symbols"
SHORTER = "take a shorter length"
ALONE, SAMPLED = "measure.points = [] to train alone", "train.data = 'sampled' (SampledLoss)"


@pytest.mark.parametrize(("states", "longest"), [(2, 16), (3, 10), (5, 6), (6, 6), (41, 2)])
def test_contexts_of_any_alphabet_are_enumerated_up_to_2_to_16(states: int, longest: int) -> None:
    assert states**longest <= 2**16 < states ** (longest + 1)
    source = f"source.kind=switching source.states={states} source.p=.9 {GPT} model.length="
    assert ScanConfig(**tables_of(f"{source}{longest}")).model.length == longest
    (found,) = refused(f"{source}{longest + 1}").refusals
    assert (found.name, found.value) == ("model.length", longest + 1)
    assert found.allowed == f"between 1 and {longest}"
    assert f"the exact loss enumerates {states}^{longest + 1} contexts (their" in said(found)[1]


@pytest.mark.parametrize(
    ("length", "size"),
    [(17, "17 MiB"), (40, "320 TiB"), (2000, "more than any"), (10**9, "more than any")],
)
def test_a_length_that_is_not_enumerable_is_refused_with_its_cost(length: int, size: str) -> None:
    subject, why, hint = said(refused(f"model.length={length}").refusals[0])
    assert subject == f"model.length = {length}" and f"enumerates 2^{length} contexts" in why
    assert f"alone take {size}" in why and "it must be between 1 and 16" in why
    assert hint == f"{SHORTER}, or {SAMPLED} with {ALONE}"


def test_long_contexts_can_be_trained_on_samples_but_not_measured() -> None:
    sampled = "train.data=sampled train.batch=2"
    _, why, hint = said(refused(f"model.length=17 {sampled}").refusals[0])
    assert why.startswith(LONG) and hint == f"{SHORTER}, or {ALONE}"
    _, why, hint = said(refused("model.length=17 measure.points=[]").refusals[0])
    assert why.startswith("the exact loss enumerates") and hint == f"{SHORTER}, or {SAMPLED}"
    for words_ in (f"model.length=17 {sampled} measure.points=[]", f"model.length=16 {sampled}"):
        assert ScanConfig(**tables_of(words_)).cells()


# --- probabilities ---------------------------------------------------------------------------


OUTSIDE: list[tuple[object, str]] = [
    (0, "0"), (1, "1"), (Decimal("1.2"), "1.2"), (-0.5, "-0.5"), (Decimal("nan"), "NaN"),
    (float("nan"), "nan"), (Decimal("inf"), "Infinity"), ("half", "'half'"), (True, "true"),
    ([0.5], "[0.5]"),
    (Decimal("1e-400"), "1E-400"),  # inside (0,1), but 0.0 as a float
    (Decimal("0." + "9" * 30), "0." + "9" * 30),  # inside (0,1), but 1.0 as a float
]  # fmt: skip


@pytest.mark.parametrize("name", ["p", "q"])
@pytest.mark.parametrize(("value", "said"), OUTSIDE)
def test_a_probability_outside_of_0_to_1_is_refused(name: str, value: object, said: str) -> None:
    with pytest.raises(ConfigError, match=f"^source.{name} = ") as caught:
        Source(**dict[str, Any]({"p": 0.5, "q": 0.5, name: value}))
    (found,) = caught.value.refusals
    assert (found.name, found.value) == (f"source.{name}", value) or value != value
    assert str(caught.value).startswith(f"source.{name} = {said} is refused: {PROBABILITY}")
