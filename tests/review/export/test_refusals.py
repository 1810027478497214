"""What is refused, in words, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_review import PAINTED, Rater, new_project
from PIL import Image

from napari_segcam.errors import SegcamError
from napari_segcam.review.export.exporting import write_export
from napari_segcam.review.export.formats import png_format
from napari_segcam.review.export.options import ExportOptions
from napari_segcam.review.project import ReviewProject


@pytest.fixture
def project(tmp_path: Path) -> ReviewProject:
    project = new_project(tmp_path)
    with Rater(project, "anna") as rater:
        rater.judge("image_0", "accept")
        rater.judge("image_1", "correct")
        rater.paint("image_1", PAINTED["anna"])
    return project


def left_behind(out: Path) -> list[str]:
    return [path.name for path in out.parent.iterdir() if out.name in path.name]


def test_a_filled_folder_is_not_touched(project: ReviewProject, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    with pytest.raises(SegcamError, match=r"not an empty folder"):
        write_export(project.folder, out)
    assert [path.name for path in out.iterdir()] == ["mine.txt"]


def test_an_empty_folder_is_filled(project: ReviewProject, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write_export(project.folder, tmp_path / "out")
    assert left_behind(tmp_path / "out") == ["out"]
    assert len(list((tmp_path / "out" / "masks").iterdir())) == 2


def test_a_changed_checkpoint_is_refused(project: ReviewProject, tmp_path: Path) -> None:
    with (tmp_path / "unet.pth").open("ab") as file:
        file.write(b"more")
    with pytest.raises(SegcamError, match=r"unet.pth has changed.*put the original file back"):
        write_export(project.folder, tmp_path / "out")
    assert left_behind(tmp_path / "out") == []


def test_a_changed_image_is_refused(project: ReviewProject, tmp_path: Path) -> None:
    Image.fromarray(np.zeros((64, 64), np.uint8)).save(tmp_path / "images" / "image_1.png")
    with pytest.raises(SegcamError, match=r"image_1.png has changed"):
        write_export(project.folder, tmp_path / "out")
    assert left_behind(tmp_path / "out") == []


def test_a_missing_image_is_said(project: ReviewProject, tmp_path: Path) -> None:
    (tmp_path / "images" / "image_1.png").unlink()
    with pytest.raises(SegcamError, match=r"image_1.png is missing"):
        write_export(project.folder, tmp_path / "out")


def test_images_may_have_moved(project: ReviewProject, tmp_path: Path) -> None:
    (tmp_path / "images").rename(tmp_path / "elsewhere")
    write_export(project.folder, tmp_path / "out", images=tmp_path / "elsewhere")
    assert len(list((tmp_path / "out" / "images").iterdir())) == 2


def test_a_failure_in_the_middle_leaves_nothing(
    project: ReviewProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(*_arguments: object) -> None:
        raise SegcamError("The disk is full.")

    monkeypatch.setattr(png_format, "write_json", full_disk)
    with pytest.raises(SegcamError, match=r"disk is full"):
        write_export(project.folder, tmp_path / "out")
    assert left_behind(tmp_path / "out") == []


def test_nothing_to_export_says_why(project: ReviewProject, tmp_path: Path) -> None:
    with pytest.raises(SegcamError, match=r"No frame is to be exported.*1 frames: verdict “accept”"):
        write_export(project.folder, tmp_path / "out", ExportOptions(verdicts=("reject",)))


def test_nobody_has_read(tmp_path: Path) -> None:
    project = new_project(tmp_path)
    with pytest.raises(SegcamError, match=r"Nobody has read"):
        write_export(project.folder, tmp_path / "out")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "bmp"}, "no format “bmp”: give one of png, nifti, nnunet, coco"),
        ({"verdicts": ("accepted",)}, "no verdict “accepted”: give one of accept, correct, reject"),
        ({"verdicts": ()}, "No verdict"),
        ({"file_ending": ".nii"}, "no file ending"),
    ],
)
def test_unknown_options(options: dict[str, str], message: str) -> None:
    with pytest.raises(SegcamError, match=message):
        ExportOptions(**options)  # type: ignore[arg-type]


def test_an_unknown_rater_or_checkpoint(project: ReviewProject, tmp_path: Path) -> None:
    with pytest.raises(SegcamError, match=r"No rater is named “ben”. The raters are: anna"):
        write_export(project.folder, tmp_path / "out", ExportOptions(rater="ben"))
