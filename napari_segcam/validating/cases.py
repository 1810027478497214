"""Cases: which images of a run are of one patient or exam."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from napari_segcam.csv_list import read_list
from napari_segcam.errors import SegcamError
from napari_segcam.files import sha256_of
from napari_segcam.number_format import counted
from napari_segcam.reporting.report.finished_run import FinishedRun
from napari_segcam.validating.dicom_tags import DicomTags
from napari_segcam.validating.run_images import image_file, part_free

_ASSUMED = "Each file is taken as a case of its own: nothing says which belong together."

CasesSource = Path | str | Mapping[str, str]
"""A CSV list with the columns ``image`` and ``case``, or the case of each image by its name."""


@dataclass(frozen=True)
class Duplicate:
    """One image content in several cases: they are probably one patient.

    Attributes:
        cases: in which it is.
        images: that are identical, at least one of each case.
    """

    cases: tuple[str, ...]
    images: tuple[str, ...]


@dataclass(frozen=True)
class Cases:
    """The cases of a run.

    Attributes:
        of_image: the case of each image, in the order of the run; the images that failed come last.
        how: where the cases come from, as a sentence.
        assumed: whether some or all files were taken as cases of their own because nothing says more.
        without_case: images that the list or the pattern does not name. They are in no figure.
        without_image: images of the list that the run does not have.
        missing: cases of the list of which the run has no image.
        duplicates: identical images in several cases.
        unchecked: number of images whose content could not be compared, because it is neither recorded nor there.
    """

    of_image: Mapping[str, str]
    how: str
    assumed: bool = False
    without_case: tuple[str, ...] = ()
    without_image: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    duplicates: tuple[Duplicate, ...] = ()
    unchecked: int = 0

    @property
    def names(self) -> list[str]:
        """The cases in the order in which the run has them."""
        return list(dict.fromkeys(self.of_image.values()))


def find_cases(
    run: FinishedRun,
    source: CasesSource | None = None,
    pattern: str | None = None,
    tags: Mapping[str, DicomTags] | None = None,
) -> Cases:
    """Return which images of a run are one case.

    Without a list and without a pattern, DICOM images of one patient are a case, and any other file is a case of its
    own. All frames of a file are always of one case.

    Args:
        run: with its images.
        source: a CSV list with the columns ``image`` and ``case``, or the case of each image by its name. An image is
            named as in ``results.csv``, or by its file name alone where that is unique.
        pattern: instead, a regular expression with one group, which finds the case in the name of an image.
        tags: of the DICOM images, by name.

    Raises:
        SegcamError: if both are given, the list or the pattern is wrong, or no image has a case.
    """
    if source is not None and pattern is not None:
        raise SegcamError("Cases are given by a list or by a pattern: give --cases or --case-pattern, not both.")
    names = [*(image.name for image in run.images), *(failure.name for failure in run.failures)]
    if source is not None:
        found = _listed(names, source)
    elif pattern is not None:
        found = _by_pattern(names, pattern)
    else:
        found = _by_file(names, tags or {})
    if not found.of_image:
        raise SegcamError(
            "No image of the run has a case. "
            + (
                f"The list must name the images as results.csv does, such as {names[0]}."
                if source is not None
                else f"The pattern {pattern} is in no name, such as {names[0]}."
            )
        )
    return _with_duplicates(found, run)


def match_images(names: Sequence[str], wanted: Sequence[str]) -> dict[str, str]:
    """Return the image of the run that each wanted name is of: the same name, or the only one with this file name.

    Args:
        names: of the images of the run.
        wanted: names in a list; those that no image has are left out.
    """
    exact = {name.replace("\\", "/"): name for name in names}
    counts = Counter(PurePosixPath(name).name for name in exact)
    alone = {PurePosixPath(name).name: image for name, image in exact.items() if counts[PurePosixPath(name).name] == 1}
    listed = Counter(PurePosixPath(each.replace("\\", "/")).name for each in set(wanted))
    found = {}
    for each in wanted:
        name = each.replace("\\", "/")
        file = PurePosixPath(name).name
        if name in exact:
            found[each] = exact[name]
        elif file in alone and listed[file] == 1:
            found[each] = alone[file]
    return found


def _listed(names: Sequence[str], source: CasesSource) -> Cases:
    where = "The cases are those that the call gives."
    if isinstance(source, Mapping):
        given = {str(image): str(case) for image, case in source.items()}
    else:
        given = _read_cases(Path(source))
        where = f"The cases are those of the list {Path(source).name}."
    found = match_images(names, list(given))
    case_of = {image: given[name] for name, image in found.items()}
    present = set(case_of.values())
    return Cases(
        {name: case_of[name] for name in names if name in case_of},
        where,
        without_case=tuple(name for name in names if name not in case_of),
        without_image=tuple(name for name in given if name not in found),
        missing=tuple(dict.fromkeys(case for case in given.values() if case not in present)),
    )


def _read_cases(path: Path) -> dict[str, str]:
    table = read_list(path)
    for column in ("image", "case"):
        if column not in table:
            raise SegcamError(f"The list {path} has no column named {column} in its first line.")
    cases: dict[str, str] = {}
    for line, row in table.rows:
        image, case = row["image"], row["case"]
        if not image or not case:
            raise SegcamError(f"The list {path}, line {line}, names no {'case' if image else 'image'}.")
        if cases.setdefault(image, case) != case:
            raise SegcamError(f"The list {path}, line {line}, has {image} in two cases, {cases[image]} and {case}.")
    return cases


def _by_pattern(names: Sequence[str], pattern: str) -> Cases:
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise SegcamError(f"The pattern of cases, {pattern}, is no regular expression: {error}.") from error
    if expression.groups != 1:
        raise SegcamError(
            f"The pattern of cases, {pattern}, has {counted(expression.groups, 'group')}: put what names the case in "
            "one pair of brackets, as in (patient_[0-9]+)."
        )
    found = {name: match[1] for name in names if (match := expression.search(name)) and match[1]}
    return Cases(
        found,
        f"The case of an image is what {pattern} finds in its name.",
        without_case=tuple(name for name in names if name not in found),
    )


def _by_file(names: Sequence[str], tags: Mapping[str, DicomTags]) -> Cases:
    """Group DICOM images by patient, whose ID is not shown; every other file is a case."""
    patients = {tags[name].patient for name in names if name in tags} - {""}
    numbers = {
        patient: f"patient {number}"
        for number, patient in enumerate(
            dict.fromkeys(tags[name].patient for name in names if name in tags and tags[name].patient), start=1
        )
    }
    found = {
        name: numbers[tags[name].patient] if name in tags and tags[name].patient else part_free(name) for name in names
    }
    others = sum(name not in tags or not tags[name].patient for name in names)
    if not others:
        return Cases(found, "The cases are the patients in the DICOM headers of the images, numbered in their order.")
    if not patients:
        return Cases(found, _ASSUMED, assumed=True)
    files = counted(others, "file")
    return Cases(
        found,
        f"The cases are the patients in the DICOM headers of the images, numbered in their order; {files} without one "
        f"{'is taken as a case of its own' if others == 1 else 'are taken as cases of their own'}.",
        assumed=True,
    )


def _with_duplicates(found: Cases, run: FinishedRun) -> Cases:
    contents: dict[str, list[str]] = {}
    unchecked = 0
    for image in run.images:
        if image.name not in found.of_image:
            continue
        checksum = image.sha256 or _checksum(run, image.name)
        if checksum:
            contents.setdefault(checksum, []).append(image.name)
        else:
            unchecked += 1
    duplicates = []
    for images in contents.values():
        cases = tuple(dict.fromkeys(found.of_image[image] for image in images))
        if len(cases) > 1:
            duplicates.append(Duplicate(cases, tuple(images)))
    return Cases(
        found.of_image,
        found.how,
        found.assumed,
        found.without_case,
        found.without_image,
        found.missing,
        tuple(duplicates),
        unchecked,
    )


def _checksum(run: FinishedRun, name: str) -> str:
    """Return the checksum of an image that is still where the run read it; empty if it is not."""
    path = image_file(run, name)
    if path is None:
        return ""
    try:
        return sha256_of(path)
    except SegcamError:
        return ""
