"""What is installed is what is in the tree."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

from .imports import ROOT


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The wheels that `make wheel` makes, of alejo and of each plugin, built with what is installed here."""
    folder = tmp_path_factory.mktemp("wheels")
    built = subprocess.run([ROOT / "scripts" / "wheel.sh", folder], check=False, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    made = [Path(line) for line in built.stdout.splitlines()]
    plugins = {path.parent.name for path in ROOT.glob("plugins/*/pyproject.toml")}
    assert {file.name.split("-")[0].replace("_", "-") for file in made} == plugins | {"alejo"}
    return made


@pytest.fixture(scope="module")
def wheel(wheels: list[Path]) -> list[str]:
    """The names in the wheel of alejo."""
    (file,) = (one for one in wheels if one.match("alejo-*-cp311-abi3-*.whl"))
    return zipfile.ZipFile(file).namelist()


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A new environment that has what alejo depends on, and nothing of alejo itself."""
    environment, others = tmp_path / "environment", tmp_path / "others"
    venv.create(environment, symlinks=True)
    others.mkdir()
    for one in Path(sysconfig.get_path("purelib")).iterdir():
        if one.suffix != ".pth" and not one.name.startswith(("alejo", "pip")):
            (others / one.name).symlink_to(one)
    (site,) = environment.glob("lib/python*/site-packages")
    (site / "others.pth").write_text(f"{others}\n")
    return environment


def test_the_wheel_holds_the_whole_package(wheel: list[str]) -> None:
    """Every file of alejo/ is in the wheel, from its Python to its embedding table, and the Rust core with them."""
    kinds = {".json", ".md", ".py", ".pyi", ".safetensors", ".toml", ".txt", ".typed"}
    tree = {str(file.relative_to(ROOT)) for file in (ROOT / "alejo").rglob("*") if file.suffix in kinds}
    assert {name for name in wheel if name.startswith("alejo/")} == tree | {"alejo/_core.abi3.so"}


def test_the_wheel_holds_nothing_else(wheel: list[str]) -> None:
    """Beside the package there is only its metadata, with LICENSE and NOTICE."""
    rest = [name for name in wheel if not name.startswith("alejo/")]
    assert {name.split("/")[0].endswith(".dist-info") for name in rest} == {True}
    assert {"LICENSE", "NOTICE"} <= {name.rpartition("/")[2] for name in rest}


def test_the_wheels_chat_where_there_is_no_rust(wheels: list[Path], machine: Path, tmp_path: Path) -> None:
    """Installed from its wheels alone, without a compiler or a network, it remembers and answers."""
    environment = {"PATH": str(machine / "bin"), "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    assert [shutil.which(tool, path=environment["PATH"]) for tool in ("cargo", "rustc", "cc")] == [None, None, None]

    def run(*command: str | Path, lines: str = "") -> str:
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, input=lines, check=False, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    pip = (
        sys.executable,
        "-m",
        "pip",
        "--quiet",
        "--python",
        machine / "bin" / "python",
        "--disable-pip-version-check",
    )
    run(*pip, "install", "--no-index", *wheels)
    place = run(machine / "bin" / "python", "-c", "import alejo; print(alejo.__file__)")
    assert place.startswith(str(machine))
    told, recalled = run(
        machine / "bin" / "alejo", "chat", lines="My dog is called Luna.\nWhat is it called?\n"
    ).splitlines()
    assert told
    assert "Luna" in recalled


def test_the_build_tools_agree() -> None:
    """What the tests build with is what an installation builds with, and generates for the oldest grpcio allowed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    dev = project["dependency-groups"]["dev"]
    assert set(project["build-system"]["requires"]) <= set(dev)
    (tools,) = (name.partition("==")[2] for name in dev if name.startswith("grpcio-tools=="))
    assert f"grpcio>={tools},<2" in project["project"]["dependencies"]
    services = list((ROOT / "alejo" / "v1").glob("*_pb2_grpc.py"))
    assert all(f"GRPC_GENERATED_VERSION = '{tools}'" in file.read_text() for file in services)


def test_versions_are_the_same_everywhere() -> None:
    """The package, its metadata and the plugins carry one version."""
    files = [ROOT / "pyproject.toml", *ROOT.glob("plugins/*/pyproject.toml"), *ROOT.glob("benchmarks/pyproject.toml")]
    versions = {tomllib.loads(file.read_text())["project"]["version"] for file in files}
    assert len(versions) == 1
    assert f'__version__ = "{versions.pop()}"' in (ROOT / "alejo" / "__init__.py").read_text()
