"""Sockets that never wait for long: each tenth of a second they ask the watch whether to go on."""

from __future__ import annotations

import errno
import ipaddress
import os
import selectors
import socket
import ssl
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from napari_segcam.errors import SegcamError, error_text
from napari_segcam.imaging.dicomweb.watch import POLL_SECONDS, ServerError, Watch

_PIECE = 1 << 16  # sent at a time, so that the watch sees it move
_IN_PROGRESS = {errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EAGAIN, getattr(errno, "WSAEWOULDBLOCK", 0)}

Address = tuple[int, int, int, str, Any]


class _Watched(socket.socket):
    """Sending and receiving under a watch, for a plain socket and one with TLS."""

    watch: Watch

    def settimeout(self, _value: float | None) -> None:
        super().settimeout(POLL_SECONDS)

    def recv_into(self, *args: Any, **options: Any) -> int:
        while True:
            self.watch.check(receiving=True)
            try:
                count = super().recv_into(*args, **options)
            except TimeoutError:
                continue
            self.watch.moved(count)
            return count

    def send(self, data: Any, flags: int = 0) -> int:
        while True:
            self.watch.check()
            try:
                count = super().send(memoryview(data)[:_PIECE], flags)
            except TimeoutError:
                continue
            self.watch.moved(count)
            return count


class WatchedSocket(_Watched):
    """A plain socket under a watch."""

    def sendall(self, data: Any, flags: int = 0) -> None:
        view = memoryview(data).cast("B")
        while len(view):
            view = view[self.send(view, flags) :]


class WatchedTLSSocket(_Watched, ssl.SSLSocket):
    """A TLS socket under the watch of its context."""

    @property  # the context makes these sockets, so none can be given a watch of its own
    def watch(self) -> Watch:  # type: ignore[override]
        context = self.context
        assert isinstance(context, WatchedContext)
        return context.watch

    def do_handshake(self, block: bool = False) -> None:
        while True:
            self.watch.check()
            try:
                return super().do_handshake(block)
            except TimeoutError:
                continue


class WatchedContext(ssl.SSLContext):
    """A TLS context that verifies certificates and host names, and whose sockets are under a watch."""

    watch: Watch
    sslsocket_class = WatchedTLSSocket


def tls_context(watch: Watch, ca_file: Path | None) -> WatchedContext:
    """Return a context that trusts the system's certificates, or only those of a file.

    Raises:
        SegcamError: if the file holds no certificate.
    """
    context = WatchedContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies, host name included
    context.watch = watch
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is None:
        context.load_default_certs()
        from requests.certs import where

        context.load_verify_locations(where())  # for systems whose Python finds no certificates
        return context
    try:
        context.load_verify_locations(ca_file)
    except (ssl.SSLError, ValueError):
        raise SegcamError(f"The certificate file {ca_file} of {watch.name} holds no certificate in PEM.") from None
    except OSError as error:
        raise SegcamError(
            f"The certificate file {ca_file} of {watch.name} cannot be read: {error_text(error)}."
        ) from error
    return context


def connect(host: str, port: int, watch: Watch) -> WatchedSocket:
    """Connect to a host.

    Raises:
        ServerError: if it cannot be reached.
        CancelledError: if the user has cancelled.
    """
    problem = "it has no address"
    for family, kind, protocol, _, address in _resolve(host, port, watch):
        connection = WatchedSocket(family, kind, protocol)
        connection.watch = watch
        try:
            _connect_to(connection, address, watch)
        except OSError as error:
            connection.close()
            problem = error_text(error)
            continue
        except BaseException:
            connection.close()
            raise
        return connection
    raise ServerError(
        f"{watch.name} cannot be reached ({host}, port {port}): {problem}. Is it running, and is its URL right?"
    )


def _connect_to(connection: WatchedSocket, address: Any, watch: Watch) -> None:
    connection.setblocking(False)
    code = connection.connect_ex(address)
    if code not in _IN_PROGRESS and code != 0:
        raise OSError(code, os.strerror(code))
    with selectors.DefaultSelector() as selector:
        selector.register(connection, selectors.EVENT_WRITE)
        while not selector.select(POLL_SECONDS):
            watch.check()
    code = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, os.strerror(code))
    connection.settimeout(POLL_SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _resolve(host: str, port: int, watch: Watch) -> Sequence[Address]:
    """Return the addresses of a host. A name is looked up in a thread: the system's look-up cannot be cancelled."""
    host = host.strip("[]")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    found: list[Sequence[Address]] = []
    problems: list[str] = []

    def look_up() -> None:
        try:
            found.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            problems.append(error_text(error))

    thread = threading.Thread(target=look_up, name="looking up a PACS", daemon=True)
    thread.start()
    while thread.is_alive():
        watch.check()
        thread.join(POLL_SECONDS)
    if not found:
        raise ServerError(f"{watch.name} is not known by its name {host}: {problems[0]}. Is its URL right?")
    return found[0]
