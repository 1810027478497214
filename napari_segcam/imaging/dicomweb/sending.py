"""Sending (STOW-RS, PS3.18, section 10.5): one file a request, so that it is known of each what became of it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from napari_segcam.errors import SegcamError, error_text
from napari_segcam.files import sha256_of
from napari_segcam.imaging.dicomweb.failures import refuse_status
from napari_segcam.imaging.dicomweb.found import is_uid, number_of, text_of, values_of
from napari_segcam.imaging.dicomweb.servers import Server
from napari_segcam.imaging.dicomweb.watch import FILE_SECONDS, ServerError
from napari_segcam.imaging.dicomweb.writing import identifiers_of

if TYPE_CHECKING:
    import requests

    from napari_segcam.imaging.dicomweb.transport import GuardedSession

State = Literal["stored", "present", "refused", "unknown", "unsent"]
Has = Callable[[str, str, str], bool]

_REFERENCED, _FAILED = "00081199", "00081198"
_REFERENCED_UID, _FAILURE, _WARNING = "00081155", "00081197", "00081196"
_ANSWER_BYTES = 2**22
_HOPELESS = (401, 403, 404, 405, 501)  # the next file will fare no better

# PS3.18, table I.2-2: the range of each reason, as numbers.
_REASONS = (
    (0xA700, 0xA7FF, "it has no space left"),
    (0xA900, 0xA9FF, "the file does not fit its kind"),
    (0xB000, 0xB000, "it has changed some values"),
    (0xB006, 0xB006, "it has left out some elements"),
    (0xB007, 0xB007, "the file does not fit its kind"),
    (0xC122, 0xC122, "it does not store this compression"),
    (0xC000, 0xCFFF, "it cannot understand the file"),
    (0x0110, 0x0110, "it has failed inside"),
    (0x0111, 0x0111, "it has the instance already"),
    (0x0117, 0x0117, "the instance UID is not valid"),
    (0x0122, 0x0122, "it does not store files of this kind"),
    (0x0124, 0x0124, "it does not allow this to the user"),
    (0x0272, 0x0272, "it has the instance already"),
)


@dataclass(frozen=True)
class SentFile:
    """What became of a file.

    Attributes:
        path: of the file.
        uid: its SOP Instance UID; empty if it is no DICOM file.
        state: ``stored``; ``present``: the server had it already, it was not sent; ``refused`` by the server;
            ``unknown``: the connection broke, and a search does not find it; ``unsent``: it was not tried.
        reason: in words; empty if it is stored as it is.
    """

    path: Path
    uid: str
    state: State
    reason: str = ""

    @property
    def is_there(self) -> bool:
        """Whether the server has it."""
        return self.state in ("stored", "present")


def send_files(
    session: GuardedSession,
    server: Server,
    has: Has,
    paths: Sequence[Path],
    progress: Callable[[SentFile, int, int], None],
    *,
    again: bool,
) -> list[SentFile]:
    """Send files one after the other; see ``PacsClient.send``."""
    results: list[SentFile] = []
    sender = _Sender(session, server, has, again)
    for number, path in enumerate(paths, 1):
        results.append(sender.send(path))
        progress(results[-1], number, len(paths))
    return results


class _Sender:
    def __init__(self, session: GuardedSession, server: Server, has: Has, again: bool) -> None:
        self._session = session
        self._server = server
        self._has = has
        self._again = again
        self._hopeless = ""  # why no further file is tried
        self._seen: dict[str, SentFile] = {}

    def send(self, path: Path) -> SentFile:
        """Send a file, and return what became of it."""
        result = self._sent(path)
        if result.uid:
            self._seen.setdefault(result.uid, result)
        return result

    def _sent(self, path: Path) -> SentFile:
        identifiers = identifiers_of(path)
        uid = identifiers[2] if identifiers else ""
        if identifiers is None or not all(map(is_uid, identifiers)) or not _has_preamble(path):
            return SentFile(path, uid, "unsent", f"{path.name} is no DICOM file with UIDs.")
        if self._hopeless:
            return SentFile(path, uid, "unsent", self._hopeless)
        if uid in self._seen:
            return self._twin(path, uid, self._seen[uid])
        try:
            if not self._again and self._has(*identifiers):
                return SentFile(path, uid, "present", f"{self._server.title} has it already.")
        except ServerError as error:
            if error.status in (None, 401, 403):
                self._hopeless = str(error)
                return SentFile(path, uid, "unsent", str(error))
            # Else it stores, but cannot be searched.
        try:
            return self._post(path, uid, identifiers)
        except ServerError as error:
            if error.is_sent:
                return self._look(path, uid, identifiers, str(error))
            self._hopeless = str(error)
            return SentFile(path, uid, "unsent", str(error))
        except OSError as error:
            return SentFile(path, uid, "unsent", f"{path} cannot be read: {error_text(error)}.")

    def _twin(self, path: Path, uid: str, first: SentFile) -> SentFile:
        """Return what became of a file whose UID another one has that was tried before."""
        if first.is_there and sha256_of(path) == sha256_of(first.path):
            return SentFile(path, uid, "present", f"It is the same as {first.path}.")
        return SentFile(path, uid, "unsent", f"It has the same UID as {first.path}.")

    def _post(self, path: Path, uid: str, identifiers: tuple[str, str, str]) -> SentFile:
        server, session = self._server, self._session
        base = f"{server.url}/{server.stow}" if server.stow else server.url
        with path.open("rb") as file, session.limits(_ANSWER_BYTES, FILE_SECONDS):
            body = _Body(file, path.stat().st_size)
            session.drop_idle_connections()  # else a closed one would look like a lost file
            session.refuses_status = False
            try:
                response = session.post(
                    f"{base}/studies",
                    data=body,
                    headers={"Content-Type": body.content_type, "Accept": "application/dicom+json"},
                )
            finally:
                session.refuses_status = True
        answer = _json_of(response)
        for item in values_of(answer, _FAILED):
            if isinstance(item, Mapping) and text_of(item, _REFERENCED_UID) in ("", uid):
                return SentFile(path, uid, "refused", f"{server.title} refuses it: {_words(item, _FAILURE)}.")
        for item in values_of(answer, _REFERENCED):
            if isinstance(item, Mapping) and text_of(item, _REFERENCED_UID) == uid:
                warning = number_of(item, _WARNING)
                changed = "" if warning is None else f"{server.title} says: {_words(item, _WARNING)}."
                return SentFile(path, uid, "stored", changed)
        status = response.status_code
        if 200 <= status < 300:
            return self._look(path, uid, identifiers, f"{server.title} does not say whether it has stored the file.")
        try:
            refuse_status(status, server)
        except ServerError as error:
            if status in _HOPELESS:
                self._hopeless = str(error)
            elif status >= 500:
                return self._look(path, uid, identifiers, str(error), otherwise="refused")
            return SentFile(path, uid, "refused", str(error))
        raise AssertionError(status)

    def _look(
        self,
        path: Path,
        uid: str,
        identifiers: tuple[str, str, str],
        problem: str,
        otherwise: Literal["refused", "unknown"] = "unknown",
    ) -> SentFile:
        """Search for a file of which it is not known whether it was stored."""
        try:
            if self._has(*identifiers):
                return SentFile(path, uid, "stored", f"{problem} But a search finds it.")
        except ServerError as error:
            if error.status is None:
                self._hopeless = str(error)
            return SentFile(path, uid, "unknown", f"{problem} It could not be searched for: search for it later.")
        return SentFile(path, uid, otherwise, f"{problem} A search does not find it: send it again.")


class _Body:
    """A request of one part, read from the file while it is sent."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        boundary = f"segcam-{secrets.token_hex(16)}"
        self.content_type = f'multipart/related; type="application/dicom"; boundary={boundary}'
        self._head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        self._tail = f"\r\n--{boundary}--\r\n".encode()
        self._file = file
        self._left = size
        self._size = len(self._head) + size + len(self._tail)

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        while piece := self.read(1 << 16):
            yield piece

    def read(self, count: int = 1 << 16) -> bytes:
        if self._head:
            piece, self._head = self._head[:count], self._head[count:]
            return piece
        if self._left:
            piece = self._file.read(min(count, self._left))
            if not piece:
                raise SegcamError("The file has become shorter while it was sent. Send it again.")
            self._left -= len(piece)
            return piece
        piece, self._tail = self._tail[:count], self._tail[count:]
        return piece


def _has_preamble(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False


def _json_of(response: requests.Response) -> Mapping[str, Any]:
    """Return an answer in DICOM JSON; empty if it is something else."""
    try:
        answer = json.loads(response.content)
    except (ValueError, RecursionError):
        return {}
    if isinstance(answer, list) and answer:
        answer = answer[0]
    return answer if isinstance(answer, Mapping) else {}


def _words(item: Mapping[str, Any], tag: str) -> str:
    code = number_of(item, tag)
    if code is None:
        return "it gives no reason"
    for first, last, words in _REASONS:
        if first <= code <= last:
            return f"{words} ({code:04X})"
    return f"its reason has the number {code:04X}"
