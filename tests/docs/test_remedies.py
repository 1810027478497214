"""What to do about a problem is said in the words of the place where the message is read."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import napari_segcam
from napari_segcam.errors import SegcamError
from napari_segcam.imaging.dicomweb.failures import refuse_status
from napari_segcam.imaging.dicomweb.servers import Server
from napari_segcam.network.loading import load_network
from napari_segcam.remedies import REMEDIES, remedy, speak_to

PACKAGE = Path(napari_segcam.__file__).parent
IN_WINDOW = (
    *("network", "imaging", "explanation", "evidence", "measuring", "dicom_objects", "deidentifying", "preferences"),
    *("problem", "viewer", "review/project_file.py", "review/log", "batch/run.py", "batch/run_folder.py"),
    *("optional.py", "budget.py", "demo.py"),
)
"""Rooms and files whose messages reach the window."""

ONLY_COMMANDS = {
    "network/questions/questions.py": "flags that inspect alone prints",
    "preferences/catalog.py": "a preference says which option it stands in for",
}
_COMMAND_LINE = re.compile(
    r"(?<![\w-])--[a-z]|napari-segcam (?:batch|check|compare|explain|inspect|pacs|report|review) "
)


def messages(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the texts of a file, with their lines, but not what documents it."""
    tree = ast.parse(path.read_text("utf-8"))
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.lineno, node.value


@pytest.mark.slow
def test_no_message_that_reaches_the_window_names_an_option() -> None:
    files = [
        path
        for room in IN_WINDOW
        for path in ([PACKAGE / room] if room.endswith(".py") else (PACKAGE / room).rglob("*.py"))
    ]
    assert len(files) > 500
    named = [
        f"{path.relative_to(PACKAGE)}:{line}: {text}"
        for path in files
        if path.relative_to(PACKAGE).as_posix() not in ONLY_COMMANDS
        for line, text in messages(path)
        if _COMMAND_LINE.search(text)
    ]
    assert not named, "\n".join(named)


def test_the_search_for_options_finds_one(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text('"""About --this."""\nA = f"Give {B} with --out."\n', "utf-8")
    found = [text for _, text in messages(file)]
    assert any(_COMMAND_LINE.search(text) for text in found)
    assert not any("--this" in text for text in found)


@pytest.mark.parametrize("name", sorted(REMEDIES))
def test_the_words_for_the_window_name_no_option(name: str) -> None:
    assert "--" not in REMEDIES[name].window
    speak_to("window")
    in_window = remedy(name, server="ward")
    speak_to("command line")
    assert in_window != remedy(name, server="ward")


def test_an_error_names_the_control_in_the_window_and_the_option_on_the_command_line() -> None:
    with pytest.raises(SegcamError, match=r"--network-factory package\.module:function"):
        load_network(None)
    server = Server("ward", "https://pacs.example.org/dicom-web")
    speak_to("window")
    with pytest.raises(SegcamError, match=r"Your code, under If it is not recognized in the Checkpoint tab") as raised:
        load_network(None)
    assert "--" not in str(raised.value)
    with pytest.raises(SegcamError, match="User and Password, under Edit … in the PACS tab"):
        refuse_status(401, server)
