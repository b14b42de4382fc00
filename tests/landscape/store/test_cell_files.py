"""The file of a cell's arrays is what xarray's own writing of the same tree would be."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from landscape.store.cell_files import read_tree, write_tree


def a_tree() -> xr.DataTree:
    random = np.random.default_rng(0)
    runs = xr.Dataset(
        {
            "loss": (("seed", "step"), random.normal(size=(2, 3)), {"units": "nat"}),
            "outcome": ("seed", ["bigram", "ünder"]),
            "stuck": ("seed", [True, False]),
            "weight": (("seed", "index"), random.normal(size=(2, 4)).astype(np.float32)),
            "count": ((), 7),
        },
        coords={"seed": [0, 3], "step": [0, 10, 20], "rate": ("step", [1.0, 0.5, 0.25])},
        attrs={"method": "descent", "sizes": [1, 2]},
    )
    none = xr.Dataset({"one_sided": (("direction", "side"), np.zeros((0, 2)))})
    return xr.DataTree.from_dict(
        {"/": xr.Dataset(attrs={"id": "4ab3"}), "/training": runs, "/points/unigram": none}
    )


def test_a_tree_is_read_as_it_was_and_as_xarray_would_have_written_it(tmp_path: Path) -> None:
    tree = a_tree()
    write_tree(tmp_path / "own.nc", tree, {"note": "n"})
    tree.to_netcdf(tmp_path / "xarrays.nc", engine="h5netcdf")
    own, other = read_tree(tmp_path / "own.nc"), read_tree(tmp_path / "xarrays.nc")
    assert own.attrs.pop("note") == "n"
    xr.testing.assert_identical(own, other)
    for node in tree.subtree:
        xr.testing.assert_equal(own[node.path].to_dataset(), node.to_dataset())
    # control: the comparison sees a changed attribute of one array
    own["training/loss"].attrs["units"] = "bit"
    with pytest.raises(AssertionError):
        xr.testing.assert_identical(own, other)


def test_a_subtree_becomes_a_tree_of_its_own(tmp_path: Path) -> None:
    tree = a_tree()
    write_tree(tmp_path / "part.nc", tree.children["points"], {})
    back = read_tree(tmp_path / "part.nc")
    assert list(back.children) == ["unigram"]
    assert back["unigram/one_sided"].dims == ("direction", "side")


def test_what_has_no_place_in_the_file_is_refused(tmp_path: Path) -> None:
    tree = xr.DataTree(xr.Dataset({"z": ("x", np.array([1j]))}))
    with pytest.raises(TypeError, match="complex128"):
        write_tree(tmp_path / "file.nc", tree, {})
    assert not (tmp_path / "file.nc").exists()
