"""The parts of the PACS widget."""
