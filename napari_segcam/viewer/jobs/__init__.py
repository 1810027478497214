"""Jobs of the worker besides frames: loading a network, saving a card, exporting, explaining a folder."""
