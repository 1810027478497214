"""The dialog that asks for a PACS: its name, its address, and how to log in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QDialogButtonBox,
    QFileDialog,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_segcam.errors import SegcamError
from napari_segcam.viewer.widgets.fitting.fitted_dialog import FittedDialog
from napari_segcam.viewer.widgets.fitting.hinted_field import HintedField
from napari_segcam.viewer.widgets.fitting.words import Words
from napari_segcam.viewer.widgets.fitting.wrapping_buttons import WrappingCheckBox
from napari_segcam.viewer.widgets.layout import form, row

if TYPE_CHECKING:
    from napari_segcam.imaging.dicomweb.servers import Server


class _Text:
    """Every text of the dialog."""

    ADD = "Add a PACS"
    EDIT = "PACS {name}"
    NAME = "Name"
    NAME_HINT = "as you call it"
    ADDRESS = "Address"
    ADDRESS_HINT = "https://pacs.example.org/dicom-web"
    ADDRESS_TIP = "The address of the server's DICOMweb services; the administrator of the PACS knows it"
    USER = "User"
    PASSWORD = "Password"
    PASSWORD_TIP = "It goes to the keyring of your system, never to a file of this program"
    KEPT = "as it was"
    CA_FILE = "Certificate"
    CA_FILE_HINT = "only for a hospital's own authority"
    CA_FILE_TIP = "A file (PEM) with the certificate of the authority that signed the server's"
    BROWSE = "Browse …"
    HTTP = "Allow http:// to other computers: everything, passwords too, can be read on the way"
    UNSAFE = "This address begins with http://. Use https://, or allow http:// if you trust the whole network."
    REMOVE = "Remove"
    CERTIFICATES = "Certificates (*.pem *.crt *.cer);;All files (*)"


class ServerDialog(FittedDialog):
    """Asks for a server; ``entered`` gives it, its password or None, and the name of the entry that was edited.

    Args:
        server: to edit; None for a new one.
        parent: the window.
    """

    entered = Signal(object, object, object)
    removed = Signal(object)

    def __init__(self, server: Server | None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._server = server
        self.setWindowTitle(_Text.ADD if server is None else _Text.EDIT.format(name=server.name))
        self.setMinimumWidth(460)
        self.name, self.address, self.user, self.password, self.ca_file = (HintedField() for _ in range(5))
        self.name.setPlaceholderText(_Text.NAME_HINT)
        self.address.setPlaceholderText(_Text.ADDRESS_HINT)
        self.address.setToolTip(_Text.ADDRESS_TIP)
        self.password.setEchoMode(QLineEdit.EchoMode.Password)
        self.password.setToolTip(_Text.PASSWORD_TIP)
        self.ca_file.setPlaceholderText(_Text.CA_FILE_HINT)
        self.ca_file.setToolTip(_Text.CA_FILE_TIP)
        self.browse = QPushButton(_Text.BROWSE)
        self.allow_http = WrappingCheckBox(_Text.HTTP)
        self.hint = Words()
        buttons = QDialogButtonBox.StandardButton
        self.buttons = QDialogButtonBox(buttons.Save | buttons.Cancel)
        layout = QVBoxLayout(self)
        fields = form(
            (_Text.NAME, self.name),
            (_Text.ADDRESS, self.address),
            (_Text.USER, self.user),
            (_Text.PASSWORD, self.password),
            (_Text.CA_FILE, row(self.ca_file, self.browse)),
        )
        fields.setVerticalSpacing(8)
        layout.addLayout(fields)
        layout.addWidget(self.allow_http)
        layout.addWidget(self.hint)
        layout.addWidget(self.buttons)
        if server is not None:
            self._fill(server)
            remove = self.buttons.addButton(_Text.REMOVE, QDialogButtonBox.ButtonRole.DestructiveRole)
            remove.clicked.connect(self._remove)
        self.buttons.accepted.connect(self._save)
        self.buttons.rejected.connect(self.reject)
        self.browse.clicked.connect(self._browse)

    def server(self) -> Server:
        """Return the server as entered.

        Raises:
            SegcamError: if the name or the address cannot be used.
        """
        from napari_segcam.imaging.dicomweb.servers import Server

        ca_file = self.ca_file.text().strip()
        entered: dict[str, Any] = {
            "name": self.name.text().strip(),
            "url": self.address.text().strip(),
            "user": self.user.text().strip() or None,
            "ca_file": Path(ca_file).expanduser() if ca_file else None,
            "allow_http": True,
        }
        server = Server(**entered) if self._server is None else replace(self._server, **entered)
        if server.is_unsafe and not self.allow_http.isChecked():
            raise SegcamError(_Text.UNSAFE)
        return replace(server, allow_http=self.allow_http.isChecked())

    def say(self, words: str) -> None:
        """Say why it was not saved; the dialog stays open."""
        self.hint.setText(words)
        self.adjustSize()
        self.buttons.button(QDialogButtonBox.StandardButton.Save).setEnabled(True)

    def _fill(self, server: Server) -> None:
        self.name.setText(server.name)
        self.address.setText(server.url)
        self.user.setText(server.user or "")
        self.password.setPlaceholderText(_Text.KEPT)
        self.ca_file.setText("" if server.ca_file is None else str(server.ca_file))
        self.allow_http.setChecked(server.allow_http)

    def _save(self) -> None:
        try:
            server = self.server()
        except SegcamError as fault:
            self.say(str(fault))
            return
        self.hint.clear()
        self.buttons.button(QDialogButtonBox.StandardButton.Save).setEnabled(False)
        self.entered.emit(server, self.password.text() or None, None if self._server is None else self._server.name)

    def _remove(self) -> None:
        self.removed.emit(self._server)
        self.accept()

    def _browse(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, _Text.CA_FILE, self.ca_file.text(), _Text.CERTIFICATES)
        if path:
            self.ca_file.setText(path)
