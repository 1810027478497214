"""Exports: explanations as files for people and programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_segcam.evidence.attention import attention, finite_row
from napari_segcam.evidence.measuring import Evidence
from napari_segcam.explanation.explanation import Explanation
from napari_segcam.files import safe_name, whole_file, write_table
from napari_segcam.reporting.cine_source import CineSource
from napari_segcam.reporting.correction import FILE as CORRECTION_FILE
from napari_segcam.reporting.correction import Correction, outlined
from napari_segcam.reporting.explanation_record import explanation_record
from napari_segcam.reporting.figures import Picture, display
from napari_segcam.reporting.heatmap_files import write_npz, write_tiff
from napari_segcam.reporting.overlay_style import OverlayStyle
from napari_segcam.reporting.overlays import overlay
from napari_segcam.reporting.sheets import class_of, comparison_sheet, explanation_sheet, outline_colors

ATTENTION_COLUMNS = ("frame", "class", "method", "stage", "mean", "std", "inside", "outside", "ratio", "undefined")

_DEFAULT_LOOK = OverlayStyle()
_USUAL_OVERLAY = "contour"


def write_frame(
    folder: Path,
    frame: NDArray[np.generic],
    explanations: Iterable[Explanation],
    look: OverlayStyle = _DEFAULT_LOOK,
    *,
    by_method: bool = False,
    by_class: bool = False,
    source: CineSource | None = None,
    number: int = 0,
    options: Mapping[str, Any] | None = None,
    correction: Correction | None = None,
    evidence_of: Callable[[Explanation], Evidence | None] = lambda _explanation: None,
) -> list[Explanation]:
    """Write the explanations of one frame as they come, and then what compares them.

    Each goes into ``folder/METHOD/CLASS`` as ``write_explanation`` does it. Of several methods there is a comparison
    sheet besides, ``folder/comparison.png``, or ``comparison_CLASS.png`` for each of several classes.

    Args:
        folder: of this frame; it is made.
        frame: ``(Y, X)`` or ``(Y, X, 3)``.
        explanations: of this frame, read one after the other.
        look: how they are drawn.
        by_method: whether there is a folder for each method, as there must be for several.
        by_class: whether there is a folder for each class, as there must be for several.
        source: of the frame.
        number: of the frame in its source.
        options: what the user asked for, in plain values.
        correction: of this frame, where a reader has painted one.
        evidence_of: gives the evidence of an explanation, where it was measured.

    Returns:
        those that were written.

    Raises:
        SegcamError: if the folder cannot be written to.
    """
    written: list[Explanation] = []
    for explanation in explanations:
        place = folder
        if by_method:
            place /= safe_name(explanation.method)
        if by_class:
            place /= class_folder(explanation)
        write_explanation(
            place,
            frame,
            explanation,
            look,
            source=source,
            number=number,
            options=options,
            correction=correction,
            evidence=evidence_of(explanation),
        )
        written.append(explanation)
    if by_method and written:
        picture = display(frame, source.value_range if source else None)
        for name, of_class in _by_class(written).items():
            path = folder / (f"comparison_{name}.png" if by_class else "comparison.png")
            write_png(
                path, comparison_sheet(picture, of_class, look, title=_title(source, number), correction=correction)
            )
    return written


def write_explanation(
    folder: Path,
    frame: NDArray[np.generic],
    explanation: Explanation,
    look: OverlayStyle = _DEFAULT_LOOK,
    *,
    source: CineSource | None = None,
    number: int = 0,
    options: Mapping[str, Any] | None = None,
    correction: Correction | None = None,
    evidence: Evidence | None = None,
) -> None:
    """Write one frame's explanation into a folder.

    ``frame.png``, ``mask.png`` (labels, where the network gives a mask; of classes that overlap there is a
    ``mask_CLASS.png`` for each, with 1 where the class is), ``correction.png`` (labels as a reader painted them, where
    one did), ``sheet.png`` (everything at a glance), ``STAGE.png`` (heat over frame, with the contour of the mask or
    correction that it explains; other kinds of overlay are ``STAGE_KIND.png``),
    ``STAGE.tif`` and ``heatmaps.npz`` (raw float32 at the stage's own resolution) and, last, ``explanation.json``.

    Args:
        folder: is made.
        frame: ``(Y, X)`` or ``(Y, X, 3)``.
        explanation: of that frame.
        look: how it is drawn.
        source: of the frame; its value range says what black and white are.
        number: of the frame in its source.
        options: what the user asked for, in plain values.
        correction: of this frame, where a reader has painted one.
        evidence: of the heatmaps, where it was measured.

    Raises:
        SegcamError: if the folder cannot be written to.
    """
    picture = display(frame, source.value_range if source else None)
    write_png(folder / "frame.png", picture)
    for name, mask in _masks(explanation):
        write_png(folder / name, mask)
    if correction is not None:
        write_png(folder / CORRECTION_FILE, correction.labels)
    drawn_mask, colors = outlined(explanation, correction), outline_colors(explanation, correction)
    for name, heatmap in explanation.heatmaps.items():
        stem = safe_name(name)
        for kind in look.overlays:
            suffix = "" if kind == _USUAL_OVERLAY else f"_{kind}"
            drawn = overlay(kind, picture, heatmap, drawn_mask, look, colors=colors)
            write_png(folder / f"{stem}{suffix}.png", drawn)
        facts = {"method": explanation.method, "class": class_of(explanation), "frame": number}
        write_tiff(folder / f"{stem}.tif", heatmap, source.spacing_mm if source else None, facts)
    if explanation.heatmaps:
        title = _title(source, number)
        sheet = explanation_sheet(picture, explanation, look, title=title, correction=correction)
        write_png(folder / "sheet.png", sheet)
        write_npz(folder / "heatmaps.npz", explanation)
    with whole_file(folder / "explanation.json") as path:
        plain = explanation_record(explanation, look, source, number, options, correction, evidence)
        path.write_text(json.dumps(plain, indent=2, allow_nan=False), encoding="utf-8")


def attention_rows(frame: int, explanation: Explanation) -> list[dict[str, Any]]:
    """The attention figures of a frame, one row per stage, with the columns of ``ATTENTION_COLUMNS``."""
    return [
        finite_row(
            {
                "frame": frame,
                "class": class_of(explanation),
                "method": explanation.method,
                "stage": stage,
                **figures.of_map(explanation.heatmaps[stage]),
            }
        )
        for stage, figures in attention(explanation).items()
    ]


def write_attention(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write attention rows as CSV; what is undefined stays empty and has its reason in the last column."""
    write_table(path, ATTENTION_COLUMNS, rows)


def write_png(path: Path, picture: Picture) -> None:
    """Write a picture, or labels ``(Y, X)``.

    Raises:
        SegcamError: if the file cannot be written.
    """
    with whole_file(path) as temporary:
        Image.fromarray(picture).save(temporary, format="PNG", compress_level=3)


def class_folder(explanation: Explanation) -> str:
    """The explained class's name as a file name; with its number where another class's would be the same."""
    return _file_names(explanation.class_names)[explanation.target.class_index or 0]


def _file_names(class_names: Sequence[str]) -> list[str]:
    safe = [safe_name(name) for name in class_names]
    alike = Counter(name.casefold() for name in safe)
    return [name if alike[name.casefold()] == 1 else f"{name}_{index}" for index, name in enumerate(safe)]


def _masks(explanation: Explanation) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """The masks of a frame by the names of their files; none where the network gives none."""
    if explanation.no_mask is not None:
        return
    if not explanation.classes_overlap:
        yield "mask.png", explanation.mask
        return
    for name, mask in zip(_file_names(explanation.class_names), explanation.masks, strict=True):
        yield f"mask_{name}.png", mask.view(np.uint8)


def _by_class(explanations: Sequence[Explanation]) -> dict[str, list[Explanation]]:
    of_class: dict[str, list[Explanation]] = {}
    for explanation in explanations:
        of_class.setdefault(class_folder(explanation), []).append(explanation)
    return of_class


def _title(source: CineSource | None, number: int) -> str:
    return source.title(number) if source else ""
