"""Texts as Windows writes and shows them: ends of lines, marks at the beginning, code pages."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from napari_segcam.batch.color_tables.color_table import read_colors
from napari_segcam.batch.images import images_of
from napari_segcam.commands.review_command import _reasons
from napari_segcam.commands.terminal import takes_any_text
from napari_segcam.comparing.case_names import case_names
from napari_segcam.errors import SegcamError
from napari_segcam.network.ensemble.ensemble_file import read_ensemble_file
from napari_segcam.network.model_card import read_card
from napari_segcam.preferences.file import read_file

LIST = "image,case\na.png,Müller\nb.png,Ada\n"
ITK_SNAP = '0 0 0 0 0 0 0 "Clear Label"\n1 255 0 0 1 1 1 "fibroid"\n'
READERS: list[tuple[str, str, Callable[[Path], Any]]] = [
    ("list.csv", LIST, lambda path: [(image.name, image.path) for image in images_of(path)]),
    ("list.csv", LIST, case_names),
    ("colors.csv", "name,color\nfibroid,#ff0000\nuterus,#00ff00\n", lambda path: dict(read_colors(path))),
    ("colors.txt", ITK_SNAP, lambda path: dict(read_colors(path))),
    ("colors.json", '{\n"fibroid": "#ff0000",\n"uterus": "#00ff00"\n}\n', lambda path: dict(read_colors(path))),
    ("reasons.txt", "missed\ntoo large\n", lambda path: _reasons(str(path))),
    ("a.segcam.yaml", "threshold: 0.4\nclass_names: [fibroid]\nnotes: |\n  one\n  two\n", read_card),
    ("e.segcam-ensemble.yaml", "members:\n- a.pt\n- b.pt\nweights: [1, 2]\n", read_ensemble_file),
    ("preferences.yaml", "threads: 3\ndevice: cpu\n", read_file),
]


@pytest.mark.parametrize(("name", "text", "read"), READERS, ids=[f"{name}-{i}" for i, (name, *_) in enumerate(READERS)])
def test_a_text_file_saved_on_windows_reads_the_same(
    tmp_path: Path, name: str, text: str, read: Callable[[Path], Any]
) -> None:
    for image in ("a.png", "b.png"):
        Image.new("L", (2, 2)).save(tmp_path / image)
    path = tmp_path / name
    path.write_bytes(text.encode())
    plain = read(path)
    assert plain
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert read(path) == plain


def test_a_table_in_the_code_page_of_windows_says_how_to_save_it(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(LIST.encode("cp1252"))
    with pytest.raises(SegcamError, match=r"list\.csv cannot be read: it is not UTF-8 text, from byte 19 on; save it"):
        images_of(path)


@pytest.mark.parametrize("encoding", ["cp1252", "cp437", "ascii"])
def test_the_command_line_writes_to_a_file_in_any_code_page(encoding: str) -> None:
    """Where a character does not exist there, it writes a question mark instead of failing."""
    code = (
        "from napari_segcam.commands.terminal import PlainConsole, accept_any_text; import sys;"
        "accept_any_text(); PlainConsole().print('Dice ≥ 0.9 \\u2013 ▸ 超音波'); print('→', 'end')"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment(encoding), check=False)
    assert ran.returncode == 0, ran.stderr.decode()
    lines = ran.stdout.decode(encoding).split("\n")
    assert lines[0].startswith("Dice ")
    assert lines[0].rstrip().endswith("? ???")
    assert lines[1].rstrip() == "? end"


@pytest.mark.parametrize(("encoding", "takes"), [("utf-8", True), ("UTF-16", True), ("cp1252", False)])
def test_json_is_written_in_ascii_where_letters_would_be_lost(encoding: str, takes: bool) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding)
    assert takes_any_text(stream) is takes
    print(json.dumps("超音波", ensure_ascii=not takes_any_text(stream)), file=stream, flush=True)
    assert json.loads(stream.buffer.getvalue().decode(encoding)) == "超音波"


def environment(encoding: str) -> dict[str, str]:
    """Return this environment, with what is written to a pipe in an encoding."""
    return {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
