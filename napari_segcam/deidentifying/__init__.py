"""De-identified copies: of DICOM files, stills and videos, by the rules of DICOM PS3.15."""
