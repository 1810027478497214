"""The PACS in the window: searching, opening a cine frame by frame, and sending results."""
