"""What is learned of plugins without importing them."""

from __future__ import annotations

import sys

import pytest

from alejo.plugins.discovery import check_duplicates, check_version, discover
from alejo.plugins.states import Refusal

from .shelf import Shelf


def test_nothing_is_imported(shelf: Shelf) -> None:
    """Discovery reads name, distribution and version of a plugin that could not be imported."""
    module = shelf.add("Some.Plugin", "raise RuntimeError", entry_point="some", version="2.1")
    (candidate,) = discover(["some_plugin"], shelf.entry_points())
    assert (candidate.name, candidate.distribution, candidate.version) == ("some", "some-plugin", "2.1")
    assert candidate.trusted
    assert module not in sys.modules


def test_every_claimant_of_a_name_is_refused(shelf: Shelf) -> None:
    """Two distributions with the same plugin name are both refused, each naming the other; a third is not."""
    shelf.add("one", "", entry_point="same")
    shelf.add("two", "", entry_point="same")
    shelf.add("three", "")
    candidates = discover([], shelf.entry_points())
    refusals = {candidate.distribution: refusal for candidate, refusal in check_duplicates(candidates).items()}
    assert set(refusals) == {"one", "two"}
    assert all("one and two" in refusal.reason for refusal in refusals.values())


@pytest.mark.parametrize(("requires", "version", "fits"), [
    ("alejo", "0.1.0.dev0", True),
    ("alejo>=0.1,<0.2", "0.1.0.dev0", True),
    ("alejo>=0.1.0.dev0", "0.1.0.dev0", True),
    ("alejo>=0.1,<0.2", "0.1.7", True),
    ("ALEJO~=0.1.0", "0.1.7", True),
    ("alejo>=0.2", "0.1.0.dev0", False),
    ("alejo<0.1", "0.1.0.dev0", False) ,
    ("alejo>=1,<2", "2.0", False),
    ("alejo>=9; python_version < '3'", "0.1.0", True),
    ("alejo>=9; extra == 'new'", "0.1.0", True),
    ("something-else>=9", "0.1.0", True),
    ("alejo>=9", "", True),
])  # fmt: skip
def test_the_declared_range_is_held(shelf: Shelf, requires: str, version: str, fits: bool) -> None:
    """A plugin is refused exactly when the version of ALEJO is outside what its distribution requires."""
    shelf.add("some", "", requires=requires)
    (candidate,) = discover([], shelf.entry_points())
    if fits:
        check_version(candidate, version)
    else:
        with pytest.raises(Refusal, match=f"needs alejo.*, and this is {version}"):
            check_version(candidate, version)


def test_an_unreadable_requirement_is_refused(shelf: Shelf) -> None:
    """A requirement that means nothing is told, not guessed."""
    shelf.add("some", "", requires="alejo >>> 3")
    (candidate,) = discover([], shelf.entry_points())
    with pytest.raises(Refusal, match="cannot be read"):
        check_version(candidate, "0.1.0")


def test_a_half_installed_distribution_is_passed_over(shelf: Shelf) -> None:
    """One whose metadata is not written yet, or already gone, does not hide the others."""
    shelf.add("good", "")
    shelf.add("half", "")
    (shelf.folder / "half-1.0.dist-info" / "METADATA").unlink()
    assert [candidate.name for candidate in discover([], shelf.entry_points())] == ["good"]
