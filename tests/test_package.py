"""The package as a whole: what importing it costs, which way its rooms know each other, what it exports."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import napari_segcam

PACKAGE = Path(napari_segcam.__file__).parent

WINDOW_SYSTEMS = {"napari", "qtpy", "PyQt5", "PyQt6", "PySide2", "PySide6"}
GROUND = ["budget", "errors", "files", "openmp", "optional", "__version__"]
CORE = ["network", "imaging", "explanation", "evidence", "reporting", "batch", "demo"]

# What each room may import, besides itself and the ground they all stand on.
MAY_IMPORT = {
    "budget": ["errors"],
    "errors": [],
    "files": [],
    "openmp": [],
    "optional": ["errors"],
    "demo": [],
    "network": [],
    "imaging": ["network.model_card"],
    "explanation": ["network", "imaging"],
    "evidence": ["network", "imaging", "explanation"],
    "reporting": ["network", "imaging", "explanation", "evidence"],
    "batch": ["network", "imaging", "explanation", "evidence", "reporting"],
    "viewer": CORE,
    "commands": CORE,
    "cli": [*CORE, "commands", "viewer"],
}


def modules_after(statements: str) -> set[str]:
    """The modules, by full name, that a new interpreter holds after running the statements."""
    program = f"{statements}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def top_level(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


def module_name(path: Path) -> str:
    """Dotted name of a source file, without the leading `napari_segcam.`; empty for the package itself."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix("__init__").rstrip(".")


def source_files() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def imported_names(path: Path) -> Iterator[str]:
    """Every name the file imports, at any depth, in functions and under TYPE_CHECKING too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def lies_in(name: str, room: str) -> bool:
    return name == room or name.startswith(f"{room}.")


def test_importing_the_package_loads_nothing_heavy() -> None:
    loaded = top_level(modules_after("import napari_segcam"))
    assert not loaded & (WINDOW_SYSTEMS | {"torch", "segmentation_models_pytorch", "numpy", "pydicom"})


def test_the_core_needs_no_window_system() -> None:
    names = [module_name(path) for path in source_files()]
    core = [name for name in names if not lies_in(name, "viewer") and not name.endswith("__main__")]
    loaded = modules_after("\n".join(f"import napari_segcam.{name}" for name in core))
    assert {f"napari_segcam.{name}" for name in core} <= loaded
    assert not top_level(loaded) & WINDOW_SYSTEMS


@pytest.mark.parametrize("path", source_files(), ids=module_name)
def test_imports_go_one_way(path: Path) -> None:
    room = module_name(path).partition(".")[0]
    assert room in MAY_IMPORT, f"{room} is a new room: say in MAY_IMPORT what it may use"
    allowed = [room, *GROUND, *MAY_IMPORT[room]]
    for name in imported_names(path):
        package, _, inner = name.partition(".")
        if package == "napari_segcam":
            assert any(lies_in(inner, one) for one in allowed), f"{room} may not know {name}"
        elif package in WINDOW_SYSTEMS:
            assert room == "viewer", f"only the viewer may import {package}"


def test_version_is_the_installed_one() -> None:
    assert importlib.metadata.version("napari-segcam") == napari_segcam.__version__


@pytest.mark.parametrize("name", napari_segcam.__all__)
def test_public_name_resolves(name: str) -> None:
    assert getattr(napari_segcam, name) is not None
    assert name in dir(napari_segcam)


def test_type_checkers_see_the_same_public_names() -> None:
    declared = {name.rpartition(".")[2] for name in imported_names(PACKAGE / "__init__.py") if "segcam" in name}
    assert declared | {"__version__"} == set(napari_segcam.__all__)


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = napari_segcam.no_such_name
