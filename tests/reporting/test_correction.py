"""Corrections: they are written as the reader painted them, beside the prediction and never in its place."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from made_explanations import SHAPE, explanation, heatmap, ramp
from PIL import Image

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.cine import ArrayCine
from napari_segcam.reporting.clip import Clip
from napari_segcam.reporting.correction import (
    Correction,
    explained_mask,
    write_corrections,
    write_other_corrections,
)
from napari_segcam.reporting.exports import write_explanation, write_frame
from napari_segcam.reporting.figures import outline_pixels
from napari_segcam.reporting.overlay_style import OverlayStyle

FRAME = np.random.default_rng(0).integers(0, 200, SHAPE, dtype=np.uint8)


def painted(*, is_explained: bool = False) -> Correction:
    """A correction of 10 × 20 pixels labeled 1 and 5 × 5 labeled 3, away from the predicted mask."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[70:80, 80:100] = 1
    labels[60:65, 10:15] = 3
    return Correction(labels, {1: "lesion", 2: "cyst"}, is_explained)


def test_the_record_counts_the_pixels_of_each_label() -> None:
    record = painted(is_explained=True).as_dict()
    assert record == {
        "file": "correction.png",
        "explained": True,
        "labels": {"label 3": 3, "lesion": 1, "cyst": 2},
        "pixels": {"label 3": 25, "lesion": 200, "cyst": 0},
    }


def test_the_explained_mask_is_the_correction_only_if_that_is_explained() -> None:
    found = explanation({"encoder_5": heatmap(ramp())})
    np.testing.assert_array_equal(explained_mask(found, None), found.mask)
    np.testing.assert_array_equal(explained_mask(found, painted()), found.mask)
    correction = painted(is_explained=True)
    np.testing.assert_array_equal(explained_mask(found, correction), correction.labels)


@pytest.mark.parametrize("is_explained", [False, True])
def test_a_frame_keeps_both_masks_and_outlines_the_explained_one(tmp_path: Path, is_explained: bool) -> None:
    found = explanation({"encoder_5": heatmap(ramp())})
    correction = painted(is_explained=is_explained)
    write_explanation(tmp_path, FRAME, found, OverlayStyle(("contour", "heat")), correction=correction)
    files = {name: cv2.imread(str(tmp_path / name), cv2.IMREAD_UNCHANGED) for name in ("mask.png", "correction.png")}
    np.testing.assert_array_equal(files["mask.png"], found.mask)
    np.testing.assert_array_equal(files["correction.png"], correction.labels)
    contour, heat = (np.asarray(Image.open(tmp_path / name)) for name in ("encoder_5.png", "encoder_5_heat.png"))
    changed = (contour != heat).any(-1)
    if is_explained:
        expected = outline_pixels(correction.labels == 1) | outline_pixels(correction.labels == 3)
    else:
        expected = outline_pixels(found.mask > 0)
    assert changed.any()
    assert not (changed & ~expected).any()
    assert changed[expected].mean() > 0.9
    record = json.loads((tmp_path / "explanation.json").read_text())
    assert record["explained_mask"] == ("correction" if is_explained else "prediction")
    assert record["correction"] == correction.as_dict()
    assert record["region_pixels"] == np.count_nonzero(found.region)


def test_a_comparison_shows_the_correction_too(tmp_path: Path) -> None:
    both = [explanation({"encoder_5": heatmap(ramp())}, method=method) for method in ("gradcam", "layercam")]
    sheets = []
    for name, correction in (("without", None), ("with", painted())):
        write_frame(tmp_path / name, FRAME, both, by_method=True, correction=correction)
        sheets.append(np.asarray(Image.open(tmp_path / name / "comparison.png")))
    assert sheets[1].shape[1] > sheets[0].shape[1], "a tile more in the row of frame and mask"


def test_without_a_correction_there_is_no_file_of_one(tmp_path: Path) -> None:
    write_explanation(tmp_path, FRAME, explanation({"encoder_5": heatmap(ramp())}))
    assert not (tmp_path / "correction.png").exists()
    assert json.loads((tmp_path / "explanation.json").read_text())["correction"] is None


def test_a_correction_of_an_earlier_export_is_set_aside_and_kept(tmp_path: Path) -> None:
    shown = explanation({"encoder_5": heatmap(ramp())})
    blank = Correction(np.zeros(SHAPE, np.uint8), {})
    for correction in (painted(), None, blank, None):
        write_explanation(tmp_path, FRAME, shown, correction=correction)
        assert (tmp_path / "correction.png").exists() == (correction is not None)
    kept = [tmp_path / "earlier_correction.png", tmp_path / "earlier1_correction.png"]
    for path, correction in zip(kept, (painted(), blank), strict=True):
        np.testing.assert_array_equal(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), correction.labels)


def test_corrections_of_other_classes_of_an_earlier_export_are_set_aside(tmp_path: Path) -> None:
    write_other_corrections(tmp_path, {"organ": painted().labels, "cyst": painted().labels})
    write_other_corrections(tmp_path, {"organ": painted().labels})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["correction_organ.png", "earlier_correction_cyst.png"]


def test_other_classes_have_a_file_each(tmp_path: Path) -> None:
    masks = {"organ": (painted().labels > 0).view(np.uint8), "a/b": np.ones(SHAPE, np.uint8)}
    write_other_corrections(tmp_path, masks)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["correction_a_b.png", "correction_organ.png"]
    np.testing.assert_array_equal(
        cv2.imread(str(tmp_path / "correction_organ.png"), cv2.IMREAD_UNCHANGED), masks["organ"]
    )


def test_corrections_alone_are_a_mask_a_frame_and_the_names_of_their_labels(tmp_path: Path) -> None:
    other = Correction(np.full(SHAPE, 2, np.uint8), {2: "cyst"})
    paths = write_corrections(tmp_path / "new", "clip 1.dcm", {12: painted(), 3: other})
    names = ["clip_1.dcm_frame_0003_correction.png", "clip_1.dcm_frame_0012_correction.png"]
    assert [path.name for path in paths] == names
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["clip_1.dcm_corrections.json", *names]
    for path, correction in zip(paths, (other, painted()), strict=True):
        np.testing.assert_array_equal(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), correction.labels)
    content = json.loads((tmp_path / "new" / "clip_1.dcm_corrections.json").read_text(encoding="utf-8"))
    assert content["image"] == "clip 1.dcm"
    assert content["corrections"][names[0]] == {
        "frame": 3,
        "labels": {"cyst": 2},
        "pixels": {"cyst": SHAPE[0] * SHAPE[1]},
    }
    assert content["corrections"][names[1]]["pixels"]["lesion"] == 200


def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SegcamError, match="cannot be written"):
        write_corrections(tmp_path / "file", "a", {0: painted()})
    with pytest.raises(SegcamError, match="cannot be written"):
        write_other_corrections(tmp_path / "file", {"organ": painted().labels})


def test_a_movie_outlines_the_correction_that_is_explained() -> None:
    cine = ArrayCine(np.full((2, *SHAPE), 60, np.uint8))
    clip, correction = Clip("encoder_5"), painted(is_explained=True)
    blank = explanation({"encoder_5": heatmap(np.zeros((3, 4)))})
    clip.add_frame(0, blank, correction)
    clip.add_frame(1, blank)
    corrected, predicted = clip.draw_frames(cine, OverlayStyle())
    factor = corrected.shape[1] // SHAPE[1]
    rows, columns = slice(70 * factor, 80 * factor), slice(80 * factor, 100 * factor)
    assert (corrected[rows, columns] != 60).any()
    assert (predicted[rows, columns] == 60).all()
