"""Which plugins are installed, read from their metadata alone: nothing of a plugin is imported here."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from importlib.metadata import Distribution, EntryPoint, PackageNotFoundError
from importlib.metadata import entry_points as installed_entry_points
from importlib.metadata import version as installed_version

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from .states import Refusal

GROUP = "alejo"


@dataclasses.dataclass(frozen=True, slots=True)
class Candidate:
    """An entry point of the group and the distribution it belongs to."""

    entry_point: EntryPoint
    name: str
    distribution: str
    version: str
    trusted: bool
    # The plugin itself, handed over by a program instead of being imported.
    given: object | None = dataclasses.field(default=None, compare=False)

    @property
    def package(self) -> str:
        """The top-level package or module its code lives in."""
        return self.entry_point.module.partition(".")[0]

    @property
    def metadata(self) -> Distribution | None:
        """The installed distribution."""
        return self.entry_point.dist


def discover(trusted: Sequence[str], entry_points: Iterable[EntryPoint] | None = None) -> list[Candidate]:
    """Every installed plugin by name. `trusted` lists distributions; names are compared as pip does."""
    found = installed_entry_points(group=GROUP) if entry_points is None else entry_points
    names = {canonicalize_name(name) for name in trusted}
    candidates = []
    for entry_point in found:
        dist = entry_point.dist
        told = dist.metadata if dist is not None else None  # read once: the next time it may be gone
        if told is not None and not (told["Name"] and told["Version"]):
            continue  # it is being installed or taken away in this moment
        name = canonicalize_name(told["Name"]) if told is not None else ""
        version = told["Version"] if told is not None else ""
        candidates.append(Candidate(entry_point, entry_point.name, name, version, name in names))
    return sorted(candidates, key=lambda candidate: (candidate.name, candidate.distribution))


def alejo_version() -> str:
    """The version of ALEJO that is installed; empty when it runs from a folder without being installed."""
    try:
        return installed_version("alejo")
    except PackageNotFoundError:
        return ""


def check_duplicates(candidates: Sequence[Candidate]) -> dict[Candidate, Refusal]:
    """A refusal for every plugin whose name another one claims too: nobody can tell which was meant.

    The one that settings trust keeps its name: a stranger cannot take a built-in plugin away by claiming it.
    """
    claims: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        claims.setdefault(candidate.name, []).append(candidate)
    refusals = {}
    for name, claimants in claims.items():
        trusted = [candidate for candidate in claimants if candidate.trusted]
        keeper = trusted[0] if len(trusted) == 1 else None
        others = sorted({candidate.distribution for candidate in claimants})
        for candidate in claimants:
            if len(claimants) == 1 or candidate is keeper:
                continue
            told = f"The name {name!r} is claimed by {' and '.join(others)}, so none of them is loaded."
            if keeper is not None:
                told = f"The name {name!r} is that of {keeper.distribution}, which settings trust."
            refusals[candidate] = Refusal(told, f"pip uninstall {candidate.distribution if keeper else others[-1]}")
    return refusals


def check_version(candidate: Candidate, version: str) -> None:
    """Raises Refusal when the distribution declares a range of ALEJO versions that this one is not in."""
    for text in (candidate.metadata.requires if candidate.metadata is not None else None) or ():
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            raise Refusal(f"Its requirement {text!r} cannot be read.", "Ask its author.") from None
        if canonicalize_name(requirement.name) != "alejo" or not version:
            continue
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        # A development version counts as the release it leads to, or no plugin could be tried with it.
        if not any(
            requirement.specifier.contains(v, prereleases=True) for v in (version, Version(version).base_version)
        ):
            raise Refusal(
                f"It needs alejo{requirement.specifier}, and this is {version}.",
                f"pip install --upgrade {candidate.distribution}",
            )
