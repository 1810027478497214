"""Stamps: what a copy says about its de-identification (PS3.15, section E.1.1, and CID 7050)."""

from __future__ import annotations

from pydicom import Dataset

from napari_segcam.version import __version__

_PROFILE = ("113100", "Basic Application Confidentiality Profile")
_CLEAN_PIXELS = ("113101", "Clean Pixel Data Option")
_CLEAN_STRUCTURED_CONTENT = ("113104", "Clean Structured Content Option")
_MODIFIED_DATES = ("113107", "Retain Longitudinal Temporal Information Modified Dates Option")


def stamp(header: Dataset, *, dates_shifted: bool, pixels_clean: bool, is_report: bool) -> None:
    """Add to a copy's header that the patient's identity was removed, and how.

    Args:
        header: of the copy.
        dates_shifted: whether dates were moved instead of removed.
        pixels_clean: whether pixels around the scan are blanked, and nothing was found in it.
        is_report: whether it is a structured report.
    """
    codes = [_PROFILE]
    if pixels_clean:
        codes.append(_CLEAN_PIXELS)
    if is_report:
        codes.append(_CLEAN_STRUCTURED_CONTENT)
    if dates_shifted:
        codes.append(_MODIFIED_DATES)
    header.PatientIdentityRemoved = "YES"
    header.DeidentificationMethod = f"napari-segcam {__version__}"
    header.DeidentificationMethodCodeSequence = [_code(*code) for code in codes]
    header.LongitudinalTemporalInformationModified = "MODIFIED" if dates_shifted else "REMOVED"


def _code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return item
