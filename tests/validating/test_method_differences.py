"""Differences between methods, beside figures that are computed here from the rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from studies import write_run

import napari_segcam as sc
from napari_segcam.reporting.report.document import Table
from napari_segcam.reporting.report.finished_run import FinishedRun, read_run
from napari_segcam.validating.pages.page import addition_of
from napari_segcam.validating.pages.writing import write_validation

METHODS = ("gradcam", "layercam", "hirescam")
STAGES = ("encoder_4", "decoder_last")


def run_of_methods(folder: Path, shown: bool = True) -> FinishedRun:
    """A run of cines whose methods have made-up evidence at each stage, some of it missing."""
    generator = np.random.default_rng(0)
    images = {f"{number}.avi": [{"dice": 0.8}] * int(generator.integers(1, 6)) for number in range(8)}
    run = read_run(write_run(folder, images, stages=STAGES))

    def rows(plain: Any) -> list[dict[str, Any]]:
        found = []
        for method in METHODS:
            firsts = {row["frame"]: str(generator.choice(STAGES)) if shown else "" for row in plain}
            for row in plain:
                values = generator.uniform(-1, 1, 2)
                known = None if generator.random() < 0.2 else float(values[0])
                evidence = {"faithfulness": known, "share": float(values[1]), "ratio": 6271.0}
                found.append({**row, "method": method, "shown_first": firsts[row["frame"]], **evidence})
        return found

    return replace(run, images=tuple(replace(image, rows=rows(image.rows)) for image in run.images))


@pytest.mark.parametrize("figure", ["faithfulness", "share"])
@pytest.mark.parametrize("method", METHODS[1:])
def test_each_method_is_compared_with_the_first_by_case(tmp_path: Path, method: str, figure: str) -> None:
    run = run_of_methods(tmp_path / "run")
    (found,) = [row for row in sc.validate(run).methods if (row["figure"], row["method"]) == (figure, method)]
    expected = []
    for image in run.images:
        of_frames = []
        for frame in {row["frame"] for row in image.rows}:
            pair = [
                row[figure]
                for name in (method, METHODS[0])
                for row in image.rows
                if (row["frame"], row["method"], row["stage"]) == (frame, name, row["shown_first"])
            ]
            if None not in pair:
                of_frames.append(pair)
        if of_frames:
            expected.append(np.median(of_frames, axis=0))
    this, other = np.array(expected).T
    assert found["cases"] == len(expected)
    assert (found["this"], found["other"]) == (pytest.approx(this.mean()), pytest.approx(other.mean()))
    assert found["difference"] == pytest.approx((this - other).mean())
    assert found["low"] < found["difference"] < found["high"]
    assert found["other_method"] == METHODS[0]
    better = (int((this > other).sum()), int((this < other).sum())) if figure == "faithfulness" else (None, None)
    assert (found["better"], found["worse"]) == better


def test_only_bounded_figures_are_compared_and_only_those_that_were_measured(tmp_path: Path) -> None:
    methods = sc.validate(run_of_methods(tmp_path / "run")).methods
    assert [(row["figure"], row["method"]) for row in methods] == [
        (figure, method) for figure in ("faithfulness", "share") for method in METHODS[1:]
    ]


@pytest.mark.parametrize("shown", [True, False])
def test_they_are_in_the_page_and_in_a_table(tmp_path: Path, shown: bool) -> None:
    run = run_of_methods(tmp_path / "run", shown)
    validation = sc.validate(run)
    addition, plots = addition_of(validation, run)
    captions = [block.caption for block in addition.sections[0].blocks if isinstance(block, Table)]
    assert any("Each method minus gradcam" in caption for caption in captions) == shown
    written = write_validation(tmp_path, validation, plots)
    assert (tmp_path / "validation_methods.csv" in written) == shown
    if shown:
        text = (tmp_path / "validation_methods.csv").read_text(encoding="utf-8")
        assert len(text.splitlines()) == 1 + 4
