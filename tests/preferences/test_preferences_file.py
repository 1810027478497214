"""The file of preferences: what is read, what is kept, and what becomes of a damaged one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from napari_segcam.errors import SegcamError
from napari_segcam.preferences import present
from napari_segcam.preferences.catalog import PREFERENCES, Preferences
from napari_segcam.preferences.file import preferences_path, read_file, write_file
from napari_segcam.preferences.present import change, origin, preferences, problems


@pytest.fixture(autouse=True)
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("NAPARI_SEGCAM_CONFIG", str(tmp_path / "settings"))
    present.read_again()
    yield preferences_path()
    present.read_again()


def test_without_a_file_the_defaults_hold(path: Path) -> None:
    assert preferences() == Preferences()
    assert not path.exists()
    assert {origin(preference.name) for preference in PREFERENCES} == {"default"}


def test_a_change_holds_at_once_and_in_the_next_process(path: Path) -> None:
    change({"memory_gb": 2.5, "device": "cpu"})
    assert (preferences().memory_gb, preferences().device, origin("device")) == (2.5, "cpu", "file")
    present.read_again()  # as the next process does
    assert (preferences().memory_gb, preferences().device) == (2.5, "cpu")
    change({"device": "auto"})
    assert yaml.safe_load(path.read_text("utf-8")) == {"memory_gb": 2.5}


def test_what_others_wrote_into_the_file_stays(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("from_a_later_version: [1, 2]\nopacity: 0.25\ncolormap: none such\n", "utf-8")
    change({"opacity": 0.75})
    assert yaml.safe_load(path.read_text("utf-8")) == {
        "from_a_later_version": [1, 2],
        "colormap": "none such",
        "opacity": 0.75,
    }


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"a: [1", b"- 1\n- 2\n", b"#" * 200_000])
def test_a_damaged_file_is_set_aside_and_said(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.with_name("preferences.yaml.damaged").write_text("an earlier one")
    path.write_bytes(content)
    assert preferences() == Preferences()
    (problem,) = problems()
    assert "preferences.yaml.damaged1" in problem
    assert path.with_name("preferences.yaml.damaged1").read_bytes() == content
    assert path.with_name("preferences.yaml.damaged").read_text() == "an earlier one"
    change({"threads": 3})
    assert preferences().threads == 3


@pytest.mark.parametrize(
    "line",
    ["memory_gb: lots", "memory_gb: .nan", "memory_gb: 0", "threads: 1.5", "threads: true", "opacity: 2", "device: 7"],
)
def test_a_wrong_value_is_said_and_the_others_count(path: Path, line: str) -> None:
    path.parent.mkdir()
    path.write_text(f"{line}\nheat_threshold: 0.25\n", "utf-8")
    name = line.partition(":")[0]
    assert getattr(preferences(), name) == getattr(Preferences(), name)
    assert preferences().heat_threshold == 0.25
    (problem,) = problems()
    assert name in problem
    assert path.read_text("utf-8").startswith(line)


def test_notepad_writes_it_too(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"\xef\xbb\xbfthreads: 2\r\n")
    assert (preferences().threads, problems()) == (2, [])


def test_the_environment_wins_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    change({"opacity": 0.25})
    monkeypatch.setenv("NAPARI_SEGCAM_OPACITY", "0.5")
    monkeypatch.setenv("NAPARI_SEGCAM_SHOW_FIRST_STEPS", "off")
    assert (preferences().opacity, origin("opacity")) == (0.5, "environment")
    assert preferences().show_first_steps is False
    change({"opacity": 0.75})
    assert preferences().opacity == 0.5
    monkeypatch.delenv("NAPARI_SEGCAM_OPACITY")
    assert preferences().opacity == 0.75


def test_a_wrong_variable_is_said_and_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    change({"memory_gb": 3.0})
    monkeypatch.setenv("NAPARI_SEGCAM_MEMORY_GB", "much")
    assert preferences().memory_gb == 3.0
    (problem,) = problems()
    assert "NAPARI_SEGCAM_MEMORY_GB" in problem
    with pytest.raises(SegcamError, match=r"from 0\.5 to 1024"):
        present.check_environment()


def test_a_wrong_change_changes_nothing(path: Path) -> None:
    with pytest.raises(SegcamError, match="opacity"):
        change({"threads": 4, "opacity": 1.5})
    assert preferences() == Preferences()
    assert not path.exists()


def test_a_folder_that_cannot_be_written_is_said(path: Path) -> None:
    path.parent.parent.mkdir(exist_ok=True)
    path.parent.write_text("a file where the folder should be")
    with pytest.raises(SegcamError, match="cannot be written"):
        change({"threads": 4})


def test_writers_at_the_same_time_lose_nothing(path: Path) -> None:
    names = {"threads": 2, "opacity": 0.1, "heat_threshold": 0.2, "memory_gb": 1.0, "device": "cpu", "log": "debug"}
    writers = [threading.Thread(target=write_file, args=(path, {name: value})) for name, value in names.items()]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert read_file(path).values == names


def test_who_listens_hears_of_a_change_while_alive() -> None:
    class Listener:
        def __init__(self) -> None:
            self.heard: list[frozenset[str]] = []

        def hear(self, names: frozenset[str]) -> None:
            self.heard.append(names)

    listener, forgotten = Listener(), Listener()
    heard_before = forgotten.heard
    present.on_change(listener.hear)
    present.on_change(forgotten.hear)
    del forgotten
    change({"threads": 2, "opacity": 0.5})
    assert listener.heard == [{"threads", "opacity"}]
    assert heard_before == []
