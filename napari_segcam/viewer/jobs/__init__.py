"""Work besides frames: loading a network, saving a card, exporting, running over a folder."""
