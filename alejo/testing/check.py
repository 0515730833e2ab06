"""Checks a plugin before it is published: what a host would refuse, and what it would suffer from.

The static part reads pyproject.toml. What runs the plugin's code runs in child processes, so a plugin that hangs or
exits is a finding like any other.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import Version

from alejo import __version__
from alejo.plugins.states import Refusal
from alejo.plugins.verdicts import import_apart

from . import project as projects
from .project import Project

SECONDS = 120.0  # the most that trying out all methods of a plugin may take
_PLACE = re.compile(r" ?\(([^()\s]+\.py:\d+)\)")


class Finding(NamedTuple):
    """What one check found: level is ok or fail, file where to mend it (with the line if one is known), and the fix."""

    level: str
    check: str
    text: str
    file: str = ""
    fix: str = ""


def check(folder: Path, *, import_seconds: float = 1.0) -> Iterator[Finding]:
    """Every check of the plugin in a folder, in the order in which failures are best mended.

    `import_seconds` is the longest that its import may take, beyond what a host has imported anyway. Raises
    StartupError when there is no pyproject.toml that can be read.
    """
    project = projects.read(folder)
    yield _version_range(project)
    if not project.points:
        fix = f'[project.entry-points.alejo]\\n{_short(project.name)} = "{project.name.replace("-", "_")}"'
        yield Finding("fail", "entry point", "It has no entry point in the group alejo.", str(project.file), fix)
    for name in project.points:
        yield from _plugin(project, name, import_seconds)


def _version_range(project: Project) -> Finding:
    here = Version(__version__)
    wanted = f'dependencies = ["alejo>={here.base_version}.dev0,<{here.major}.{here.minor + 1}"]'

    def failed(text: str) -> Finding:
        return Finding("fail", "version range", text, str(project.file), wanted)

    for text in project.requires:
        try:
            need = Requirement(text)
        except InvalidRequirement:
            return failed(f"The dependency {text!r} cannot be read.")
        if need.name != "alejo":
            continue
        signs = {each.operator for each in need.specifier}
        if not any(need.specifier.contains(v, prereleases=True) for v in (__version__, here.base_version)):
            return failed(f"It needs alejo{need.specifier}, and this is {__version__}.")
        if not signs & {"<", "<=", "==", "~="}:
            return failed(f"alejo{need.specifier} has no upper end; a later ALEJO may not have what it uses.")
        return Finding("ok", "version range", f"alejo{need.specifier} holds this version, {__version__}.")
    return failed("It does not say which versions of alejo it works with.")


def _plugin(project: Project, name: str, import_seconds: float) -> Iterator[Finding]:
    candidate = project.candidate(name)
    module = candidate.entry_point.module
    source = project.source(module)
    if source is None:
        text = f"The entry point {name} names {project.points[name]}, and there is no src/{candidate.package} here."
        fix = f"Name the module that holds the hooks, or make src/{candidate.package}/__init__.py."
        yield Finding("fail", "entry point", text, str(project.file), fix)
        return
    yield Finding("ok", "entry point", f"{name} = {project.points[name]}")
    sys.path.insert(0, str(source))
    try:
        refusal = import_apart(candidate, max(10.0, 2 * import_seconds))
    finally:
        sys.path.remove(str(source))
    if refusal is not None:
        yield _refused("import", refusal, source, module)
        return
    yield from _try_out(project, name, source, import_seconds)


def _refused(check: str, refusal: Refusal, source: Path, module: str) -> Finding:
    inside = re.search(r"([\w/.-]+\.py:\d+)", refusal.reason)
    file = str(source / inside[1]) if inside else _module_file(source, module)
    fix = "Mend what it does while it is imported." if refusal.hint.startswith("pip uninstall") else refusal.hint
    return Finding("fail", check, refusal.reason, file, fix)


def _try_out(project: Project, name: str, source: Path, import_seconds: float) -> Iterator[Finding]:
    candidate = project.candidate(name)
    task = {
        "path": [str(source), *sys.path],
        "name": name,
        "value": project.points[name],
        "distribution": project.name,
        "version": project.version,
        "import_seconds": import_seconds,
    }
    command = [sys.executable, "-P", "-c", "from alejo.testing.trial import main; main()", json.dumps(task)]
    module = _module_file(source, candidate.entry_point.module)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)  # noqa: S603  our own
    except subprocess.TimeoutExpired:
        text = f"Trying it out did not end within {SECONDS:g} s."
        yield Finding("fail", "calls", text, module, "Look for what waits without an end.")
        return
    told = [line.removeprefix(MARK) for line in done.stdout.splitlines() if line.startswith(MARK)]
    for line in told:
        finding = Finding(**json.loads(line))
        place = _PLACE.search(finding.text)
        text = _PLACE.sub("", finding.text, count=1)
        file = finding.file or (str(source / place[1]) if place else module)
        yield finding._replace(text=text, file=file if finding.level == "fail" else "")
        if finding.check == "settings" and finding.level == "ok" and finding.fix:
            yield _documented(project, finding.fix.split(","))
    if not told or done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        fix = "It must not end the process: raise an error instead."
        yield Finding("fail", "calls", f"Calling it ended the process ({last[:200]}).", module, fix)


MARK = "alejo-check "


def _documented(project: Project, names: list[str]) -> Finding:
    readme = project.folder / "README.md"
    text = readme.read_text("utf-8") if readme.exists() else ""
    missing = [name for name in names if name.rpartition(".")[2] not in text]
    if missing:
        fix = f"Put in what this prints: alejo plugins show {names[0].split('.')[1]} --markdown"
        return Finding("fail", "settings", f"README.md does not tell of {', '.join(missing)}.", str(readme), fix)
    return Finding("ok", "settings", "README.md tells of every setting.")


def _module_file(source: Path, module: str) -> str:
    path = source.joinpath(*module.split("."))
    return str(path / "__init__.py" if path.is_dir() else path.with_suffix(".py"))


def _short(name: str) -> str:
    return name.removeprefix("alejo-")
