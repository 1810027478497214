"""What written reports say, read by pydicom alone."""

from __future__ import annotations

from typing import Any

from pydicom import Dataset


def groups_of(report: Dataset) -> list[Dataset]:
    """Return the measurement groups of a report."""
    (measurements,) = [item for item in report.ContentSequence if item.ConceptNameCodeSequence[0].CodeValue == "126010"]
    return list(measurements.ContentSequence)


def values(group: Dataset, code: str) -> list[Any]:
    """Return the numbers and codes in a group with a code as their name."""
    found = [item for item in group.ContentSequence if item.ConceptNameCodeSequence[0].CodeValue == code]
    return [
        item.MeasuredValueSequence[0].FloatingPointValue
        if item.ValueType == "NUM"
        else item.ConceptCodeSequence[0].CodeValue
        for item in found
    ]
