"""What is installed is what is in the tree."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from .imports import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The names in the wheel of alejo, built with what is installed here."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}{os.pathsep}{Path.home()}/.cargo/bin"
    environment = os.environ | {"PATH": path, "MATURIN_NO_INSTALL_RUST": "1"}
    built = subprocess.run(
        [*command, f"--wheel-dir={folder}", str(ROOT)], check=False, env=environment, capture_output=True, text=True
    )
    assert built.returncode == 0, built.stdout + built.stderr
    (file,) = folder.glob("alejo-*-cp311-abi3-*.whl")
    return zipfile.ZipFile(file).namelist()


def test_the_wheel_holds_the_whole_package(wheel: list[str]) -> None:
    """Every Python file, stub, marker and service config of alejo/ is in the wheel, and the Rust core with them."""
    kinds = {".json", ".py", ".pyi", ".typed"}
    tree = {str(file.relative_to(ROOT)) for file in (ROOT / "alejo").rglob("*") if file.suffix in kinds}
    assert {name for name in wheel if name.startswith("alejo/")} == tree | {"alejo/_core.abi3.so"}


def test_the_wheel_holds_nothing_else(wheel: list[str]) -> None:
    """Beside the package there is only its metadata, with LICENSE and NOTICE."""
    rest = [name for name in wheel if not name.startswith("alejo/")]
    assert {name.split("/")[0].endswith(".dist-info") for name in rest} == {True}
    assert {"LICENSE", "NOTICE"} <= {name.rpartition("/")[2] for name in rest}


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
