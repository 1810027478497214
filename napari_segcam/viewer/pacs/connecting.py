"""The servers that the user has configured, and the connection to the chosen one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias

from qtpy.QtCore import QObject, Signal

from napari_segcam.viewer.pacs.threads import Lane
from napari_segcam.viewer.worker.worker import Job

if TYPE_CHECKING:
    from napari_segcam.imaging.dicomweb.client import PacsClient
    from napari_segcam.imaging.dicomweb.servers import Server

FOR_NOW = "Your system has no keyring that can be used: the password is kept in memory until napari closes."

Connect: TypeAlias = "Callable[[Callable[[], bool]], PacsClient]"
"""Returns a client, for a function that returns whether to stop."""


def connect_to(server: Server) -> Connect:
    """Return what connects to a server; nothing is sent yet."""

    def connect(cancelled: Callable[[], bool]) -> PacsClient:
        from napari_segcam.imaging.dicomweb.client import PacsClient

        return PacsClient(server, cancelled=cancelled)

    return connect


class Servers(QObject):
    """The configured servers, shared with the command line; the disk and the keyring are asked in a thread.

    Attributes:
        known: all of them.
        chosen: the one that is used; None while none is configured.
        is_read: whether the list was read.
    """

    changed = Signal()
    failed = Signal(str)
    said = Signal(str)
    saved = Signal()

    def __init__(self, lane: Lane, parent: QObject) -> None:
        super().__init__(parent)
        self.known: tuple[Server, ...] = ()
        self.chosen: Server | None = None
        self.is_read = False
        self._lane = lane

    def read(self) -> None:
        """Read the list."""
        self._do("Reading the list of servers", lambda: "")

    def choose(self, name: str) -> None:
        """Use the server of this name."""
        self.chosen = next((server for server in self.known if server.name == name), self.chosen)
        self.changed.emit()

    def save(self, server: Server, password: str | None, replaces: str | None = None) -> None:
        """Keep a server in the list, and its password in the system's keyring; ``saved`` once that is done.

        Args:
            server: as it was entered.
            password: None to leave the kept one as it is.
            replaces: name of the entry that was edited.
        """

        def act() -> str:
            from napari_segcam.imaging.dicomweb import passwords
            from napari_segcam.imaging.dicomweb.servers import add_server, remove_server

            words = ""
            if password:
                try:
                    passwords.keep_password(server, password)
                except passwords.NoKeyringError:
                    passwords.keep_for_now(server, password)
                    words = FOR_NOW
            add_server(server)
            if replaces not in (None, server.name):
                remove_server(str(replaces))
            return words

        self._do(f"Saving {server.name}", act, server.name, self.saved.emit)

    def remove(self, server: Server) -> None:
        """Take a server and its password out."""

        def act() -> str:
            from napari_segcam.imaging.dicomweb import passwords
            from napari_segcam.imaging.dicomweb.servers import remove_server

            with suppress(passwords.NoKeyringError):  # then it is in none
                passwords.forget_password(server)
            remove_server(server.name)
            return ""

        self._do(f"Removing {server.name}", act)

    def _do(self, title: str, act: Callable[[], str], choose: str = "", then: Callable[[], Any] = lambda: None) -> None:
        def work() -> Iterator[tuple[tuple[Server, ...], str]]:
            from napari_segcam.imaging.dicomweb.servers import servers

            words = act()
            yield servers(), words

        def take(result: tuple[tuple[Server, ...], str]) -> None:
            known, words = result
            name = choose or (self.chosen.name if self.chosen is not None else "")
            self.known, self.is_read = known, True
            self.chosen = next((server for server in known if server.name == name), known[0] if known else None)
            self.changed.emit()
            if words:
                self.said.emit(words)
            then()

        def end(error: str | None) -> None:
            if error is not None:
                self.is_read = True
                self.failed.emit(error)
                self.changed.emit()

        job = Job("pacs", title, work, on_result=take, on_done=end)
        self._lane.start(job)
