"""The dialog of preferences: what it shows is used and kept after OK."""

from __future__ import annotations

from itertools import groupby

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialogButtonBox, QFormLayout, QLabel, QVBoxLayout, QWidget

from napari_segcam.errors import SegcamError
from napari_segcam.preferences.catalog import PREFERENCES
from napari_segcam.preferences.file import preferences_path
from napari_segcam.preferences.present import in_file
from napari_segcam.viewer.preferences.preferences_controller import PreferencesController
from napari_segcam.viewer.widgets.fitting.fitted_dialog import FittedDialog
from napari_segcam.viewer.widgets.fitting.vertical_scroll import VerticalScroll
from napari_segcam.viewer.widgets.preferences.preference_field import PreferenceField


class _Text:
    """Every text of the dialog."""

    TITLE = "SegCAM preferences"
    RESTORE = "Restore defaults"
    RESTORE_TIP = "Show the defaults. Nothing changes before OK."
    FILE = "Kept in {path}"


class PreferencesDialog(FittedDialog):
    """Shows all preferences; the user can keep working while it is open.

    Args:
        controller: applies and keeps them.
        parent: the window.
    """

    def __init__(self, controller: PreferencesController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._controller = controller
        self.setWindowTitle(_Text.TITLE)
        kept = in_file()
        self.fields = {one.name: PreferenceField(one, kept[one.name]) for one in PREFERENCES}
        self.hint = QLabel()
        self.hint.setWordWrap(True)
        self.hint.hide()
        buttons = QDialogButtonBox.StandardButton
        self.buttons = QDialogButtonBox(buttons.Ok | buttons.Cancel)
        self.restore = self.buttons.addButton(_Text.RESTORE, QDialogButtonBox.ButtonRole.ResetRole)
        self.restore.setToolTip(_Text.RESTORE_TIP)
        self.restore.setAutoDefault(False)
        self.buttons.accepted.connect(self._take)
        self.buttons.rejected.connect(self.reject)
        self.restore.clicked.connect(self._show_defaults)
        layout = QVBoxLayout(self)
        layout.addWidget(self._form())
        layout.addWidget(self.hint)
        layout.addWidget(self.buttons)
        self.resize(520, 560)

    def _form(self) -> VerticalScroll:
        content = QWidget()
        rows = QFormLayout(content)
        rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        rows.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        rows.setVerticalSpacing(6)
        for section, preferences in groupby(PREFERENCES, lambda preference: preference.section):
            rows.addRow(QLabel(f"<b>{section}</b>"))
            for preference in preferences:
                field = self.fields[preference.name]
                if isinstance(preference.default, bool):
                    rows.addRow(field)
                else:
                    rows.addRow(preference.title, field)
        file = QLabel(_Text.FILE.format(path=str(preferences_path()).replace("/", "/\u200b").replace("\\", "\\\u200b")))
        file.setWordWrap(True)  # at the separators of the path
        file.setMinimumWidth(1)
        file.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        rows.addRow(file)
        return VerticalScroll(content)

    def _show_defaults(self) -> None:
        for field in self.fields.values():
            field.show_value(field.preference.default)

    def _take(self) -> None:
        kept = in_file()
        entered = {name: field.value for name, field in self.fields.items()}
        try:
            self._controller.change({name: value for name, value in entered.items() if value != kept[name]})
        except SegcamError as fault:
            self.hint.setText(str(fault))
            self.hint.show()
            return
        self.accept()
