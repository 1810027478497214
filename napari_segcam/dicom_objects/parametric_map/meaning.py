"""Meaning of the values of a map: their quantity, range and window, and the part of the body."""

from __future__ import annotations

from pydicom import Dataset
from pydicom.valuerep import format_number_as_ds

from napari_segcam.dicom_objects.coded_entry import OWN_SCHEME, CodedEntry
from napari_segcam.dicom_objects.values import LONG_STRING, fitted

QUANTITY = CodedEntry("246205007", "SCT", "Quantity")
RELEVANCE = CodedEntry("RELEVANCE", OWN_SCHEME, "Relevance for the network's output")
METHOD = CodedEntry("METHOD", OWN_SCHEME, "Method of explanation")
STAGE = CodedEntry("STAGE", OWN_SCHEME, "Stage of the network")
EXPLAINED_CLASS = CodedEntry("CLASS", OWN_SCHEME, "Explained class")
BODY_STRUCTURE = CodedEntry("123037004", "SCT", "Body structure")
NO_UNITS = CodedEntry("1", "UCUM", "no units")


def real_world_values(low: float, high: float, method: str, stage: str, class_name: str) -> Dataset:
    """Return an item of the Real World Value Mapping Sequence: the stored values are the values.

    Args:
        low: smallest stored value of all frames.
        high: largest stored value of all frames.
        method: of explanation.
        stage: of the network.
        class_name: of the explained class.
    """
    mapping = Dataset()
    mapping.DoubleFloatRealWorldValueFirstValueMapped = low
    mapping.DoubleFloatRealWorldValueLastValueMapped = high
    mapping.RealWorldValueIntercept, mapping.RealWorldValueSlope = 0.0, 1.0
    mapping.LUTExplanation = fitted(f"Raw values of {method}, not scaled")
    mapping.LUTLabel = "RAW"
    mapping.MeasurementUnitsCodeSequence = [NO_UNITS.item()]
    mapping.QuantityDefinitionSequence = [
        _code_content(QUANTITY, RELEVANCE),
        _text_content(METHOD, method),
        _text_content(STAGE, stage),
        _text_content(EXPLAINED_CLASS, class_name),
    ]
    return mapping


def decimal(number: float) -> str:
    """Return a number as a decimal string, at most 16 characters."""
    return str(format_number_as_ds(float(number)))


def anatomy(header: Dataset) -> Dataset:
    """Return an item of the Frame Anatomy Sequence: the side that a header names, of some structure of the body."""
    item = Dataset()
    laterality = str(header.get("ImageLaterality") or header.get("Laterality") or "")
    item.FrameLaterality = laterality if laterality in ("R", "L", "B") else "U"
    item.AnatomicRegionSequence = [BODY_STRUCTURE.item()]
    return item


def window_of(low: float, high: float) -> Dataset:
    """Return an item of the Frame VOI LUT Sequence that shows the values from low to high."""
    window = Dataset()
    window.WindowCenter = decimal((low + high) / 2)
    window.WindowWidth = decimal(high - low if high > low else 1.0)
    window.VOILUTFunction = "LINEAR_EXACT"  # the others need a width of at least 1
    return window


def _code_content(name: CodedEntry, value: CodedEntry) -> Dataset:
    item = Dataset()
    item.ValueType = "CODE"
    item.ConceptNameCodeSequence, item.ConceptCodeSequence = [name.item()], [value.item()]
    return item


def _text_content(name: CodedEntry, text: str) -> Dataset:
    item = Dataset()
    item.ValueType = "TEXT"
    item.ConceptNameCodeSequence, item.TextValue = [name.item()], fitted(text, LONG_STRING)
    return item
