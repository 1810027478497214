"""The preferences: each with its name, its words, its default and its limits."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Any

from napari_segcam.errors import SegcamError
from napari_segcam.heat_colormaps import OTHER_COLORMAPS, UNIFORM_COLORMAPS

HEAT_COLORMAPS = (*UNIFORM_COLORMAPS, *OTHER_COLORMAPS)
"""The colors that the heatmaps of the window can have, the default one first."""

VARIABLE = "NAPARI_SEGCAM_{name}"
"""The environment variable of a preference, with its name in capitals."""

LOG_LEVELS = ("off", "error", "warning", "info", "debug")
"""How much is logged, from nothing to everything."""

_TRUE, _FALSE = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")

Value = bool | int | float | str


@dataclass(frozen=True)
class Preference:
    """What is known of a preference besides its value.

    Attributes:
        name: in the file and in Python.
        section: of the dialog.
        title: what the dialog calls it.
        help: what it does, in a sentence or two.
        default: its value if nothing else is said; its type is that of all its values.
        choices: the values that it can have; empty for any of its type.
        minimum: the lowest value of a number.
        maximum: the highest.
        step: between two values of a number in the dialog.
        next_window: whether it acts only when napari is started again.
    """

    name: str
    section: str
    title: str
    help: str
    default: Value
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    step: float = 1
    next_window: bool = False

    @property
    def variable(self) -> str:
        """The environment variable that overrules the file."""
        return VARIABLE.format(name=self.name.upper())

    def checked(self, value: object) -> Value:
        """Return a value of the file or the dialog in this preference's type.

        Raises:
            SegcamError: if it cannot have this value.
        """
        wanted = type(self.default)
        if wanted is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if type(value) is not wanted:
            raise self._refused(value)
        assert isinstance(value, bool | int | float | str)
        if self.choices and value not in self.choices:
            raise self._refused(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            low = -math.inf if self.minimum is None else self.minimum
            high = math.inf if self.maximum is None else self.maximum
            if not (math.isfinite(value) and low <= value <= high):
                raise self._refused(value)
        return value

    def of_text(self, text: str) -> Value:
        """Return the value that a text means, such as that of an environment variable.

        Raises:
            SegcamError: if it means none.
        """
        text = text.strip()
        if isinstance(self.default, bool):
            if text.lower() not in (*_TRUE, *_FALSE):
                raise self._refused(text)
            return text.lower() in _TRUE
        if isinstance(self.default, str):
            return self.checked(text.lower())
        try:
            return self.checked(type(self.default)(text))
        except (ValueError, OverflowError):
            raise self._refused(text) from None

    def _refused(self, value: object) -> SegcamError:
        return SegcamError(f"{self.name} cannot be {value!r}: {self.allowed}.")

    @property
    def allowed(self) -> str:
        """The values that it can have, in words."""
        if self.choices:
            return f"choose from {', '.join(self.choices)}"
        if isinstance(self.default, bool):
            return "choose from true, false"
        kind = "a whole number" if isinstance(self.default, int) else "a number"
        return f"give {kind} from {self.minimum:g} to {self.maximum:g}"


def _preference(section: str, title: str, words: str, default: Value, **limits: Any) -> Any:
    return field(default=default, metadata={"section": section, "title": title, "words": words, "limits": limits})


COMPUTING, HEAT, WINDOW = "Computing", "Heatmaps", "Window"
"""The sections of the dialog."""


@dataclass(frozen=True)
class Preferences:
    """The values of all preferences."""

    device: str = _preference(
        COMPUTING,
        "Device",
        "Where networks run if Auto is chosen in the window, or --device is left out. Auto is the fastest there is.",
        "auto",
        choices=("auto", "cuda", "mps", "cpu"),
    )
    memory_gb: float = _preference(
        COMPUTING,
        "Memory budget (GB)",
        "An image whose feature maps would take more memory runs in tiles, which can change its mask a little.",
        6.0,
        minimum=0.5,
        maximum=1024,
        step=0.5,
    )
    threads: int = _preference(
        COMPUTING,
        "Threads",
        "How many threads networks use on the processor. 0 leaves the choice to PyTorch.",
        0,
        minimum=0,
        maximum=1024,
    )
    colormap: str = _preference(
        HEAT,
        "Colors",
        "Colors of the heatmaps. A review project keeps its own.",
        HEAT_COLORMAPS[0],
        choices=HEAT_COLORMAPS,
    )
    opacity: float = _preference(
        HEAT,
        "Opacity",
        "Opacity of the heatmaps. A review project keeps its own.",
        0.6,
        minimum=0,
        maximum=1,
        step=0.05,
    )
    heat_threshold: float = _preference(
        HEAT,
        "Heat threshold",
        "Heat below this share of the color scale is hidden. A review project keeps its own.",
        0.0,
        minimum=0,
        maximum=0.95,
        step=0.05,
    )
    show_first_steps: bool = _preference(
        WINDOW, "Show the first steps", "Say in the window what comes next, until all is there.", True
    )
    plain_napari: bool = _preference(
        WINDOW,
        "Switch off changes to napari's internals",
        "Leave the methods of napari and vispy as they are. The window is slower then.",
        False,
        next_window=True,
    )
    log: str = _preference(
        WINDOW,
        "Log",
        "How much goes into the log file, which never holds names of files or patients.",
        "info",
        choices=LOG_LEVELS,
    )


def _made(name: str, default: Value, section: str, title: str, words: str, limits: dict[str, Any]) -> Preference:
    return Preference(name, section, title, words, default, **limits)


PREFERENCES: tuple[Preference, ...] = tuple(
    _made(entry.name, entry.default, **entry.metadata)  # type: ignore[arg-type]
    for entry in fields(Preferences)
)
"""All preferences, in the order of the dialog."""

BY_NAME: dict[str, Preference] = {preference.name: preference for preference in PREFERENCES}
"""All preferences by their names."""
