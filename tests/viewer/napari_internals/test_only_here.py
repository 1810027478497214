"""Private attributes of napari, vispy and Qt are used in `napari_internals` only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import napari_segcam

VIEWER = Path(napari_segcam.__file__).parent / "viewer"
FILES = [path for path in sorted(VIEWER.rglob("*.py")) if path.parent.name != "napari_internals"]


def is_private(name: str) -> bool:
    return name == "__wrapped__" or (name.startswith("_") and not name.startswith("__"))


def private_names(tree: ast.AST) -> Iterator[str]:
    """Every private attribute of another object, and every private module, that a file uses."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            if not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")):
                yield ast.unparse(node)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "setattr", "hasattr", "delattr"):
            name = node.args[1]
            if isinstance(name, ast.Constant) and is_private(name.value):
                yield ast.unparse(node)
        elif isinstance(node, ast.Import):
            yield from (entry.name for entry in node.names if is_private_module(entry.name))
        elif isinstance(node, ast.ImportFrom) and is_private_module(node.module or ""):
            yield node.module or ""


def is_private_module(name: str) -> bool:
    package, *inner = name.split(".")
    return package == "vispy" or (package == "napari" and any(is_private(part) for part in inner))


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("viewer.window._qt_viewer", ["viewer.window._qt_viewer"]),
        ("getattr(viewer, '__wrapped__', viewer)", ["getattr(viewer, '__wrapped__', viewer)"]),
        ("from napari._qt.utils import x", ["napari._qt.utils"]),
        ("import vispy.gloo", ["vispy.gloo"]),
        ("self._layer.name; type(layer).__name__; from napari.layers import Image", []),
    ],
)
def test_private_names_are_recognized(code: str, expected: list[str]) -> None:
    assert list(private_names(ast.parse(code))) == expected


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(VIEWER)))
def test_no_other_file_uses_a_private_name(path: Path) -> None:
    assert list(private_names(ast.parse(path.read_text("utf-8")))) == []
