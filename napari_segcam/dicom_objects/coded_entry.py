"""Coded entries: a concept as a code of a coding scheme with its meaning (PS3.3, section 8.8)."""

from __future__ import annotations

from dataclasses import dataclass

from pydicom import Dataset

OWN_SCHEME = "99SEGCAM"
"""Coding scheme of the concepts that no standard scheme has; the prefix 99 is for such schemes."""


@dataclass(frozen=True)
class CodedEntry:
    """A concept.

    Attributes:
        value: its code, at most 16 characters.
        scheme: coding scheme of the code, such as DCM or SCT.
        meaning: in words, at most 64 characters.
    """

    value: str
    scheme: str
    meaning: str

    def item(self) -> Dataset:
        """Return the entry as the item of a sequence."""
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = self.value, self.scheme, self.meaning[:64]
        return item


def own_coding_scheme() -> Dataset:
    """Return the item that says whose coding scheme ``OWN_SCHEME`` is, for objects that use it."""
    item = Dataset()
    item.CodingSchemeDesignator = OWN_SCHEME
    item.CodingSchemeName = "Concepts of napari-segcam"
    item.CodingSchemeResponsibleOrganization = "The napari-segcam developers"
    return item


SOURCE_IMAGE = CodedEntry("121322", "DCM", "Source image for image processing operation")
SEGMENTATION = CodedEntry("113076", "DCM", "Segmentation")
PROCESSING_EQUIPMENT = CodedEntry("109102", "DCM", "Processing Equipment")
ARTIFICIAL_INTELLIGENCE = CodedEntry("123109", "DCM", "Artificial Intelligence")
