"""The file of preferences: written whole or not at all; what it holds besides is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_segcam.errors import SegcamError, error_text
from napari_segcam.files import replace_file, whole_file
from napari_segcam.preferences.catalog import BY_NAME, Value
from napari_segcam.preferences.folder import config_folder

_FILE = "preferences.yaml"
_FILE_BYTES = 2**17
_LOCK_SECONDS = 10
_HEAD = "# Preferences of napari-segcam. What is not listed here has its default.\n"


@dataclass(frozen=True)
class Stored:
    """What the file says.

    Attributes:
        values: that can be used, by name.
        others: everything else in it.
        problems: what is wrong with it, in words.
    """

    values: Mapping[str, Value]
    others: Mapping[str, Any]
    problems: tuple[str, ...] = ()


def preferences_path() -> Path:
    """Return the path of the file, which need not exist."""
    return config_folder() / _FILE


def read_file(path: Path) -> Stored:
    """Return what a file of preferences says; a file that is damaged is set aside, and the defaults count."""
    try:
        with path.open("rb") as file:
            data = file.read(_FILE_BYTES + 1)
    except FileNotFoundError:
        return Stored({}, {})
    except OSError as error:
        return Stored({}, {}, (f"{path} cannot be read: {error_text(error)}. The default preferences are used.",))
    try:
        content = _content(data)
    except SegcamError as fault:
        return Stored({}, {}, (_set_aside(path, str(fault)),))
    values: dict[str, Value] = {}
    others: dict[str, Any] = {}
    problems = []
    for name, value in content.items():
        preference = BY_NAME.get(name) if isinstance(name, str) else None
        if preference is None:
            others[name] = value
            continue
        try:
            values[preference.name] = preference.checked(value)
        except SegcamError as fault:
            others[name] = value
            problems.append(f"{path}: {fault} {preference.default!r} is used.")
    return Stored(values, others, tuple(problems))


def write_file(path: Path, changes: Mapping[str, Value | None]) -> None:
    """Write changed preferences into the file; the others in it stay, also unknown ones and those of other programs.

    Args:
        path: of the file.
        changes: new values by name; None for the default, which is not written.

    Raises:
        SegcamError: if a value is not allowed, or the file cannot be written.
    """
    import yaml
    from filelock import FileLock, Timeout

    checked = {name: None if value is None else BY_NAME[name].checked(value) for name, value in changes.items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f".{path.name}.lock"), timeout=_LOCK_SECONDS):
            stored = read_file(path)
            present: dict[str, Any] = {**stored.others, **stored.values}
            for name, value in checked.items():
                present.pop(name, None)
                if value is not None:
                    present[name] = value
            with whole_file(path) as temporary:
                text = yaml.safe_dump(present, allow_unicode=True, sort_keys=False) if present else ""
                temporary.write_text(_HEAD + text, encoding="utf-8")
    except Timeout:
        raise SegcamError(f"{path} cannot be written: another process is writing it. Try again.") from None
    except OSError as error:
        raise SegcamError(f"{path} cannot be written: {error_text(error)}.") from error


def _content(data: bytes) -> dict[Any, Any]:
    import yaml

    if len(data) > _FILE_BYTES:
        raise SegcamError("is too large for a file of preferences")
    try:
        content = yaml.safe_load(data.decode("utf-8-sig"))
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise SegcamError("is damaged") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise SegcamError("does not hold names with their values")
    return content


def _set_aside(path: Path, reason: str) -> str:
    """Rename a damaged file; return what happened, in words."""
    for number in range(100):
        aside = path.with_name(f"{path.name}.damaged{number or ''}")
        if aside.exists():
            continue
        try:
            replace_file(path, aside)
        except OSError as error:
            return f"{path} {reason}, and cannot be set aside: {error_text(error)}. The default preferences are used."
        return f"{path} {reason}. It is kept as {aside.name}, and the default preferences are used."
    return f"{path} {reason}. The default preferences are used."
