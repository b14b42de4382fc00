"""The theorems as plain data for a page, and which checks of a scan follow from them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from theory.statements.records import ProofRecord, cache_folder, proof_record

if TYPE_CHECKING:
    from landscape.config.scan import ScanConfig
    from landscape.report.data.held import TheoremRecord
    from theory.proving.steps import Step
    from theory.proving.theorem import Theorem

__all__ = ["CONSEQUENCES", "theorem_records"]

PAPER = ("single-layer", "reduced")

CONSEQUENCES: dict[str, dict[str, Any]] = {
    "entropies": {"checks": [("unigram", "loss"), ("bigram", "loss")]},
    "critical-points": {
        "kinds": PAPER,
        "checks": [("unigram", "gradient"), ("bigram", "gradient"), ("bigram", "coordinates")],
    },
    "global-minimum": {
        "kinds": PAPER,
        "checks": [("bigram", "loss"), ("bigram", "classification")],
    },
    "bigram-spectrum": {
        "kinds": ("reduced",),
        "checks": [("bigram", "spectrum"), ("bigram", "inertia")],
    },
    "full-bigram": {
        "kinds": ("single-layer",),
        "checks": [("bigram", "spectrum"), ("bigram", "inertia")],
    },
    "tied-unigram": {
        "kinds": ("reduced",),
        "checks": [("unigram", "spectrum"), ("unigram", "inertia"), ("unigram", "classification")],
    },
    "tied-condition": {
        "kinds": ("single-layer",),
        "tying": "tied",
        "checks": [("unigram", "inertia"), ("unigram", "classification")],
    },
    "untied-unigram": {
        "kinds": ("single-layer",),
        "tying": "untied",
        "checks": [("unigram", "inertia"), ("unigram", "classification")],
    },
    "universal-law": {"checks": [("unigram", "spectrum"), ("unigram", "inertia")]},
}
"""By a theorem's id: the kinds of model and the tying that it is about, all where left out, and the
checks of a cell, each a point and an id, that are consequences of it."""

FORM = 2
"""Of the records that are kept; raised where `_set` keeps something else."""

ANY_SOURCE = frozenset({"universal-law"})
"""Theorems about more than the two-state chain."""


def theorem_records(config: ScanConfig) -> list[TheoremRecord]:
    """Every theorem as plain data, with the cells of a scan that fulfil its hypotheses."""
    from theory.statements.registry import theorems

    return [
        {
            **_proof(found),
            "applies": list(_applies(found, config)),
            "kinds": [],
            "tying": None,
            "checks": [],
            **CONSEQUENCES.get(found.id, {}),
        }
        for found in theorems()
    ]


def _applies(found: Theorem, config: ScanConfig) -> Iterator[str]:
    for cell in config.cells():
        source = cell.source
        if source.kind == "binary" and source.p is not None and source.q is not None:
            if found.applies(source.p, source.q):
                yield cell.id
        elif found.id in ANY_SOURCE:
            yield cell.id


def _proof(found: Theorem) -> dict[str, Any]:
    """A theorem with its proof in MathML, set once for each proof: building steps takes seconds."""
    record = proof_record(found.id)
    folder = cache_folder()
    path = None if folder is None else folder / "pages" / f"{found.id}.json"
    if path is not None:
        try:
            kept = json.loads(path.read_text("utf-8"))
            if (kept["form"], kept["digest"]) == (FORM, record.digest):
                return dict(kept["theorem"])
        except (OSError, ValueError, LookupError, TypeError):
            pass
    theorem = _set(found, record)
    if path is not None:
        from landscape.store.atomic import write_text

        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(
                path, json.dumps({"form": FORM, "digest": record.digest, "theorem": theorem})
            )
        except OSError:  # a cache that cannot be written is done without
            return theorem
    return theorem


def _set(found: Theorem, record: ProofRecord) -> dict[str, Any]:
    from theory.export.notation import located

    control = found.control()
    return {
        "id": found.id,
        "title": found.title,
        "statement": found.statement,
        "source": found.source,
        "hypotheses": [hypothesis.words for hypothesis in found.hypotheses],
        "proved": record.proved,
        "steps": [
            {**_step(step), "accepted": outcome.accepted, "reason": outcome.reason}
            for step, outcome in zip(found.steps(), record.steps, strict=True)
        ],
        "control": {
            **_step(control.step, control.claim),
            "refuted": record.refuted,
            "reason": located(control.step, record.refusal),
        },
    }


def _step(step: Step, words: str = "") -> dict[str, Any]:
    from theory.export.mathml import mathml
    from theory.export.notation import kind, where

    claim, text = words or step.claim, mathml(step)
    once = _one_side(text) if _equal(step) else None
    return {
        "kind": kind(step),
        "claim": claim,
        "where": where(step, claim),
        "mathml": once or text,
        "same": once is not None,
    }


def _equal(step: Step) -> bool:
    """Whether both sides of an identity are one expression as soon as they are written down."""
    from theory.export.notation import relation
    from theory.proving.steps import Identity

    if not isinstance(step, Identity):
        return False
    left, _, right = relation(step)
    return bool(left == right)


def _one_side(text: str) -> str | None:
    """The left side alone, where both sides of an equation are set alike; None where not.

    >>> _one_side("<math><mi>a</mi><mo>=</mo><mi>a</mi></math>")
    '<math><mi>a</mi></math>'
    """
    start, end, sign = text.index(">") + 1, text.rindex("</math>"), "<mo>=</mo>"
    half = (end - start - len(sign)) // 2
    left, between, right = (
        text[start : start + half],
        text[start + half : end - half],
        text[end - half : end],
    )
    return text[:start] + left + text[end:] if (between, left) == (sign, right) else None
