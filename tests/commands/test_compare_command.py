"""``compare``: exit codes, what it says, Ctrl-C, and wrong arguments."""

from __future__ import annotations

import csv
import json
import signal
from pathlib import Path
from typing import Any

import pytest
from batches import write_checkpoint, write_images

from napari_segcam import cli
from napari_segcam.comparing.comparing import Comparing

FILES = {"comparison.csv", "cases.csv", "comparison.json", "comparison.html", "comparison.pdf"}


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoints")
    write_checkpoint(folder / "a.pth", seed=0)
    write_checkpoint(folder / "b.pth", seed=1)
    return folder


@pytest.fixture
def compare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, checkpoints: Path) -> Any:
    """``napari-segcam compare A B data --out out OPTIONS`` on three stills: its exit code."""
    write_images(tmp_path / "data", 3, tmp_path / "masks")

    def run(*options: object, a: object = "a.pth", b: object = "b.pth", images: Path | None = None) -> int:
        usual = ("compare", checkpoints / str(a), checkpoints / str(b), images or tmp_path / "data")
        arguments = map(str, (*usual, "--device", "cpu", "--out", tmp_path / "out", *options))
        monkeypatch.setattr("sys.argv", ["napari-segcam", *arguments])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        return int(stopped.value.code or 0)

    return run


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_it_writes_tables_and_report(compare: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare("--truth", tmp_path / "masks") == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES
    assert len(rows_of(tmp_path / "out" / "comparison.csv")) == len(rows_of(tmp_path / "out" / "cases.csv")) == 3
    record = json.loads((tmp_path / "out" / "comparison.json").read_text(encoding="utf-8"))
    assert (record["a"]["checkpoint"], record["b"]["checkpoint"]) == ("a.pth", "b.pth")
    (summary,) = record["classes"]
    rows = rows_of(tmp_path / "out" / "cases.csv")
    differences = [float(row["dice_b"]) - float(row["dice_a"]) for row in rows]
    assert summary["dice_difference"]["mean"] == pytest.approx(sum(differences) / 3)
    shown = " ".join(capsys.readouterr().out.split())
    assert "3 cases are few: an interval over fewer than 6 cases means little." in shown
    assert all(" ".join(sentence.split()) in shown for sentence in summary["in_words"])


@pytest.mark.slow
def test_a_checkpoint_beside_itself(compare: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare("--truth", tmp_path / "masks", "--no-pdf", b="a.pth") == 0
    found = [row for row in rows_of(tmp_path / "out" / "comparison.csv") if row["dice"]]
    assert {float(row["dice"]) for row in found} == {1.0}
    (summary,) = json.loads((tmp_path / "out" / "comparison.json").read_text(encoding="utf-8"))["classes"]
    assert [summary["dice_difference"][end] for end in ("mean", "low", "high")] == [0, 0, 0]
    assert "A and B have the same Dice in each case" in " ".join(capsys.readouterr().out.split())


@pytest.mark.slow
def test_ctrl_c_leaves_nothing_behind(
    compare: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    compared = Comparing._compared

    def with_interrupt(self: Comparing, image: Any) -> Any:
        if image.name == "image_1.png":
            signal.raise_signal(signal.SIGINT)
        return compared(self, image)

    monkeypatch.setattr(Comparing, "_compared", with_interrupt)
    assert compare() == 130
    assert "nothing is written" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {"data", "masks"}


@pytest.mark.slow
def test_a_damaged_image_gives_exit_code_1(compare: Any, tmp_path: Path) -> None:
    (tmp_path / "data" / "image_1.png").write_bytes(b"no image")
    assert compare("--no-pdf") == 1
    assert "image_1.png" in (tmp_path / "out" / "comparison.html").read_text(encoding="utf-8")
    assert [row["case"] for row in rows_of(tmp_path / "out" / "cases.csv")] == ["image_0.png", "image_2.png"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "changes", "said"),
    [
        ((), {"a": "nothing.pth"}, "There is no checkpoint A: "),
        ((), {"b": "nothing.pth"}, "The order is: napari-segcam compare A B IMAGES."),
        ((), {"images": Path("nowhere")}, "There is no image, folder or list nowhere"),
        (("--truth", "nothing"), {}, "There is no folder of true masks nothing"),
        (("--crop", "1,2"), {}, "The crop 1,2 is not understood"),
        (("--classes", "cyst"), {}, "has no class 'cyst'"),
        (("--threshold", "2"), {}, "The threshold must be between 0 and 1"),
    ],
)
def test_what_is_wrong_is_one_clear_line(
    compare: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    changes: dict[str, Any],
    said: str,
) -> None:
    assert compare(*options, **changes) == 2
    error = capsys.readouterr().err.strip()
    assert said in error
    assert "\n" not in error
    assert not (tmp_path / "out").exists()


def test_checkpoints_and_images_in_the_wrong_order(
    compare: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(a=tmp_path / "data" / "image_0.png") == 2
    assert "is an image, not a checkpoint" in capsys.readouterr().err
