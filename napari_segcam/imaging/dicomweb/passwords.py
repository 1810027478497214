"""Passwords and tokens: from the environment or the system's keyring, never in a file, a log or a message."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from napari_segcam.errors import SegcamError, error_text
from napari_segcam.optional import needed
from napari_segcam.remedies import remedy

if TYPE_CHECKING:
    from napari_segcam.imaging.dicomweb.servers import Server

_SERVICE = "napari-segcam PACS"


class NoKeyringError(SegcamError):
    """The system has no keyring, or it is locked."""


class Secret:
    """A password or token, which cannot be printed by mistake."""

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"


_for_now: dict[str, Secret] = {}  # of this process alone, by account


def variable_of(server: Server) -> str:
    """Return the name of the environment variable that may hold a server's password, or its token if it has no user."""
    kind = "PASSWORD" if server.user else "TOKEN"
    if server.source != "settings":
        return f"NAPARI_SEGCAM_PACS_{kind}"
    return f"NAPARI_SEGCAM_PACS_{kind}_{re.sub(r'[^A-Z0-9]', '_', server.name.upper())}"


def keep_password(server: Server, password: str) -> None:
    """Keep a server's password, or its token if it has no user, in the system's keyring.

    Raises:
        NoKeyringError: if there is no keyring.
        SegcamError: if the password cannot be one.
    """
    if not password or not password.isprintable():
        raise SegcamError("A password cannot be empty or hold characters that cannot be printed.")
    _keyring(server, lambda keyring: keyring.set_password(_SERVICE, _account(server), password))


def keep_for_now(server: Server, password: str) -> None:
    """Keep a server's password or token in the memory of this process, where there is no keyring."""
    _for_now[_account(server)] = Secret(password)


def forget_password(server: Server) -> None:
    """Remove a server's password from the memory and the system's keyring; nothing happens if it is not there.

    Raises:
        NoKeyringError: if there is no keyring.
    """

    def forget(keyring: Any) -> None:
        if keyring.get_password(_SERVICE, _account(server)) is not None:
            keyring.delete_password(_SERVICE, _account(server))

    _for_now.pop(_account(server), None)
    _keyring(server, forget)


def has_password(server: Server) -> bool:
    """Return whether a password or token of a server is known."""
    return _secret_of(server) is not None


def authorization_of(server: Server) -> Callable[[Any], None] | None:
    """Return what adds the password or token to a request, None for a server that has neither.

    Raises:
        SegcamError: if the server has a user whose password is not known.
    """
    secret = _secret_of(server)
    if secret is None and server.user is None:
        return None
    if secret is None:
        raise SegcamError(
            f"The password of {server.user} for {server.title} is not known. Give it: "
            f"{remedy('password', server=server.name).rstrip('.')}, or set {variable_of(server)}."
        )

    def authorize(request: Any) -> None:
        if server.user is None:
            request.headers["Authorization"] = f"Bearer {secret.reveal()}"
        else:
            pair = f"{server.user}:{secret.reveal()}".encode()
            request.headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"

    return authorize


def _secret_of(server: Server) -> Secret | None:
    if given := os.environ.get(variable_of(server)):
        if not given.isprintable() or not (server.user or given.isascii()):  # it would break the request, and be shown
            raise SegcamError(f"{variable_of(server)} holds characters that a password cannot have, such as a newline.")
        return Secret(given)
    if (held := _for_now.get(_account(server))) is not None:
        return held
    from importlib.util import find_spec

    if find_spec("keyring") is None:
        return None
    import keyring
    from keyring.errors import KeyringError

    try:
        kept = keyring.get_password(_SERVICE, _account(server))
    except KeyringError:  # there is none on this system, or it is locked
        return None
    return Secret(kept) if kept else None


def _account(server: Server) -> str:
    """Return the keyring's name of a server's password; a server that moves to another host needs it again."""
    parts = urlsplit(server.url)
    return f"{server.user or 'token'}@{parts.scheme}://{parts.netloc}"


def _keyring(server: Server, action: Callable[[Any], None]) -> None:
    needed("keyring", "The password would be kept in the system's keyring", extra="pacs")
    import keyring
    from keyring.errors import KeyringError

    try:
        action(keyring)
    except KeyringError as error:
        raise NoKeyringError(
            f"The system's keyring cannot be used: {error_text(error, 120)}. Set {variable_of(server)} instead."
        ) from None
