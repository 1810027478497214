"""The parts of the Cases dock: the table of cases, the bar below it, and the dialog of a new project."""
