"""Settings that people and libraries write as YAML or JSON: read as plain data, of bounded size and depth."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from napari_segcam.budget import OPTION_SIZE, SETTINGS_BYTES
from napari_segcam.errors import SegcamError, error_text, is_unprintable

_DEEPEST, _MOST_VALUES, _LONGEST_TEXT = 8, 10_000, 10_000


def read_text(path: Path, most: int = SETTINGS_BYTES) -> str:
    """The text of a file.

    Args:
        path: of the file.
        most: bytes that it may have.

    Raises:
        SegcamError: if it is larger.
        OSError, UnicodeDecodeError: if it cannot be read, or is no text.
    """
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise SegcamError(f"{path} is larger than the {most // 1024:,} KB that are read of such a file.")
    return content.decode("utf-8-sig")


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        SegcamError: if it is too large.
        OSError, ValueError: if it cannot be read, or is no JSON.
    """
    try:
        return json.loads(read_text(path))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def parse_yaml(text: str) -> Any:
    """What a text means as YAML, without anchors: with these a few lines can stand for gigabytes.

    Raises:
        ValueError: if it is not valid, or has an anchor; with the reason.
    """
    try:
        return yaml.load(text, _PlainLoader)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except (yaml.YAMLError, ValueError, TypeError, OverflowError) as error:
        raise ValueError(error_text(error)) from error


class _PlainLoader(yaml.SafeLoader):
    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise yaml.YAMLError(f"anchors (&{event.anchor}) are not read: write out what they stand for")
        return super().compose_node(parent, index)


def refuse_unusual(value: Any, what: str, depth: int = 0) -> int:
    """Refuse options that no network has: numbers, texts or lists of any size, or control characters.

    Args:
        value: as YAML or JSON gives it.
        what: to call it.
        depth: how deep it lies.

    Returns:
        How many values it has.

    Raises:
        ValueError: if so, with the reason.
    """
    if depth > _DEEPEST:
        raise ValueError(f"{what} is nested too deeply")
    if isinstance(value, str):
        if len(value) > _LONGEST_TEXT or any(is_unprintable(letter) for letter in value):
            raise ValueError(f"{what} holds a text that is too long, or has characters that cannot be printed")
    elif isinstance(value, int | float) and not abs(value) <= OPTION_SIZE:  # NaN neither
        raise ValueError(f"{what} holds a number larger than {OPTION_SIZE:,}, or none")
    parts: list[Any] = []
    if isinstance(value, Mapping):
        parts = [*value, *value.values()]
    elif isinstance(value, list | tuple | set | frozenset):
        parts = list(value)
    count = 1
    for part in parts:
        count += refuse_unusual(part, what, depth + 1)
        if count > _MOST_VALUES:
            raise ValueError(f"{what} holds too many values")
    return count
