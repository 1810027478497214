"""Configuring a server in the dock: checked, saved beside those of the command line, its password never in a file."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialogButtonBox, QLineEdit

from napari_segcam.imaging.dicomweb import passwords
from napari_segcam.imaging.dicomweb.servers import Server, add_server, servers
from napari_segcam.viewer.pacs.connecting import FOR_NOW
from napari_segcam.viewer.widgets.pacs.pacs_widget import PacsWidget
from napari_segcam.viewer.widgets.pacs.server_dialog import ServerDialog

LEFT = Qt.MouseButton.LeftButton
URL = "https://pacs.example.org/dicom-web"


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A keyring in memory."""
    kept: dict[str, str] = {}
    monkeypatch.setattr(passwords, "keep_password", lambda server, password: kept.update({server.name: password}))
    monkeypatch.setattr(passwords, "forget_password", lambda server: kept.pop(server.name, None))
    return kept


def ask(widget: PacsWidget, qtbot: QtBot, button: str) -> ServerDialog:
    qtbot.mouseClick(getattr(widget, button), LEFT)
    dialog = widget.dialog
    assert dialog is not None
    return dialog


def fill(dialog: ServerDialog, **texts: str) -> None:
    for name, text in texts.items():
        getattr(dialog, name).setText(text)


def save(dialog: ServerDialog, qtbot: QtBot) -> None:
    qtbot.mouseClick(dialog.buttons.button(QDialogButtonBox.StandardButton.Save), LEFT)


def test_a_server_is_added_with_its_password_in_the_keyring(
    widget: PacsWidget, qtbot: QtBot, keyring: dict[str, str], own_settings: Path
) -> None:
    dialog = ask(widget, qtbot, "add_first")
    assert dialog.password.echoMode() == QLineEdit.EchoMode.Password
    fill(dialog, name="Clinic", address=URL, user="anna", password="a secret")
    save(dialog, qtbot)
    qtbot.waitUntil(lambda: not dialog.isVisible())
    assert servers() == (Server("Clinic", URL, user="anna"),)
    assert keyring == {"Clinic": "a secret"}
    assert not any("a secret" in file.read_text() for file in own_settings.rglob("*") if file.is_file())
    assert widget.form.isVisible()
    assert widget.server.currentText() == "Clinic"


def test_without_a_keyring_the_password_is_kept_until_the_end_and_that_is_said(
    widget: PacsWidget, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, own_settings: Path
) -> None:
    def refuse(*_: object) -> None:
        raise passwords.NoKeyringError("there is none")

    monkeypatch.setattr(passwords, "_keyring", refuse)
    dialog = ask(widget, qtbot, "add_first")
    fill(dialog, name="Clinic", address=URL, user="anna", password="a secret")
    save(dialog, qtbot)
    qtbot.waitUntil(lambda: widget.message.text() == FOR_NOW)
    (server,) = servers()
    assert passwords.has_password(server)
    assert not any("a secret" in file.read_text() for file in own_settings.rglob("*") if file.is_file())
    dialog = ask(widget, qtbot, "edit")
    (remove,) = [button for button in dialog.buttons.buttons() if button.text() == "Remove"]
    qtbot.mouseClick(remove, LEFT)
    qtbot.waitUntil(lambda: servers() == ())
    assert not passwords.has_password(server)


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        ({"name": "Clinic", "address": "pacs.example.org"}, "no URL"),
        ({"name": "Clinic", "address": "https://anna:secret@pacs.example.org"}, "user or password"),
        ({"name": "Clinic", "address": "http://pacs.example.org/dicom-web"}, "begins with http://"),
        ({"name": "", "address": URL}, "cannot be named"),
    ],
)
def test_what_cannot_be_a_server_is_refused_in_the_dialog(
    widget: PacsWidget, qtbot: QtBot, texts: dict[str, str], reason: str
) -> None:
    dialog = ask(widget, qtbot, "add_first")
    fill(dialog, **texts)
    save(dialog, qtbot)
    assert reason in dialog.hint.text()
    assert dialog.isVisible()
    assert servers() == ()
    dialog.reject()


def test_http_to_another_computer_must_be_allowed(widget: PacsWidget, qtbot: QtBot) -> None:
    dialog = ask(widget, qtbot, "add_first")
    fill(dialog, name="Clinic", address="http://pacs.example.org/dicom-web")
    dialog.allow_http.setChecked(True)
    save(dialog, qtbot)
    qtbot.waitUntil(lambda: bool(servers()))
    assert servers()[0].allow_http


def test_a_server_is_edited_and_renamed_and_keeps_what_the_dialog_does_not_show(
    widget: PacsWidget, qtbot: QtBot, keyring: dict[str, str]
) -> None:
    add_server(Server("Clinic", URL, timeout_s=7, qido="q"))
    widget.controller.servers.read()
    qtbot.waitUntil(lambda: widget.edit.isVisible())
    dialog = ask(widget, qtbot, "edit")
    assert dialog.address.text() == URL
    fill(dialog, name="Ward", user="ben")
    save(dialog, qtbot)
    qtbot.waitUntil(lambda: not dialog.isVisible())
    assert servers() == (Server("Ward", URL, user="ben", timeout_s=7, qido="q"),)
    assert keyring == {}


def test_a_server_is_removed_with_its_password(widget: PacsWidget, qtbot: QtBot, keyring: dict[str, str]) -> None:
    keyring["Clinic"] = "a secret"
    add_server(Server("Clinic", URL, user="anna"))
    widget.controller.servers.read()
    qtbot.waitUntil(lambda: widget.edit.isVisible())
    dialog = ask(widget, qtbot, "edit")
    (remove,) = [button for button in dialog.buttons.buttons() if button.text() == "Remove"]
    qtbot.mouseClick(remove, LEFT)
    qtbot.waitUntil(lambda: widget.add_first.isVisible())
    assert servers() == ()
    assert keyring == {}


def test_a_broken_file_of_settings_is_said_and_the_window_stays(
    widget: PacsWidget, qtbot: QtBot, own_settings: Path
) -> None:
    own_settings.mkdir(exist_ok=True)
    (own_settings / "pacs.yaml").write_text("servers: [")
    widget.controller.servers.read()
    qtbot.waitUntil(lambda: "is not YAML" in widget.message.text())
    assert widget.add_first.isVisible()
