"""Exports: explanations as files for people and programs."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_segcam.evidence.attention import attention
from napari_segcam.explanation.explanation import Explanation
from napari_segcam.files import whole_file
from napari_segcam.reporting.figures import Picture, display, explanation_sheet, with_heat, with_outline

ATTENTION_COLUMNS = ("frame", "class", "method", "stage", "mean", "std", "inside", "outside", "ratio", "undefined")


def write_explanation(
    folder: Path,
    frame: NDArray[np.generic],
    explanation: Explanation,
    value_range: tuple[float, float] | None = None,
) -> None:
    """Write one frame's explanation into a folder.

    ``frame.png``, ``mask.png`` (labels), ``sheet.png`` (everything at a glance), ``STAGE.png`` (heat over frame, with
    the mask's outline), ``heatmaps.npz`` (raw float32 at the stages' own resolution) and ``explanation.json``.

    Raises:
        SegcamError: if the folder cannot be written to.
    """
    picture = display(frame, value_range)
    _write_png(folder / "frame.png", picture)
    _write_png(folder / "mask.png", explanation.mask)
    for name, heatmap in explanation.heatmaps.items():
        heated = with_heat(picture, heatmap.on_frame())
        _write_png(folder / f"{name.replace('/', '_')}.png", with_outline(heated, explanation.mask))
    if explanation.heatmaps:
        _write_png(folder / "sheet.png", explanation_sheet(picture, explanation))
        with whole_file(folder / "heatmaps.npz") as path, path.open("wb") as file:
            raw: dict[str, Any] = {name: heatmap.values for name, heatmap in explanation.heatmaps.items()}
            np.savez_compressed(file, **raw)
    with whole_file(folder / "explanation.json") as path:
        path.write_text(json.dumps(_described(explanation), indent=2), encoding="utf-8")


def attention_rows(frame: int, explanation: Explanation) -> list[dict[str, Any]]:
    """The attention figures of a frame, one row per stage, with the columns of ``ATTENTION_COLUMNS``."""
    class_name = explanation.class_names[explanation.target.class_index or 0]
    return [
        {"frame": frame, "class": class_name, "method": explanation.method, "stage": stage, **vars(figures)}
        for stage, figures in attention(explanation).items()
    ]


def write_attention(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write attention rows as CSV; what is undefined stays empty and has its reason in the last column."""
    with whole_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, ATTENTION_COLUMNS)
        table.writeheader()
        table.writerows(rows)


def _write_png(path: Path, picture: Picture) -> None:
    with whole_file(path) as temporary:
        Image.fromarray(picture).save(temporary, format="PNG")


def _described(explanation: Explanation) -> dict[str, Any]:
    return {
        **explanation.provenance,
        **_found(explanation),
        "heatmaps": {
            name: {
                "shape": list(heatmap.values.shape),
                "stride": heatmap.stage.stride,
                "layer": heatmap.stage.layer,
                "scale": list(heatmap.scale),
                "translate": list(heatmap.translate),
                "raw_max": float(heatmap.values.max()),
                "empty_because": heatmap.reason.value if heatmap.reason else None,
            }
            for name, heatmap in explanation.heatmaps.items()
        },
    }


def _found(explanation: Explanation) -> dict[str, Any]:
    """What the network found: how large each class is, or how likely for the whole frame."""
    if explanation.no_mask is not None:
        return {"no_mask_because": explanation.no_mask, "class_probabilities": explanation.class_probabilities}
    labels = _labels(explanation).items()
    return {"mask_pixels": {name: int(np.count_nonzero(explanation.mask == label)) for label, name in labels}}


def _labels(explanation: Explanation) -> dict[int, str]:
    names = explanation.class_names
    return {1: names[0]} if len(names) == 1 else dict(enumerate(names))
