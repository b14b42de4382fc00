"""The colours keep their meaning without some of the colours, and files hold the figure alone."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from figures.output import write
from figures.style import CURVATURE, SHARE, ink_on, luminance, styled

# Machado, Oliveira and Fernandes (2009), severity 1.0, on linear sRGB.
VISION = {
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
               [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
               [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
               [0.004733, 0.691367, 0.303900]],
}  # fmt: skip
SRGB_TO_XYZ = np.array([
    [0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
    [0.0193339, 0.1191920, 0.9503041],
])  # fmt: skip


def linear(rgb: np.ndarray) -> np.ndarray:
    return np.asarray(np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4))


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIELAB of linear sRGB, white D65."""
    t = rgb @ SRGB_TO_XYZ.T / SRGB_TO_XYZ.sum(axis=1)
    f = np.where(t > 216 / 24389, np.cbrt(t), (24389 / 27 * t + 16) / 116)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def seen(name: str, at: np.ndarray, vision: str) -> np.ndarray:
    rgb = linear(mpl.colormaps[name](at)[:, :3])
    return lab(np.clip(rgb @ np.array(VISION[vision]).T, 0, 1))


def arms_apart(name: str, vision: str) -> float:
    """The smallest CIELAB distance between +v and -v, for v from an eighth of the scale up."""
    v = np.linspace(0.125, 1, 50)
    below, above = (seen(name, (1 + sign * v) / 2, vision) for sign in (-1, 1))
    return float(np.linalg.norm(above - below, axis=1).min())


@pytest.mark.parametrize("vision", VISION)
def test_the_two_signs_of_curvature_stay_apart_in_every_vision(vision: str) -> None:
    # A difference of 10 is seen at a glance; 2.3 is the least that is seen at all.
    assert arms_apart(CURVATURE, vision) > 10


def test_the_same_measure_refutes_a_map_of_red_and_green() -> None:
    assert min(arms_apart("RdYlGn", vision) for vision in VISION) < 10


def test_in_grey_curvature_darkens_away_from_zero_and_shares_from_none() -> None:
    def grey(name: str, values: np.ndarray) -> np.ndarray:
        return np.array([luminance(mpl.colormaps[name](value)) for value in values])

    away = np.linspace(0.5, 1, 40)
    # The lightest colour of a map is held over a few of its 256 steps: not strictly at 0.
    assert (np.diff(grey(CURVATURE, away)) <= 0).all()
    assert (np.diff(grey(CURVATURE, 1 - away)) <= 0).all()
    assert (np.diff(grey(SHARE, np.linspace(0, 1, 40))) < 0).all()
    # The control: a rainbow does not.
    assert (np.diff(grey("jet", np.linspace(0, 1, 40))) > 0).any()


@pytest.mark.parametrize("name", [CURVATURE, SHARE])
def test_ink_stands_out_on_every_colour(name: str) -> None:
    for value in np.linspace(0, 1, 64):
        colour = mpl.colormaps[name](value)
        pair = sorted([luminance(colour), luminance(ink_on(colour))])
        # 4.5 to 1 is what the WCAG ask of small text.
        assert (pair[1] + 0.05) / (pair[0] + 0.05) > 4.5


def test_a_style_leaves_no_trace_and_heeds_none() -> None:
    with mpl.rc_context({"font.size": 31.0, "axes.grid": True}):
        with styled():
            assert mpl.rcParams["font.size"] == 8
            assert not mpl.rcParams["axes.grid"]
        assert mpl.rcParams["font.size"] == 31
        assert mpl.rcParams["axes.grid"]


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg"])
def test_a_file_holds_neither_date_nor_version(suffix: str, tmp_path: Path) -> None:
    figure = Figure(figsize=(1, 1))
    figure.text(0.5, 0.5, "p")
    data = write(figure, tmp_path / f"a{suffix}").read_bytes()
    assert data == write(figure, tmp_path / "deep" / f"b{suffix}").read_bytes()
    assert mpl.__version__.encode() not in data
    assert b"Date" not in data
    # The control: matplotlib itself says which version it is.
    figure.savefig(tmp_path / f"c{suffix}")
    assert mpl.__version__.encode() in (tmp_path / f"c{suffix}").read_bytes()


@pytest.mark.parametrize("name", ["phase", "phase.jpg"])
def test_another_format_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"{name} does not say .*let it end in \.png, \.pdf"):
        write(Figure(), tmp_path / name)
    assert list(tmp_path.iterdir()) == []
