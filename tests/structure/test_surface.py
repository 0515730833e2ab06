"""What plugins count on changes only together with the version of that surface."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import pytest

import alejo
from alejo.plugins.surface import VERSION, surface

from .imports import ROOT

BASELINE = ROOT / "tests" / "structure" / "surface.json"
Parts = Mapping[str, Sequence[str]]


def wanted(version: str, old: Parts, new: Parts) -> str:
    """The version the new surface must have, given the old one's."""
    before = {(part, line) for part, lines in old.items() for line in lines}
    after = {(part, line) for part, lines in new.items() for line in lines}
    major, minor = map(int, version.split("."))
    if before - after:
        return f"{major + 1}.0"
    return f"{major}.{minor + 1}" if after - before else version


def test_the_surface_is_the_recorded_one() -> None:
    """Names, hooks, roles, types and errors are those written down.

    A change on purpose: raise VERSION in alejo/plugins/surface.py to what this demands, then run
    `python -m tests.structure.test_surface`, which records it, and `make generate`, which writes docs/surface.md.
    """
    recorded = json.loads(BASELINE.read_text())
    assert wanted(recorded["version"], recorded["surface"], surface(alejo.__all__)) == VERSION
    assert recorded == {"version": VERSION, "surface": surface(alejo.__all__)}


@pytest.mark.parametrize(("new", "version"), [
    ({"roles": ["a", "b"]}, "1.4"),
    ({"roles": ["a", "b", "c"]}, "1.5"),
    ({"roles": ["a"]}, "2.0"),
    ({"roles": ["a", "b2"]}, "2.0"),
    ({"types": ["a", "b"]}, "2.0"),
])  # fmt: skip
def test_the_version_follows_the_change(new: Parts, version: str) -> None:
    """An addition raises the second number, anything gone or changed the first."""
    assert wanted("1.4", {"roles": ["a", "b"]}, new) == version


if __name__ == "__main__":
    BASELINE.write_text(json.dumps({"version": VERSION, "surface": surface(alejo.__all__)}, indent=1) + "\n")
