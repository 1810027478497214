"""The report of a run over many images: one HTML page and one PDF that say the same."""
