"""Windows' paths, imitated: drives, network folders, long paths; and files moved into place in one way only."""

from __future__ import annotations

import ast
from pathlib import Path, PureWindowsPath

import pytest

import napari_segcam
from napari_segcam import errors
from napari_segcam.deidentifying.run import _refuse_nested
from napari_segcam.errors import SegcamError, error_text
from napari_segcam.files import is_within, remove_file

PACKAGE = Path(napari_segcam.__file__).parent


def moves_a_file(node: ast.AST) -> bool:
    """Whether a call is ``Path.rename``, ``Path.replace``, or one of these or ``move`` of ``os`` and ``shutil``.

    ``str.replace`` takes two texts, and ``dataclasses.replace`` names of fields.
    """
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return False
    name, owner = node.func.attr, node.func.value
    if isinstance(owner, ast.Name) and owner.id in ("os", "shutil"):
        return name in ("rename", "renames", "replace", "move")
    return name in ("rename", "replace") and len(node.args) == 1 and not node.keywords


@pytest.mark.slow
def test_files_are_moved_into_place_in_one_way_only() -> None:
    """``replace_file`` tries again where Windows refuses for a moment, and replaces the target on every system."""
    assert moves_a_file(ast.parse("part.rename(path)", mode="eval").body)
    assert moves_a_file(ast.parse("os.replace(part, path)", mode="eval").body)
    assert not moves_a_file(ast.parse("text.replace('a', 'b')", mode="eval").body)
    found = [
        f"{path.relative_to(PACKAGE).as_posix()}:{node.lineno}"
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if moves_a_file(node)
    ]
    assert [place for place in found if not place.startswith("files.py")] == []


@pytest.mark.slow
def test_no_path_is_joined_to_a_posix_path() -> None:
    """In Python 3.11, ``WindowsPath / PurePosixPath`` loses network folders and the root of a drive."""
    joined = ast.parse("folder / PurePosixPath(name)", mode="eval").body

    def is_joined(node: ast.AST) -> bool:
        return (
            isinstance(node, ast.BinOp)
            and isinstance(node.op, ast.Div)
            and isinstance(node.right, ast.Call)
            and getattr(node.right.func, "id", "") == "PurePosixPath"
        )

    assert is_joined(joined)
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert not [f"{path}:{node.lineno}" for node in ast.walk(tree) if is_joined(node)]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("stored", "path"),
    [
        ("D:/images/a.png", r"D:\images\a.png"),
        ("//server/share/a.png", r"\\server\share\a.png"),
        ("../images/a.png", r"C:\study\..\images\a.png"),
    ],
)
def test_a_path_of_a_project_leads_to_other_drives_and_servers(stored: str, path: str) -> None:
    """As ``ReviewProject.image_path`` joins them."""
    assert str(PureWindowsPath(r"C:\study") / stored) == path


def test_a_path_that_is_too_long_for_windows_is_named_as_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows says no more than that it cannot find the path."""
    long = FileNotFoundError(2, "No such file or directory", "/runs/" + "a" * 260)
    short = FileNotFoundError(2, "No such file or directory", "/runs/a")
    assert error_text(long) == "No such file or directory"
    monkeypatch.setattr(errors.sys, "platform", "win32")
    assert error_text(short) == "No such file or directory"
    assert error_text(long).startswith("No such file or directory. The path has 266 characters, and Windows takes")


def test_one_place_is_known_under_two_spellings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """macOS takes ``Data`` and ``data`` for one folder; their paths differ."""
    source, other = tmp_path / "data", tmp_path / "data-2"
    source.mkdir()
    other.mkdir()

    def as_on_macos(self: Path, another: Path) -> bool:
        return str(self).casefold() == str(another).casefold()

    assert not is_within(tmp_path / "DATA" / "copies", source)
    monkeypatch.setattr(Path, "samefile", as_on_macos)
    assert is_within(tmp_path / "DATA" / "copies", source)
    assert not is_within(other, source)
    with pytest.raises(SegcamError, match="lie within each other"):
        _refuse_nested(source, tmp_path / "DATA" / "copies", None)
    with pytest.raises(SegcamError, match="are the same"):
        _refuse_nested(source, tmp_path / "DATA", None)
    _refuse_nested(source, other, tmp_path / "mapping.csv")
    with pytest.raises(SegcamError, match="keep it outside"):
        _refuse_nested(source, other, tmp_path / "Data-2" / "mapping.csv")


def test_an_outdated_file_that_another_program_holds_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "validation_subgroups.csv"
    remove_file(table)  # it is not there
    table.write_text("", encoding="utf-8")

    def held(_path: Path, **_: bool) -> None:
        raise PermissionError(13, "The process cannot access the file because it is being used by another process")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", held)
        with pytest.raises(SegcamError, match=r"validation_subgroups\.csv is outdated.*used by another.*Close it"):
            remove_file(table)
    remove_file(table)
    assert not table.exists()
