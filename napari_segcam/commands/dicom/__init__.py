"""What commands do with DICOM objects."""
