"""One preference in the dialog: its field, what it does, and whether the environment overrules it."""

from __future__ import annotations

from typing import Any

from magicgui.widgets import create_widget
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_segcam.preferences.catalog import Preference, Value
from napari_segcam.preferences.present import of_environment, origin


class _Text:
    """Every text of a field."""

    OVERRULED = "Set by {variable} in the environment."
    NEXT_WINDOW = "It acts when napari is started again."


class PreferenceField(QWidget):
    """The field of a preference, made by magicgui, with its explanation below.

    Args:
        preference: to show.
        value: of the file, which is shown unless the environment overrules it.
    """

    def __init__(self, preference: Preference, value: Value) -> None:
        super().__init__()
        self.preference = preference
        self.is_overruled = origin(preference.name) == "environment"
        self._kept = value
        self._field: Any = create_widget(
            of_environment(preference.name) if self.is_overruled else value,
            annotation=type(preference.default),
            options=_options(preference),
        )
        self.native: QWidget = self._field.native
        self.native.setEnabled(not self.is_overruled)
        self.native.setToolTip(preference.help)
        self.native.setAccessibleName(preference.title)
        words = [preference.help]
        if self.is_overruled:
            words.append(_Text.OVERRULED.format(variable=preference.variable))
        if preference.next_window:
            words.append(_Text.NEXT_WINDOW)
        self.explanation = QLabel(" ".join(words))
        self.explanation.setWordWrap(True)
        self.explanation.setMinimumWidth(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 4)
        layout.setSpacing(2)
        layout.addWidget(self.native)
        layout.addWidget(self.explanation)

    @property
    def value(self) -> Value:
        """The value for the file."""
        if self.is_overruled:
            return self._kept
        value = self._field.value
        return type(self.preference.default)(round(value, 6) if isinstance(value, float) else value)

    def show_value(self, value: Value) -> None:
        """Show a value, unless the environment overrules it."""
        if self.is_overruled:
            self._kept = value
        else:
            self._field.value = value


def _options(preference: Preference) -> dict[str, Any]:
    if preference.choices:
        return {"choices": list(preference.choices)}
    if isinstance(preference.default, bool):
        return {"text": preference.title}
    return {"min": preference.minimum, "max": preference.maximum, "step": preference.step}
