"""Three figures look as they did when somebody last looked at them."""

from pathlib import Path

import pytest
from matplotlib.testing.compare import compare_images

from tests.figures.baselines import DRAWN, FOLDER, write

TOLERANCE = 1.0
"""Root mean square over all pixels, of 255: matplotlib's own pictures differ by less between
machines, and each control by more."""


@pytest.mark.parametrize("name", DRAWN)
def test_the_picture_is_the_baseline(name: str, tmp_path: Path) -> None:
    baseline = str(FOLDER / f"{name}.png")
    write(name, tmp_path / "now.png")
    assert compare_images(baseline, str(tmp_path / "now.png"), TOLERANCE) is None
    write(name, tmp_path / "control.png", changed=True)
    assert compare_images(baseline, str(tmp_path / "control.png"), TOLERANCE) is not None
