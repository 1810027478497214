"""A server on the loopback address that does something wrong, and certificates that are not to be trusted."""

from __future__ import annotations

import datetime
import ipaddress
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

BOUNDARY = "the-boundary"


@dataclass
class Request:
    """What a client has sent: the request line, its headers, and the body as far as it was read."""

    line: str
    headers: dict[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        return self.line.split(" ")[1]


Behavior = Callable[[socket.socket, Request], None]


class HostileServer:
    """Answers each request as `behavior` does, and closes the connection.

    Attributes:
        requests: what came, in order.
    """

    def __init__(
        self,
        behavior: Behavior,
        context: ssl.SSLContext | None = None,
        *,
        reads_body: bool = True,
        address: str = "127.0.0.1",
    ) -> None:
        self._behavior = behavior
        self._context = context
        self._reads_body = reads_body
        self.requests: list[Request] = []
        self._listener = socket.create_server(
            (address, 0), family=socket.AF_INET6 if ":" in address else socket.AF_INET
        )
        self._stopped = threading.Event()
        self._open: list[socket.socket] = []
        self.port = self._listener.getsockname()[1]
        self.url = (
            f"{'https' if context else 'http'}://{f'[{address}]' if ':' in address else address}:{self.port}/dicom-web"
        )
        self._thread = threading.Thread(target=self._listen, name="hostile server", daemon=True)
        self._thread.start()

    def __enter__(self) -> HostileServer:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stopped.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with suppress(OSError):
                connection.close()

    def _listen(self) -> None:
        while not self._stopped.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), name="hostile server", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError, ValueError):
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_side=True)
            self._open.append(connection)
            with connection:
                request = self._read(connection)
                self.requests.append(request)
                self._behavior(connection, request)

    def _read(self, connection: socket.socket) -> Request:
        data = bytearray()
        while b"\r\n\r\n" not in data:
            data += _received(connection)
        end = data.index(b"\r\n\r\n")
        line, *lines = data[:end].decode("latin-1").split("\r\n")
        del data[: end + 4]
        headers = {key.lower(): value.strip() for key, _, value in (entry.partition(":") for entry in lines)}
        while self._reads_body and len(data) < int(headers.get("content-length", 0)):
            data += _received(connection)
        return Request(line, headers, bytes(data))


def _received(connection: socket.socket) -> bytes:
    piece = connection.recv(65536)
    if not piece:
        raise OSError("the client has closed the connection")
    return piece


def answer(
    body: bytes = b"",
    kind: str = "application/dicom+json",
    status: str = "200 OK",
    *headers: str,
    length: int | None = None,
) -> bytes:
    """Return an answer; with another `length`, its header is a lie."""
    lines = [
        f"HTTP/1.1 {status}",
        f"Content-Type: {kind}",
        *headers,
        f"Content-Length: {len(body) if length is None else length}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def multipart(*contents: bytes, boundary: str = BOUNDARY, end: str = "--\r\n") -> bytes:
    """Return a body of several parts."""
    parts = b"".join(
        b"--%s\r\nContent-Type: application/dicom\r\n\r\n%s\r\n" % (boundary.encode(), one) for one in contents
    )
    return parts + f"--{boundary}{end}".encode()


def as_files(*contents: bytes) -> bytes:
    """Return an answer with files."""
    return answer(multipart(*contents), f'multipart/related; type="application/dicom"; boundary={BOUNDARY}')


def says(data: bytes) -> Behavior:
    """Send these bytes, whatever is asked."""
    return lambda connection, _request: connection.sendall(data)


def says_json(value: object, status: str = "200 OK") -> Behavior:
    return says(answer(json.dumps(value).encode(), status=status))


def silent_after(data: bytes = b"") -> Behavior:
    """Send these bytes, and then nothing."""

    def behave(connection: socket.socket, _request: Request) -> None:
        connection.sendall(data)
        time.sleep(30)

    return behave


def trickles(data: bytes, at_once: int = 0) -> Behavior:
    """Send one byte each twentieth of a second."""

    def behave(connection: socket.socket, _request: Request) -> None:
        connection.sendall(data[:at_once])
        for byte in data[at_once:]:
            time.sleep(0.05)
            connection.sendall(bytes([byte]))

    return behave


def endless(head: bytes, piece: bytes) -> Behavior:
    """Send the head, and the piece over and over."""

    def behave(connection: socket.socket, _request: Request) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(piece)

    return behave


def resets(connection: socket.socket, _request: Request) -> None:
    """Break the connection, as a killed process does."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def certificate(folder: Path, name: str, *, host: str = "127.0.0.1", days: tuple[int, int] = (-1, 30)) -> Path:
    """Write a self-signed certificate and its key into one PEM file.

    Args:
        folder: to write to.
        name: of the file.
        host: an IP address or a name that it is for.
        days: from when until when it is valid, from today.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    today = datetime.datetime.now(datetime.UTC)
    try:
        names: list[x509.GeneralName] = [x509.IPAddress(ipaddress.ip_address(host))]
    except ValueError:
        names = [x509.DNSName(host)]
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today + datetime.timedelta(days=days[0]))
        .not_valid_after(today + datetime.timedelta(days=days[1]))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(signed.public_bytes(serialization.Encoding.PEM) + private)
    return path


def tls(path: Path) -> ssl.SSLContext:
    """Return the context of a server with a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context
