"""Exports: explanations as files, for people and for other programs."""

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
from napari_segcam.evidence.in_out import in_out
from napari_segcam.evidence.measuring import Evidence
from napari_segcam.explanation.explanation import Explanation
from napari_segcam.files import safe_name, whole_file, write_table
from napari_segcam.imaging.geometry import Crop
from napari_segcam.reporting.cine_source import CineSource
from napari_segcam.reporting.correction import CORRECTION_FILE, Correction, explained_mask, set_earlier_aside
from napari_segcam.reporting.explanation_record import explanation_record
from napari_segcam.reporting.figures import Picture, display
from napari_segcam.reporting.heatmap_files import write_deviation, write_npz, write_tiff
from napari_segcam.reporting.overlay_style import OverlayStyle
from napari_segcam.reporting.overlays import overlay
from napari_segcam.reporting.sheets import class_name_of, comparison_sheet, explanation_sheet, outline_colors

ATTENTION_COLUMNS = (
    *("frame", "class", "method", "stage", "mean", "std", "inside", "outside", "ratio", "ratio_null", "ratio_p"),
    *("undefined", "null_undefined"),
)

_DEFAULT_STYLE = OverlayStyle()
_DEFAULT_OVERLAY = "contour"


def write_frame(
    folder: Path,
    frame: NDArray[np.generic],
    explanations: Iterable[Explanation],
    style: OverlayStyle = _DEFAULT_STYLE,
    *,
    by_method: bool = False,
    by_class: bool = False,
    source: CineSource | None = None,
    number: int = 0,
    options: Mapping[str, Any] | None = None,
    correction: Correction | None = None,
    evidence_of: Callable[[Explanation], Evidence | None] = lambda _explanation: None,
    members: bool = False,
) -> list[Explanation]:
    """Write the explanations of one frame one by one, then the sheets that compare them.

    Each explanation is written to ``folder/METHOD/CLASS`` by ``write_explanation``. For several methods there is also a
    comparison sheet, ``folder/comparison.png``, or ``comparison_CLASS.png`` for each of several classes.

    Args:
        folder: of this frame; created if it is missing.
        frame: ``(Y, X)`` or ``(Y, X, 3)``.
        explanations: of this frame; may be an iterator.
        style: how they are drawn.
        by_method: use a folder for each method; needed for several methods.
        by_class: use a folder for each class; needed for several classes.
        source: of the frame.
        number: of the frame in its source.
        options: the user's options, in plain values.
        correction: of this frame, if a reader painted one.
        evidence_of: returns the evidence of an explanation, or None if it was not measured.
        members: of an ensemble, write what each member gives too.

    Returns:
        The explanations that were written.

    Raises:
        SegcamError: if the folder cannot be written to.
    """
    written: list[Explanation] = []
    for explanation in explanations:
        own_folder = folder
        if by_method:
            own_folder /= safe_name(explanation.method)
        if by_class:
            own_folder /= class_folder(explanation)
        write_explanation(
            own_folder,
            frame,
            explanation,
            style,
            source=source,
            number=number,
            options=options,
            correction=correction,
            evidence=evidence_of(explanation),
            members=members,
        )
        written.append(explanation)
    if by_method and written:
        picture = display(frame, source.value_range if source else None)
        for name, same_class in _by_class(written).items():
            path = folder / (f"comparison_{name}.png" if by_class else "comparison.png")
            write_png(
                path, comparison_sheet(picture, same_class, style, title=_title(source, number), correction=correction)
            )
    return written


