"""Why a request to a PACS failed, in the user's words."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterator

from napari_segcam.errors import error_text
from napari_segcam.imaging.dicomweb.passwords import has_password
from napari_segcam.imaging.dicomweb.servers import Server
from napari_segcam.imaging.dicomweb.watch import ServerError
from napari_segcam.remedies import remedy

_STATUSES = {
    400: "does not understand the request (400). Is its URL that of DICOMweb?",
    403: "does not allow this to the user (403). Ask its administrator.",
    404: "has nothing there (404). It may have been deleted, or the server's URL is not that of DICOMweb.",
    405: "does not offer this (405). Is its URL that of DICOMweb?",
    406: "cannot give it in a form that is read here (406).",
    408: "gave up waiting (408). Try again.",
    413: "finds it too large (413). Ask its administrator.",
    415: "does not take files of this kind (415).",
    429: "has too much to do (429). Try again later.",
    500: "has failed inside (500). Try again; if it fails again, ask its administrator.",
    501: "does not offer this (501).",
    503: "has too much to do or is being repaired (503). Try again later.",
    507: "has no space left (507). Ask its administrator.",
}


def refuse_status(status: int, server: Server) -> None:
    """Raise a ServerError unless an HTTP status is a success."""
    if 200 <= status < 300:
        return
    if status == 401:
        problem = (
            f"does not accept the password (401). Give it again: {remedy('password', server=server.name)}"
            if has_password(server)
            else "asks for a user and password (401). Give them: " + remedy("user_and_password", server=server.name)
        )
        raise ServerError(f"{server.title} {problem}", status=status)
    if status == 407:
        raise ServerError(f"The proxy of {server.title} asks for a password (407), which is not supported.", status=407)
    problem = _STATUSES.get(status, f"answers with the status {status}, which is no success.")
    raise ServerError(f"{server.title} {problem}", status=status)


def words_of(error: BaseException, server: Server) -> str:
    """Return the message for a failed connection."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return (
                f"The certificate of {server.title} is not trusted: {error_text(ValueError(cause.verify_message))}. "
                f"If it is your clinic's own, {remedy('certificate')}"
            )
    for cause in causes:
        if isinstance(cause, ssl.SSLError):
            reason = (cause.reason or "").replace("_", " ").lower() or "unknown"
            return f"No safe connection to {server.title} ({reason}). Does its URL begin rightly with https?"
    if any(isinstance(cause, http.client.IncompleteRead) for cause in causes):
        return f"{server.title} broke off: its answer is cut short. Try again."
    if any(isinstance(cause, http.client.RemoteDisconnected) for cause in causes):
        return f"{server.title} closed the connection without an answer. Try again."
    if any(isinstance(cause, (ConnectionResetError, BrokenPipeError, ConnectionAbortedError)) for cause in causes):
        return f"{server.title} broke the connection. Try again."
    if any(isinstance(cause, http.client.HTTPException) for cause in causes):
        return f"{server.title} does not answer as a web server does. Is its URL right?"
    return f"The request to {server.title} failed: {error_text(causes[-1], 200)}."


def is_lost(error: BaseException) -> bool:
    """Whether the server closed the connection before it answered."""
    lost = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError, ConnectionAbortedError)
    return any(isinstance(cause, lost) for cause in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and those that it was raised from or holds, the outermost first."""
    todo, seen = [error], set()
    while todo:
        cause = todo.pop(0)
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        held = [*cause.args, getattr(cause, "reason", None), cause.__cause__, cause.__context__]
        todo += [item for item in held if isinstance(item, BaseException)]
