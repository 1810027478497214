"""Attributes: what the cases of a run are grouped by, and the groups of each."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np

from napari_segcam.csv_list import read_list
from napari_segcam.errors import SegcamError
from napari_segcam.reporting.evidence_summary.shares import number
from napari_segcam.validating.cases import Cases, match_images
from napari_segcam.validating.dicom_tags import DicomTags
from napari_segcam.validating.figures import Frame

Attributes = Path | str | Sequence[Mapping[str, object]]
"""A CSV list with a column ``case`` or ``image`` and one for each attribute, or its rows."""

FINDING_SIZE = "finding size"
NOT_STATED, NO_FINDING = "not stated", "no finding in the truth"
_MOST_VALUES = 6
"""Numbers with more different values than this are cut into thirds."""


@dataclass(frozen=True)
class Grouping:
    """An attribute with its groups.

    Attributes:
        attribute: its name.
        groups: their names, in order.
        group_of: the group of each image in each class, by both names.
        how: how numbers were cut into groups; empty if they were not.
    """

    attribute: str
    groups: Sequence[str]
    group_of: Mapping[tuple[str, str], str]
    how: str = ""


@dataclass(frozen=True)
class ListedAttributes:
    """The attributes of a list.

    Attributes:
        values: by attribute, then by image; empty cells are left out.
        unmatched: names of the list that are no case or image of the run.
    """

    values: Mapping[str, Mapping[str, str]]
    unmatched: tuple[str, ...] = ()


def read_attributes(source: Attributes, cases: Cases) -> ListedAttributes:
    """Return the attributes of a list by image.

    Raises:
        SegcamError: if the list cannot be read, has no column ``case`` or ``image`` and no attribute, names an
            attribute twice, or says two things of one case or image.
    """
    columns, rows, where = _rows(source)
    key = "image" if "image" in columns else "case"
    if key not in columns:
        raise SegcamError(f"{where} has no column named case or image.")
    names = [name for name in columns if name not in ("case", "image")]
    if not names:
        raise SegcamError(f"{where} has no attribute beside case and image.")
    wanted = [row.get(key, "") for _, row in rows]
    images = list(cases.of_image)
    matched: dict[str, list[str]]
    if key == "image":
        matched = {name: [image] for name, image in match_images(images, wanted).items()}
    else:
        matched = {}
        for image, case in cases.of_image.items():
            matched.setdefault(case, []).append(image)
    values: dict[str, dict[str, str]] = {name: {} for name in names}
    for line, row in rows:
        if not row.get(key):
            raise SegcamError(f"{where}, line {line}, names no {key}.")
        for image in matched.get(row[key], ()):
            for name in names:
                text = row.get(name, "")
                if text and values[name].setdefault(image, text) != text:
                    raise SegcamError(
                        f"{where}, line {line}, has {text} as {name} of {row[key]}, and {values[name][image]} before."
                    )
    return ListedAttributes(values, tuple(dict.fromkeys(name for name in wanted if name not in matched)))


def groupings(
    frames: Mapping[str, Sequence[Frame]],
    listed: Mapping[str, Mapping[str, str]],
    tags: Mapping[str, DicomTags],
    bounds: Mapping[str, Sequence[float]],
) -> list[Grouping]:
    """Return the attributes by which the cases fall into two groups or more.

    Args:
        frames: by class.
        listed: the attributes of a list, by name and image.
        tags: of DICOM images; an attribute of the list takes the place of one of the same name.
        bounds: where to cut the numbers of an attribute; without, they are cut into thirds of the cases.

    Raises:
        SegcamError: if bounds are given for an attribute that is not there, or that has no numbers.
    """
    case_of = {frame.image: frame.case for each in frames.values() for frame in each}
    values: dict[str, Mapping[str, str]] = {}
    for name in dict.fromkeys(name for each in tags.values() for name in each.attributes):
        values[name] = {image: each.attributes[name] for image, each in tags.items() if name in each.attributes}
    values |= listed
    unknown = sorted(set(bounds) - {*values, FINDING_SIZE})
    if unknown:
        raise SegcamError(f"There is no attribute {unknown[0]} to cut into groups: there are {_listed(values)}.")
    found = [_grouping(name, each, case_of, frames, bounds.get(name)) for name, each in values.items()]
    found += [_by_size(frames, bounds.get(FINDING_SIZE))]
    return [grouping for grouping in found if len(grouping.groups) > 1]


def _rows(source: Attributes) -> tuple[list[str], list[tuple[int, dict[str, str]]], str]:
    """Return the columns, the rows with their lines, and what to call the list in a message."""
    if not isinstance(source, Path | str):
        given = [{str(name).strip().lower(): str(value).strip() for name, value in row.items()} for row in source]
        return list(dict.fromkeys(name for row in given for name in row)), list(enumerate(given, 1)), "The subgroups"
    table = read_list(Path(source))
    columns = [name.lower() for name in table.columns if name]
    where = f"The list {source}"
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise SegcamError(f"{where} has the column {twice[0]} twice.")
    return columns, [(line, dict(row)) for line, row in table.rows], where


def _grouping(
    attribute: str,
    values: Mapping[str, str],
    case_of: Mapping[str, str],
    frames: Mapping[str, Sequence[Frame]],
    bounds: Sequence[float] | None,
) -> Grouping:
    """Return the groups of an attribute, whose values are texts."""
    present = {image: values[image] for image in case_of if image in values}
    numbers = {image: value for image, text in present.items() if (value := _number(text)) is not None}
    if bounds is not None and len(numbers) < len(present):
        word = next(text for image, text in present.items() if image not in numbers)
        raise SegcamError(f"{attribute} cannot be cut into groups of numbers: {word!r} is no number.")
    how = ""
    if bounds is not None or (len(numbers) == len(present) and len(set(numbers.values())) > _MOST_VALUES):
        of_cases = {(case_of[image], value): value for image, value in numbers.items()}
        labels, edges, how = _cut(list(of_cases.values()), bounds)
        groups = {image: labels[_place(value, edges)] for image, value in numbers.items()}
        order = labels
    else:
        groups, order = present, sorted(set(present.values()), key=_sort_key)
    group_of = {
        (image, name): groups.get(image, NOT_STATED) for name, each in frames.items() for image in _images(each)
    }
    return Grouping(attribute, _present([*order, NOT_STATED], group_of), group_of, how)


def _by_size(frames: Mapping[str, Sequence[Frame]], bounds: Sequence[float] | None) -> Grouping:
    """Return the cases of each class by the true area of the class, in mm² if all of them are calibrated."""
    column = "truth_area_mm2" if _all_calibrated(frames) else "truth_pixels"
    unit = "mm²" if column == "truth_area_mm2" else "pixels"
    group_of: dict[tuple[str, str], str] = {}
    order: list[str] = []
    how = ""
    for name, each in frames.items():
        areas: dict[str, list[float]] = {}
        for frame in each:
            area = number(frame.row, column)
            if area is not None:
                areas.setdefault(frame.case, []).append(area)
        sizes = {case: median(found) for case, values in areas.items() if (found := [area for area in values if area])}
        labels, edges, how = _cut(list(sizes.values()), bounds, f" {unit}") if sizes else ([], [], how)
        order += labels
        for frame in each:
            known = NO_FINDING if frame.case in areas else NOT_STATED
            size = sizes.get(frame.case)
            group_of[frame.image, name] = known if size is None else labels[_place(size, edges)]
    return Grouping(FINDING_SIZE, _present([*order, NO_FINDING, NOT_STATED], group_of), group_of, how)


def _all_calibrated(frames: Mapping[str, Sequence[Frame]]) -> bool:
    rows = [frame.row for each in frames.values() for frame in each]
    found = [row for row in rows if number(row, "truth_pixels")]
    return all(number(row, "truth_area_mm2") is not None for row in found)


def _cut(values: Sequence[float], bounds: Sequence[float] | None, unit: str = "") -> tuple[list[str], list[float], str]:
    """Return the names of the groups, their edges, and how they were cut."""
    if bounds is None:
        thirds = np.quantile(values, (1 / 3, 2 / 3))
        edges = sorted({float(f"{edge:.3g}") for edge in thirds})  # as they are shown
        how = "cut into thirds of the cases"
    else:
        edges = sorted({float(edge) for edge in bounds})
        how = "cut at the given bounds"
    shown = [f"{edge:g}" for edge in edges]
    labels = [
        f"below {shown[0]}{unit}",
        *(f"{low} to below {high}{unit}" for low, high in pairwise(shown)),
        f"{shown[-1]}{unit} and more",
    ]
    return labels, edges, how


def _place(value: float, edges: Sequence[float]) -> int:
    return sum(value >= edge for edge in edges)


def _present(order: Iterable[str], group_of: Mapping[tuple[str, str], str]) -> list[str]:
    present = set(group_of.values())
    return [name for name in dict.fromkeys(order) if name in present]


def _images(frames: Iterable[Frame]) -> Iterable[str]:
    return dict.fromkeys(frame.image for frame in frames)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _sort_key(text: str) -> tuple[bool, float, str]:
    value = _number(text)
    return value is None, value or 0.0, text.casefold()


def _listed(names: Iterable[str]) -> str:
    return ", ".join([*names, FINDING_SIZE])
