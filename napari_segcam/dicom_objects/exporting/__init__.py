"""The parts of an export as DICOM objects: its options, and what is collected frame by frame until it is written."""
