"""The log: one rotating file that cannot hold a patient's text, wherever a message comes from.

What is written is decided by where a text comes from, not by what it looks like. A message is written if it is a string
in the source of this package, word by word; a message that was put together from other texts is not. Of the arguments,
numbers, classes and such strings are written; everything else becomes ``<text>``. Of an exception, its class and the
lines of code are written, but not its message, which may quote a file. So file names, values of DICOM headers and the
words of other libraries cannot get in.
"""

from __future__ import annotations

import ast
import atexit
import enum
import logging
import os
import queue
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from logging.handlers import QueueHandler, QueueListener, RotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import Any

from napari_segcam.preferences.present import preferences
from napari_segcam.version import __version__

LOG_FOLDER = "NAPARI_SEGCAM_LOG_FOLDER"
"""The environment variable that names another folder for the log."""

HIDDEN = "<text>"
"""What stands in the log for a text that may say anything."""

LOGGER = "napari_segcam"

_NAME = "napari-segcam"
_BYTES, _EARLIER = 1_000_000, 2  # of a file, and how many earlier ones are kept
_MOST_FILES = 8  # processes that log at the same time
_PACKAGE = Path(__file__).parent
_WORDS = frozenset(
    {"cpu", "cuda", "mps", "auto", "Linux", "Windows", "Darwin", "x86_64", "AMD64", "arm64", "aarch64"}
    | {"asked", "batch", "card", "case", "deidentify", "doubt", "doubt pixels", "evidence", "export", "frame", "load"}
    | {"masks", "measurements", "open", "overlays", "pacs", "prefetch", "preferences", "preview", "project"}
    | {"import", "problem", "questions", "save", "scan", "second", "second masks", "table"}
)

_versions = {__version__, "-"}

_listener: QueueListener | None = None
_handlers: list[logging.Handler] = []
_path: Path | None = None
_lock: Any = None  # of the file, as long as this process writes it


class SafeFormatter(logging.Formatter):
    """Formats a record without any text that does not come from the source of this package."""

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
        lines = [f"{moment} {record.levelname[:8]} {_place(record)}: {_message(record)}"]
        if record.exc_info and record.exc_info[1] is not None:
            lines += _exception_lines(record.exc_info[1])
        return "\n".join(lines)


class _Queue(QueueHandler):
    """Formats in the thread that logs, since objects may change later; another thread writes."""

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        text = SafeFormatter().format(record)
        return logging.LogRecord(LOGGER, record.levelno, "", 0, text, None, None)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Go on without the log: it must disturb nobody."""


class _File(RotatingFileHandler):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Go on without the log: a full disk must disturb nobody."""


class _Terminal(logging.Handler):
    """Writes to stderr as it is when a message comes."""

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError, ValueError, AttributeError):  # there may be no terminal
            sys.stderr.write(SafeFormatter().format(record) + "\n")


def log_folder() -> Path:
    """Return the folder of the log, which need not exist."""
    if folder := os.environ.get(LOG_FOLDER):
        return Path(folder)
    from platformdirs import user_log_path

    return user_log_path(_NAME, appauthor=False)


def log_path() -> Path:
    """Return the log file of this process; if it writes none, the one that most processes write."""
    return _path or log_folder() / f"{_NAME}.log"


def start_log(verbose: int = 0) -> None:
    """Begin to log, as much as the preference ``log`` says; a second call changes how much.

    Each process has a file of its own: several processes that rotate one file would lose lines.

    Args:
        verbose: 1 logs to the terminal too; 2 logs everything.
    """
    level = {"off": logging.CRITICAL + 1}.get(preferences().log) or getattr(logging, preferences().log.upper())
    shown = logging.CRITICAL + 1 if verbose < 1 else logging.INFO if verbose == 1 else logging.DEBUG
    logger = logging.getLogger(LOGGER)
    _remove_handlers()
    if level <= logging.CRITICAL and _listener is None:
        _open_file()
    if _listener is not None:
        to_file = _Queue(_queue)
        to_file.setLevel(min(level, logging.DEBUG) if verbose > 1 else level)
        _handlers.append(to_file)
    if verbose:
        terminal = _Terminal(shown)
        _handlers.append(terminal)
    elif not logging.getLogger().handlers and logging.lastResort is not None:
        _handlers.append(logging.lastResort)  # warnings go to the terminal, as without a log
    for handler in _handlers:
        logger.addHandler(handler)
    logger.setLevel(min((handler.level for handler in _handlers), default=logging.WARNING))
    logger.info("napari-segcam %s", __version__)


def ensure_log() -> None:
    """Begin to log, unless this process logs already."""
    if not _handlers:
        start_log()


def stop_log() -> None:
    """Write what waits, and let go of the file."""
    global _listener, _path, _lock
    _remove_handlers()
    listener, _listener = _listener, None
    if listener is not None:
        listener.stop()
        for handler in listener.handlers:
            handler.close()
    lock, _lock, _path = _lock, None, None
    if lock is not None:
        with suppress(OSError):
            lock.release()


