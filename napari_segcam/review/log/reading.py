"""Reading a log: every line is checked, a torn last line is left out and said, a later version is refused."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from napari_segcam.budget import LOG_BYTES, MIB
from napari_segcam.errors import SegcamError, error_text
from napari_segcam.files import refuse_no_file
from napari_segcam.review.log.events import EVENT, VERSION, AnyEvent
from napari_segcam.review.versions import refuse_later_version

_MOST_WARNINGS = 5


@dataclass(frozen=True)
class LogContent:
    """What a log holds.

    Attributes:
        events: in their order.
        warnings: what could not be read, in words.
        whole_bytes: length of the file up to the end of its last whole line.
        torn: what follows, the beginning of a line whose writing was cut off.
    """

    events: list[AnyEvent] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    whole_bytes: int = 0
    torn: bytes = b""


def read_log(path: Path) -> LogContent:
    """Return the content of a log; a missing file is an empty log. The file is not changed.

    Raises:
        SegcamError: if it cannot be read, is too large, or was written by a later version of this program.
    """
    if not path.exists():
        return LogContent()
    refuse_no_file(path)
    try:
        size = path.stat().st_size
        if size > LOG_BYTES:
            raise SegcamError(f"{path} has {size // MIB} MB, more than the {LOG_BYTES // MIB} MB that are read.")
        content = path.read_bytes()
    except OSError as error:
        raise SegcamError(f"{path} cannot be read: {error_text(error)}.") from error
    whole, newline, torn = content.rpartition(b"\n")
    events: list[AnyEvent] = []
    unread: list[str] = []
    for number, line in enumerate(whole.split(b"\n") if newline else (), start=1):
        if not line.strip():
            continue
        try:
            events.append(EVENT.validate_json(line))
        except ValidationError as error:
            _refuse_later_version(path, line)
            unread.append(f"line {number} ({_reason(error)})")
    _refuse_later_version(path, torn)
    warnings = []
    if unread:
        more = f" and {len(unread) - _MOST_WARNINGS} more" if len(unread) > _MOST_WARNINGS else ""
        warnings.append(
            f"{path} is damaged: {', '.join(unread[:_MOST_WARNINGS])}{more} cannot be read and "
            f"{'is' if len(unread) == 1 else 'are'} left out. Nothing in the file is changed."
        )
    if torn:
        warnings.append(
            f"The last line of {path} is torn: the program or the machine stopped while it was written. "
            "What came before it is complete."
        )
    return LogContent(events, warnings, len(whole) + len(newline), torn)


def _refuse_later_version(path: Path, line: bytes) -> None:
    """Raise a SegcamError if a line that cannot be read says that a later version has written it."""
    try:
        version = json.loads(line).get("v")
    except (ValueError, AttributeError, RecursionError):
        return
    refuse_later_version(path, version, VERSION)


def _reason(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(part) for part in problem["loc"][1:])
    return f"{place}: {problem['msg']}" if place else problem["msg"]
