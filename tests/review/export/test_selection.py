"""Which frames are exported: reviewed ones alone, by verdict, rater, class and reading."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_review import PAINTED, PREDICTED, Rater, new_project
from PIL import Image

import napari_segcam as sc
from napari_segcam.errors import SegcamError
from napari_segcam.review.export.exporting import Exported, write_export
from napari_segcam.review.export.options import ExportOptions
from napari_segcam.review.project import ReviewProject
from napari_segcam.review.project_file import Settings


def names(folder: Path) -> set[str]:
    return {path.stem for path in (folder / "masks").iterdir()}


def only(exported: list[Exported]) -> Exported:
    (one,) = exported
    return one


def test_each_rater_has_a_folder(study: ReviewProject, tmp_path: Path) -> None:
    exported = write_export(study.folder, tmp_path / "out")
    assert {one.rater: one.frames for one in exported} == {"anna": 10, "ben": 8, "chen": 6}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"anna", "ben", "chen"}
    assert names(tmp_path / "out" / "chen") == {f"image_{number}" for number in (0, 1, 2, 3, 5, 6)}


def test_verdicts_are_chosen(study: ReviewProject, tmp_path: Path) -> None:
    rejected = only(write_export(study.folder, tmp_path / "r", ExportOptions(rater="ben", verdicts=("reject",))))
    assert names(rejected.folder) == {"image_3", "image_6", "image_7"}
    painted = only(write_export(study.folder, tmp_path / "c", ExportOptions(rater="ben", verdicts=("correct",))))
    assert names(painted.folder) == {"image_5", "cine_frame_0002"}


def test_corrections_need_no_checkpoint(tmp_path: Path) -> None:
    project = new_project(tmp_path)
    with Rater(project, "anna") as rater:
        rater.paint("image_3", PAINTED["anna"])
    (tmp_path / "unet.pth").unlink()
    exported = only(write_export(project.folder, tmp_path / "out"))
    assert names(exported.folder) == {"image_3"}


def test_a_correction_to_be_painted_is_left_out_and_said(tmp_path: Path) -> None:
    project = new_project(tmp_path)
    with Rater(project, "anna") as rater:
        rater.judge("cine", "correct")
        rater.paint("cine", PAINTED["anna"], frame=1)
    exported = only(write_export(project.folder, tmp_path / "out"))
    assert names(exported.folder) == {"cine_frame_0001"}
    assert exported.left_out["the mask is to be corrected, but no correction was painted"] == 3


def test_the_later_of_rejection_and_correction_counts(tmp_path: Path) -> None:
    project = new_project(tmp_path)
    with Rater(project, "anna") as rater:
        rater.paint("image_0", PAINTED["anna"])
        rater.judge("image_0", "reject")
        rater.judge("image_1", "reject")
        rater.paint("image_1", PAINTED["anna"])
        rater.judge("image_2", "accept")
        rater.paint("image_2", PAINTED["anna"])
        rater.paint("image_3", PAINTED["anna"])
        rater.log.undo()
        rater.judge("image_4", "accept", finding=1, point=(12, 12))
    exported = only(write_export(project.folder, tmp_path / "out"))
    assert names(exported.folder) == {"image_1", "image_2"}
    assert exported.left_out["only findings were judged, not the mask"] == 1


def test_second_readings_only_if_asked(tmp_path: Path) -> None:
    project = new_project(tmp_path, Settings(repeats=1))
    (again,) = (reading for reading in project.readings("anna") if reading.repeat == 2)
    name = project.case(again.case).name.split(".")[0]
    with Rater(project, "anna") as rater:
        rater.paint(name, PAINTED["anna"])
        rater.paint(name, PAINTED["ben"], repeat=2)
    first = only(write_export(project.folder, tmp_path / "first"))
    both = only(write_export(project.folder, tmp_path / "both", ExportOptions(repeats=True)))
    (path,) = (first.folder / "masks").iterdir()
    assert np.array_equal(np.asarray(Image.open(path)), PAINTED["anna"])
    assert names(both.folder) == {path.stem, f"{path.stem}_reading_2"}


def test_classes_are_chosen_and_numbered_from_one(tmp_path: Path) -> None:
    project = new_project(tmp_path, classes=3)
    labels = PREDICTED * 2
    labels[50:60, 50:60] = 1
    with Rater(project, "anna") as rater:
        rater.log.correct(project.readings("anna")[1], 0, labels, names={1: "cyst", 2: "solid"})
    both = only(write_export(project.folder, tmp_path / "both"))
    assert both.classes == {"cyst": 1, "solid": 2}
    solid = only(write_export(project.folder, tmp_path / "solid", ExportOptions(classes=("solid",))))
    (path,) = (solid.folder / "masks").iterdir()
    assert np.array_equal(np.asarray(Image.open(path)), PREDICTED)
    with pytest.raises(SegcamError, match=r"no class “cysts”.*“cyst”, “solid”"):
        write_export(project.folder, tmp_path / "none", ExportOptions(classes=("cysts",)))


@pytest.mark.slow
def test_overlapping_classes_need_a_choice_or_coco(tmp_path: Path) -> None:
    project = new_project(tmp_path)
    reading = project.readings("anna")[1]
    with Rater(project, "anna") as rater:
        for name in ("organ", "lesion"):
            rater.log.correct(reading, 0, PREDICTED, of_class=name, names={1: name})
    options = ExportOptions(verdicts=("correct",))
    with pytest.raises(SegcamError, match=r"overlap in frame 0 of image_0.*--class, or --format coco"):
        write_export(project.folder, tmp_path / "out", options)
    assert not (tmp_path / "out").exists()
    exported = only(write_export(project.folder, tmp_path / "out", ExportOptions(classes=("lesion",))))
    assert exported.classes == {"lesion": 1}
    write_export(project.folder, tmp_path / "coco", ExportOptions(format="coco"))


@pytest.mark.slow
def test_a_prediction_that_is_not_the_one_that_was_seen_is_said(tmp_path: Path) -> None:
    project = new_project(tmp_path)
    network = sc.load_network(str(tmp_path / "unet.pth"), "cpu")
    cine = sc.open_cine(project.images / "cine.tif")
    seen = sc.Explainer(network, stages=[], threshold=0.5)(cine[2], sc.Target(region="image"), cine.value_range).mask
    with Rater(project, "anna") as rater:
        rater.judge("cine", "accept", first=0, last=1)
        rater.paint("cine", PAINTED["anna"], started_from=seen, frame=2)
    assert only(write_export(project.folder, tmp_path / "same")).warnings == ()
    with Rater(project, "anna") as rater:
        rater.paint("cine", PAINTED["anna"], started_from=PREDICTED, frame=2)
    exported = only(write_export(project.folder, tmp_path / "other"))
    (warning,) = exported.warnings
    assert "frame 2 of cine.tif is not the one that anna saw" in warning
