"""The page of keys: those of the review, as the window lists them at F1, and those of single widgets."""

from __future__ import annotations

from markup import as_markdown, code, table

from napari_segcam.viewer.keys import key_rows

WIDGET_KEYS = {
    "viewer/calipers/caliper_mouse.py": (
        ("Return", "Enter", "Keep the line across that a caliper suggests"),
        ("Enter", "Enter", "Keep the line across that a caliper suggests"),
        ("Escape", "Esc", "Give up the measurement that is being drawn"),
    ),
    "viewer/click/mouse.py": (("Escape", "Esc", "Give up the box or lasso that is being drawn, or leave the place"),),
    "viewer/widgets/verdicts/note_field.py": (
        ("Return", "Ctrl+Enter", "In a note: keep it, and go back to the image"),
        ("Enter", "Ctrl+Enter", "In a note: keep it, and go back to the image"),
        ("Escape", "Esc", "In a note: go back to the image"),
    ),
    "viewer/widgets/measure/measurement_list.py": (
        ("Delete", "Delete", "In the list of measurements: delete the chosen one"),
        ("Backspace", "Backspace", "In the list of measurements: delete the chosen one"),
        ("F2", "F2", "In the list of measurements: rename the chosen one"),
    ),
    "viewer/docking/focus_ring.py": (
        ("Tab", "Tab", "Go to the next control of the docks; a ring shows where the keyboard is"),
        ("Backtab", "Shift+Tab", "Go back to the control before"),
    ),
    "viewer/first_steps/first_steps_widget.py": (
        ("Return", "Enter", "In the first steps: press the button that has the keyboard"),
        ("Enter", "Enter", "In the first steps: press the button that has the keyboard"),
        ("Escape", "Esc", "In the first steps: go back to the image"),
    ),
}
"""The keys that single widgets take themselves, by file: Qt's name, ours, and what it does."""

_INTRODUCTION = """\
# Keys

The keys work after a click on the image, wherever the mouse is then; they do nothing while you type in a field. `F1`
shows this list in the window. A key that another plugin or your own settings use already keeps that use, and a
message says so.
"""


def keys_page() -> str:
    """Return the page as Markdown."""
    rows = [(_keys(key), as_markdown(action)) for key, action in key_rows()]
    own = dict.fromkeys((code(key), action) for keys in WIDGET_KEYS.values() for _, key, action in keys)
    return "\n".join(
        [
            _INTRODUCTION,
            table(("key", "what it does"), rows),
            "## Keys of single widgets\n",
            table(("key", "what it does"), own),
        ]
    )


def _keys(text: str) -> str:
    """Return a key, or the first and the last of a range, as code."""
    return " … ".join(code(key) for key in text.split(" … "))