def last_lines(count: int = 200) -> list[str]:
    """Return the last lines of the log, the latest at the end; empty if there is no log."""
    if _listener is not None:
        deadline = time.monotonic() + 1
        while not _queue.empty() and time.monotonic() < deadline:
            time.sleep(0.01)
    lines: list[str] = []
    path = log_path()
    for one in (path.with_name(f"{path.name}.1"), path):
        with suppress(OSError):
            lines += one.read_text("utf-8", "replace").splitlines()[-count:]
    return lines[-count:]


def version_of(package: str) -> str:
    """Return the version of an installed package as an argument that the log shows; ``-`` without it."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        found = version(package)
    except PackageNotFoundError:
        return "-"
    _versions.add(found)
    return found


_queue: queue.SimpleQueue[Any] = queue.SimpleQueue()


def _open_file() -> None:
    """Take the first log file that no other process writes."""
    global _listener, _path, _lock
    from filelock import FileLock, Timeout

    folder = log_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(1, _MOST_FILES + 1):
            path = folder / (f"{_NAME}.log" if number == 1 else f"{_NAME}-{number}.log")
            lock = FileLock(path.with_name(f".{path.name}.lock"), timeout=0)
            try:
                lock.acquire()
            except Timeout:
                continue
            file = _File(path, maxBytes=_BYTES, backupCount=_EARLIER, encoding="utf-8", delay=True)
            _listener = QueueListener(_queue, file)
            _listener.start()
            _path, _lock = path, lock
            return
    except OSError:
        return  # a folder that cannot be written: without a log


def _remove_handlers() -> None:
    for handler in _handlers:
        logging.getLogger(LOGGER).removeHandler(handler)
    _handlers.clear()


def _after_fork() -> None:
    """Let a forked child be without the parent's file and thread."""
    global _listener, _path, _lock
    _remove_handlers()
    _listener = _path = _lock = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
atexit.register(stop_log)


# What may be written


def _place(record: logging.LogRecord) -> str:
    """Return where a record comes from: module and line within this package, otherwise the library's name."""
    if _is_ours(record.pathname):
        module = Path(record.pathname).relative_to(_PACKAGE).with_suffix("").as_posix()
        return f"{module}:{record.lineno}"
    return _library(record.name)


def _message(record: logging.LogRecord) -> str:
    template, args = record.msg, record.args
    if not isinstance(template, str) or template not in _literals(record.pathname):
        return HIDDEN
    if not args:
        return template
    try:
        if isinstance(args, Mapping):
            return template % {name: _shown(value, record.pathname) for name, value in args.items()}
        return template % tuple(_shown(value, record.pathname) for value in args)
    except (TypeError, ValueError, KeyError):  # %d of a text
        return HIDDEN


def _shown(value: object, path: str) -> object:
    """Return an argument of a message as it is if it can hold no text; otherwise what stands for it."""
    if value is None or type(value) in (bool, int, float):
        return value
    if isinstance(value, enum.Enum):
        return f"{_class_name(type(value))}.{value.name}"
    if isinstance(value, type):
        return _class_name(value)
    if type(value) is str and (value in _WORDS or value in _versions or value in _literals(path)):
        return value
    return HIDDEN


def _exception_lines(error: BaseException) -> Iterator[str]:
    """Yield the classes of an exception and its causes, and the lines of code, without any message."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield f"  {_class_name(type(current))}: {HIDDEN}"
        yield from _code_lines(current.__traceback__)
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)


def _code_lines(trace: TracebackType | None) -> Iterator[str]:
    for frame, line in traceback.walk_tb(trace):
        path = frame.f_code.co_filename
        if _is_ours(path):
            inner = Path(path).relative_to(_PACKAGE).as_posix()
            yield f"    {inner}:{line} in {frame.f_code.co_name}"
        else:
            yield f"    {_library(str(frame.f_globals.get('__name__', '')))}:{line}"


def _class_name(kind: type) -> str:
    """Return the name of a class that a module defines; of one that was made otherwise, ``<text>``."""
    module = sys.modules.get(kind.__module__)
    name = kind.__qualname__
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    return f"{kind.__module__.partition('.')[0]}.{name}" if found is kind else HIDDEN


def _library(name: str) -> str:
    """Return the first part of a module's name if such a module is installed, and not the user's."""
    first = name.partition(".")[0]
    module = sys.modules.get(first)
    origin = str(getattr(module, "__file__", None) or "")
    is_installed = first in sys.stdlib_module_names or "site-packages" in origin or "dist-packages" in origin
    return first if module is not None and is_installed else HIDDEN


def _is_ours(path: str) -> bool:
    with suppress(ValueError, OSError):
        return Path(path).is_relative_to(_PACKAGE)
    return False


@lru_cache(maxsize=512)
def _literals(path: str) -> frozenset[str]:
    """Return the strings in the source of a file of this package; none for other files."""
    if not _is_ours(path):
        return frozenset()
    try:
        tree = ast.parse(Path(path).read_text("utf-8"))
    except (OSError, ValueError, SyntaxError):
        return frozenset()
    in_f_strings = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    return frozenset(
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in in_f_strings
    )
