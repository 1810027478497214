"""Tests of the DICOM objects; a package, so that other tests can import its made sources and its validators."""