def write_explanation(
    folder: Path,
    frame: NDArray[np.generic],
    explanation: Explanation,
    style: OverlayStyle = _DEFAULT_STYLE,
    *,
    source: CineSource | None = None,
    number: int = 0,
    options: Mapping[str, Any] | None = None,
    correction: Correction | None = None,
    evidence: Evidence | None = None,
    members: bool = False,
) -> None:
    """Write one frame's explanation into a folder.

    The files are:

    - ``frame.png``
    - ``mask.png``: labels, if the network gives a mask; for classes that overlap ``mask_CLASS.png`` for each, 1 where
      the class is
    - ``correction.png``: labels, if a reader painted a correction; else that of an earlier export in the same folder
      becomes ``earlier_correction.png``
    - ``sheet.png``: everything at a glance
    - ``STAGE.png``: heat over the frame, with the contour of the mask or correction that it explains; other kinds of
      overlay are ``STAGE_KIND.png``
    - ``STAGE.tif`` and ``heatmaps.npz``: raw float32 heat at the stage's own resolution
    - ``disagreement.tif``: of an ensemble, the standard deviation of the members' probabilities on the frame's grid
    - ``member_N_NAME/``: all this for each member of an ensemble, if that is asked for
    - ``explanation.json``, written last

    Args:
        folder: of the files; created if it is missing.
        frame: ``(Y, X)`` or ``(Y, X, 3)``.
        explanation: of that frame.
        style: how it is drawn.
        source: of the frame; its value range says what black and white are.
        number: of the frame in its source.
        options: the user's options, in plain values.
        correction: of this frame, if a reader painted one.
        evidence: of the heatmaps, if it was measured.
        members: of an ensemble, write what each member gives too.

    Raises:
        SegcamError: if the folder cannot be written to.
    """
    picture = display(frame, source.value_range if source else None)
    write_png(folder / "frame.png", picture)
    for name, labels in _masks(explanation):
        write_png(folder / name, labels)
    if correction is None:
        set_earlier_aside(folder, CORRECTION_FILE, ())
    else:
        write_png(folder / CORRECTION_FILE, correction.labels)
    mask, colors = explained_mask(explanation, correction), outline_colors(explanation, correction)
    for name, heatmap in explanation.heatmaps.items():
        stem = safe_name(name)
        for kind in style.overlays:
            suffix = "" if kind == _DEFAULT_OVERLAY else f"_{kind}"
            write_png(folder / f"{stem}{suffix}.png", overlay(kind, picture, heatmap, mask, style, colors=colors))
        facts = {"method": explanation.method, "class": class_name_of(explanation), "frame": number}
        write_tiff(folder / f"{stem}.tif", heatmap, source.spacing_mm if source else None, facts)
    if explanation.heatmaps:
        title = _title(source, number)
        sheet = explanation_sheet(picture, explanation, style, title=title, correction=correction)
        write_png(folder / "sheet.png", sheet)
        write_npz(folder / "heatmaps.npz", explanation)
    if explanation.disagreement is not None and explanation.no_mask is None:
        write_deviation(folder / "disagreement.tif", explanation, source.spacing_mm if source else None)
    for member, name in zip(explanation.members, member_folders(explanation), strict=True) if members else ():
        write_explanation(folder / name, frame, member, style, source=source, number=number, options=options)
    with whole_file(folder / "explanation.json") as path:
        record = explanation_record(explanation, style, source, number, options, correction, evidence)
        path.write_text(json.dumps(record, indent=2, allow_nan=False), encoding="utf-8")


def attention_rows(frame: int, explanation: Explanation, scan: Crop | None = None) -> list[dict[str, Any]]:
    """Return the attention figures of a frame, one row per stage, with the columns of ``ATTENTION_COLUMNS``.

    Args:
        frame: its number.
        explanation: of the frame.
        scan: rows and columns that show the scan, in which the null of the ratio places the region; None if unknown.
    """
    nulls = in_out(explanation, scan=scan)
    rows = []
    for stage, figures in attention(explanation).items():
        row: dict[str, Any] = {
            "frame": frame,
            "class": class_name_of(explanation),
            "method": explanation.method,
            "stage": stage,
            **figures.as_row(explanation.heatmaps[stage]),
            **nulls[stage].ratio_columns(),
        }
        if row["undefined"]:
            row["null_undefined"] = ""  # the reason is there already
        rows.append(finite_row({column: row[column] for column in ATTENTION_COLUMNS}))
    return rows


def write_attention(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write attention rows as CSV; undefined values are empty, with the reason in the last column."""
    write_table(path, ATTENTION_COLUMNS, rows)


def write_png(path: Path, picture: Picture) -> None:
    """Write a picture, or labels ``(Y, X)``, as PNG.

    Raises:
        SegcamError: if the file cannot be written.
    """
    with whole_file(path) as temporary:
        Image.fromarray(picture).save(temporary, format="PNG", compress_level=3)


def class_folder(explanation: Explanation) -> str:
    """Return the name of the explained class as a folder name, with its number if another class would have the same."""
    return _file_names(explanation.class_names)[explanation.target.class_index or 0]


def member_folders(explanation: Explanation) -> list[str]:
    """Return a folder name for each member of an ensemble, such as ``member_1_fold_0``."""
    names = [str(member["name"]) for member in explanation.provenance.get("members", ())]
    return [safe_name(f"member_{number}_{name}") for number, name in enumerate(names, start=1)]


def _file_names(class_names: Sequence[str]) -> list[str]:
    names = [safe_name(name) for name in class_names]
    counts = Counter(name.casefold() for name in names)
    return [name if counts[name.casefold()] == 1 else f"{name}_{index}" for index, name in enumerate(names)]


def _masks(explanation: Explanation) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Yield the file name and labels of each mask of a frame; nothing if the network gives no mask."""
    if explanation.no_mask is not None:
        return
    if not explanation.classes_overlap:
        yield "mask.png", explanation.mask
        return
    for name, mask in zip(_file_names(explanation.class_names), explanation.masks, strict=True):
        yield f"mask_{name}.png", mask.view(np.uint8)


def _by_class(explanations: Sequence[Explanation]) -> dict[str, list[Explanation]]:
    by_class: dict[str, list[Explanation]] = {}
    for explanation in explanations:
        by_class.setdefault(class_folder(explanation), []).append(explanation)
    return by_class


def _title(source: CineSource | None, number: int) -> str:
    return source.title(number) if source else ""
