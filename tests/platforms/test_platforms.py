"""Windows and macOS, imitated: names, encodings, files that are open elsewhere, and what only POSIX has."""

from __future__ import annotations

import ast
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest

import napari_segcam
from napari_segcam import files
from napari_segcam.batch.images import BatchImage, images_of
from napari_segcam.batch.pairing import with_truths
from napari_segcam.errors import SegcamError
from napari_segcam.files import safe_name, whole_file

PACKAGE = Path(napari_segcam.__file__).parent
TEXT_CALLS = {"read_text", "write_text", "open", "fdopen", "TextIOWrapper"}
POSIX_ONLY = {"fork", "setpriority", "sched_getaffinity", "statvfs", "getuid", "geteuid", "killpg", "setsid", "sysconf"}
GUARDED = {"network/resource_check_process.py", "problem/machine.py", "viewer/worker/worker.py"}
"""Files that ask for the system before they call what only POSIX has."""


def calls() -> Iterator[tuple[str, ast.Call]]:
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                yield path.relative_to(PACKAGE).as_posix(), node


def name_of_call(node: ast.Call) -> str:
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


def is_text_without_encoding(node: ast.Call) -> bool:
    name = name_of_call(node)
    if name not in TEXT_CALLS or any(keyword.arg in ("encoding", None) for keyword in node.keywords):
        return False
    if name in ("read_text", "write_text"):
        return len(node.args) < (1 if name == "read_text" else 2)
    is_builtin = isinstance(node.func, ast.Name)
    modes = [keyword.value for keyword in node.keywords if keyword.arg == "mode"] + node.args[int(is_builtin) :][:1]
    return any(isinstance(mode, ast.Constant) and str(mode.value) in ("r", "w", "a", "x", "r+", "w+") for mode in modes)


@pytest.mark.slow
def test_every_text_file_has_its_encoding() -> None:
    """Without one, Windows reads and writes its own code page."""
    assert is_text_without_encoding(ast.parse("path.open('w')", mode="eval").body)  # type: ignore[arg-type]
    assert not is_text_without_encoding(ast.parse("open(path, 'wb')", mode="eval").body)  # type: ignore[arg-type]
    assert not [f"{path}:{node.lineno}" for path, node in calls() if is_text_without_encoding(node)]


@pytest.mark.slow
def test_what_only_posix_has_is_called_in_guarded_files_only() -> None:
    found = {
        path
        for path, node in calls()
        if isinstance(node.func, ast.Attribute)
        and node.func.attr in POSIX_ONLY
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "os"
    }
    assert found == GUARDED


@pytest.mark.parametrize("name", ["CON", "nul.png", "Aux", "com1.tar.gz", "LPT9"])
def test_no_file_has_the_name_of_a_device(name: str) -> None:
    assert safe_name(name) == f"_{name}"


@pytest.mark.parametrize(
    ("text", "name"), [("a:b", "a_b"), ("end.", "end"), ("end ", "end_"), ("console", "console"), (r"C:\x\y", "C__x_y")]
)
def test_names_are_valid_on_windows(text: str, name: str) -> None:
    assert safe_name(text) == name


def test_a_file_that_is_open_for_a_moment_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refusals = [PermissionError(13, "in use")] * 2
    replace = Path.replace

    def as_on_windows(self: Path, target: Path) -> Path:
        if refusals:
            raise refusals.pop()
        return replace(self, target)

    monkeypatch.setattr(files, "_REPLACE_WAITS", (0.0, 0.0))
    monkeypatch.setattr(Path, "replace", as_on_windows)
    target = tmp_path / "results.csv"
    with whole_file(target) as temporary:
        temporary.write_bytes(b"new")
    assert target.read_bytes() == b"new"
    refusals += [PermissionError(13, "in use")] * 3
    with pytest.raises(SegcamError, match=r"results\.csv cannot be written: in use"), whole_file(target) as temporary:
        temporary.write_bytes(b"newer")
    assert target.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [target]


def test_a_true_mask_is_found_by_its_name_however_accents_are_stored(tmp_path: Path) -> None:
    composed, apart = (unicodedata.normalize(form, "fibrom_müller.png") for form in ("NFC", "NFD"))
    assert composed != apart
    masks = tmp_path / "masks"
    masks.mkdir()
    (masks / apart).write_bytes(b"")
    (image,) = with_truths([BatchImage(composed, tmp_path / composed)], masks)
    assert image.truth == masks / apart


def test_images_that_differ_in_case_alone_get_pictures_of_their_own(tmp_path: Path) -> None:
    for name in ("A.png", "a.png"):
        (tmp_path / name).write_bytes(b"")
    if len(list(tmp_path.iterdir())) < 2:
        pytest.skip("this file system takes both names for one")
    names = [image.picture_name.casefold() for image in images_of(tmp_path)]
    assert len(set(names)) == 2
