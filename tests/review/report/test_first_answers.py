"""First answers of a blinded reading, against what the network predicts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_review import PAINTED, Rater, new_project

import napari_segcam as sc
from napari_segcam.errors import SegcamError
from napari_segcam.review.project import ReviewProject
from napari_segcam.review.report.review_numbers import review_report

SAID = {"image_0": True, "image_1": False, "image_2": True, "image_3": False}
DRAWN = "image_4"


@pytest.fixture
def project(tmp_path: Path) -> ReviewProject:
    """Anna answers four stills, and draws on a fifth, which she changes once she has seen the prediction."""
    project = new_project(tmp_path)
    with Rater(project, "anna") as rater:
        for name, found in SAID.items():
            rater.answer(name, found)
        rater.paint(DRAWN, PAINTED["anna"], started_from=None)
        rater.answer(DRAWN, None)
        rater.paint(DRAWN, PAINTED["ben"], started_from=None)
    return project


def masks_of(project: ReviewProject) -> dict[str, np.ndarray]:
    explainer = sc.Explainer(sc.load_network(str(project.folder.parent / "unet.pth"), "cpu"), stages=[])
    masks = {}
    for case in project.cases:
        cine = sc.open_cine(project.image_path(case))
        if len(cine) == 1:
            masks[case.name.split(".")[0]] = explainer(cine[0], sc.Target(region="image"), cine.value_range).mask
    return masks


def find(rows: Any, measure: str) -> Any:
    (row,) = [row for row in rows if row["measure"] == measure]
    return row


def test_answers_are_compared_with_the_predictions(project: ReviewProject) -> None:
    masks = masks_of(project)
    numbers = review_report(project.folder, resamples=50, predict=True)
    agreed = [found == bool(masks[name].any()) for name, found in SAID.items()] + [bool(masks[DRAWN].any())]
    row = find(numbers.rates, "first_answer_agrees")
    assert (row["value"], row["n"]) == (np.mean(agreed), 5)
    assert 0 < row["value"] < 1
    counts = [row for row in numbers.rates if row["measure"] == "first_answers"]
    assert sum(row["value"] for row in counts) == 5
    drawn, predicted = PAINTED["anna"] > 0, masks[DRAWN] > 0
    dice = 2 * (drawn & predicted).sum() / (drawn.sum() + predicted.sum())
    assert find(numbers.rates, "dice_of_first_drawing")["value"] == pytest.approx(dice)


def test_without_the_network_they_are_undefined(project: ReviewProject) -> None:
    row = find(review_report(project.folder, resamples=50).rates, "first_answer_agrees")
    assert (row["value"], row["n"]) == (None, 5)
    assert "--predict" in row["undefined"]


def test_a_missing_image_is_left_out_and_a_changed_checkpoint_refused(project: ReviewProject) -> None:
    (project.images / "image_0.png").unlink()
    numbers = review_report(project.folder, resamples=50, predict=True)
    assert find(numbers.rates, "first_answer_agrees")["n"] == 4
    assert any("image_0.png is left out of the first answers" in warning for warning in numbers.warnings)
    with (project.folder.parent / "unet.pth").open("ab") as file:
        file.write(b"more")
    with pytest.raises(SegcamError, match="has changed"):
        review_report(project.folder, resamples=50, predict=True)
