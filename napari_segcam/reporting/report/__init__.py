"""The report of a run over many images: one HTML page and one PDF with the same content."""
