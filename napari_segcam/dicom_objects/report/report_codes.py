"""Codes that a structured report uses beside those of its templates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_segcam.dicom_objects.coded_entry import OWN_SCHEME, CodedEntry

if TYPE_CHECKING:  # it comes with an extra
    from highdicom.sr import CodedConcept

ULTRASOUND = CodedEntry("US", "DCM", "Ultrasound")
COMMENT = CodedEntry("121106", "DCM", "Comment")

AREA = CodedEntry("42798000", "SCT", "Area")
LONG_AXIS = CodedEntry("103339001", "SCT", "Long axis")
SHORT_AXIS = CodedEntry("103340004", "SCT", "Short axis")
MEAN = CodedEntry("373098007", "SCT", "Mean")
ABSENT = CodedEntry("272519000", "SCT", "Absent")

MILLIMETER = CodedEntry("mm", "UCUM", "mm")
SQUARE_MILLIMETER = CodedEntry("mm2", "UCUM", "square millimeter")
PIXELS = CodedEntry("{pixels}", "UCUM", "pixels")
SQUARE_PIXELS = CodedEntry("{square_pixels}", "UCUM", "square pixels")
NO_UNITS = CodedEntry("1", "UCUM", "no units")

# Concepts that no standard scheme has.
MEAN_PROBABILITY = CodedEntry("mean_probability", OWN_SCHEME, "Probability of the class")
MASK_ORIGIN = CodedEntry("mask_origin", OWN_SCHEME, "Origin of the mask")
ORIGINS = {
    "network": CodedEntry("by_network", OWN_SCHEME, "Made by the network"),
    "edited": CodedEntry("edited", OWN_SCHEME, "Made by the network, edited by a reader"),
    "reader": CodedEntry("drawn", OWN_SCHEME, "Drawn by a reader"),
}
FINDING_PRESENCE = CodedEntry("finding", OWN_SCHEME, "Finding in these frames")
VERDICT_ON_FINDING = CodedEntry("verdict_finding", OWN_SCHEME, "Reader's verdict on the finding")
VERDICT_ON_MASK = CodedEntry("verdict_mask", OWN_SCHEME, "Reader's verdict on the mask of the frame")
REJECTION_REASON = CodedEntry("reject_reason", OWN_SCHEME, "Reason of the rejection")
VERDICTS = {
    "accept": CodedEntry("accept", OWN_SCHEME, "Accepted"),
    "correct": CodedEntry("correct", OWN_SCHEME, "To be corrected"),
    "reject": CodedEntry("reject", OWN_SCHEME, "Rejected"),
}


def concept(entry: CodedEntry) -> CodedConcept:
    """Return a coded entry as highdicom takes it."""
    from highdicom.sr import CodedConcept

    return CodedConcept(entry.value, entry.scheme, entry.meaning)
