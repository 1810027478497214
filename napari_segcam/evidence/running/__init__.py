"""How the measures of a frame are run: with which explainer, what replaces a stage, how far they are, and why not."""
