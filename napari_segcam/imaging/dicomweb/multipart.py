"""Answers of several parts (RFC 2046), read as they come and never held in memory as a whole."""

from __future__ import annotations

import re
from collections.abc import Iterator

from napari_segcam.imaging.dicomweb.watch import ServerError

_LONGEST_HEAD = 1 << 16
_BOUNDARY = re.compile(r"""boundary\s*=\s*(?:"([^"]{1,200})"|([^\s;",]{1,200}))""", re.IGNORECASE)


def boundary_of(content_type: str) -> bytes | None:
    """Return the boundary that a content type names, None if it names none."""
    match = _BOUNDARY.search(content_type)
    return (match[1] or match[2]).encode("latin-1", "replace") if match else None


def first_part(pieces: Iterator[bytes], boundary: bytes, server_title: str) -> Iterator[bytes]:
    """Yield the content of the only part, piece by piece, as soon as it comes.

    Args:
        pieces: of the body.
        boundary: between the parts.
        server_title: for errors.

    Raises:
        ServerError: if the body is cut short, has another boundary, no part, or more than one.
    """
    broken = ServerError(f"{server_title} broke off: its answer is cut short. Try again.")
    delimiter = b"\r\n--" + boundary
    data = bytearray(b"\r\n")  # the first delimiter may be at the very beginning
    while (start := data.find(delimiter)) < 0:
        if len(data) > _LONGEST_HEAD:
            raise ServerError(f"{server_title} sends an answer whose parts are not where it says.")
        data += _next(pieces, broken)
    del data[: start + len(delimiter)]
    while (end := data.find(b"\r\n\r\n")) < 0:
        if data.startswith(b"--"):
            raise ServerError(f"{server_title} sends an answer without any content.")
        if len(data) > _LONGEST_HEAD:
            raise ServerError(f"{server_title} sends an answer whose parts are not where it says.")
        data += _next(pieces, broken)
    del data[: end + 4]
    while (end := data.find(delimiter)) < 0:
        ready = len(data) - len(delimiter) + 1
        if ready > 0:
            yield bytes(data[:ready])
            del data[:ready]
        data += _next(pieces, broken)
    if end:
        yield bytes(data[:end])
    del data[: end + len(delimiter)]
    while len(data) < 2:
        data += _next(pieces, broken)
    if not data.startswith(b"--"):
        raise ServerError(f"{server_title} sends more than the one file that was asked for: none of it is kept.")
    for _ in pieces:  # what may follow says nothing, but the connection can then be used again
        pass


def _next(pieces: Iterator[bytes], broken: ServerError) -> bytes:
    piece = next(pieces, b"")
    if not piece:
        raise broken
    return piece
