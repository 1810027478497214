"""Read YAML and JSON settings as plain data of limited size and depth."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from napari_segcam.budget import OPTION_SIZE, SETTINGS_BYTES
from napari_segcam.errors import SegcamError, error_text, is_unprintable

_MAX_EXPANDED = 100_000
_MAX_DEPTH, _MAX_VALUES, _MAX_TEXT_LENGTH = 8, 10_000, 10_000


def read_text(path: Path, max_bytes: int = SETTINGS_BYTES) -> str:
    """Return the text of a file.

    Args:
        path: path of the file.
        max_bytes: size limit.

    Raises:
        SegcamError: if the file is larger.
        OSError, UnicodeDecodeError: if the file cannot be read or is not text.
    """
    with path.open("rb") as file:
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise SegcamError(f"{path} is larger than {max_bytes // 1024:,} KB, the limit for such a file.")
    return content.decode("utf-8-sig")


def read_json(path: Path) -> Any:
    """Return the content of a JSON file.

    Raises:
        SegcamError: if the file is too large.
        OSError, ValueError: if the file cannot be read or is not JSON.
    """
    try:
        return json.loads(read_text(path))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def parse_yaml(text: str, *, anchors: bool = False) -> Any:
    """Return the content of a YAML text. Anchors are refused: with them, a few lines can expand to gigabytes.

    Args:
        text: the text.
        anchors: whether anchors are read, as programs write them for equal parts, if the content stays small.

    Raises:
        ValueError: if the text is not valid YAML, has an anchor, or expands too far; the message says why.
    """
    try:
        content = yaml.load(text, _AnchorLoader if anchors else _PlainLoader)
        if anchors:
            _expanded_size(content, {})
        return content
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except (yaml.YAMLError, ValueError, TypeError, OverflowError) as error:
        raise ValueError(error_text(error)) from error


def yaml_nodes(text: str) -> yaml.Node | None:
    """Return the root of a YAML text as a tree of nodes, which know their lines; None if the text is empty.

    Anchors are refused, as by ``parse_yaml``.

    Raises:
        ValueError: if the text is not valid YAML or has an anchor; the message says why.
    """
    try:
        return yaml.compose(text, _PlainLoader)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise ValueError(f"{line}{error.problem or error.context}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise ValueError(error_text(error)) from error


class _PlainLoader(yaml.SafeLoader):
    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise yaml.YAMLError(f"anchors (&{event.anchor}) are not read: write out what they stand for")
        return super().compose_node(parent, index)


class _AnchorLoader(yaml.SafeLoader):
    def flatten_mapping(self, node: Any) -> None:
        if any(key.tag == "tag:yaml.org,2002:merge" for key, _ in node.value):
            raise yaml.YAMLError("merged fields (<<) are not read: write out what they stand for")
        super().flatten_mapping(node)


def _expanded_size(value: Any, sizes: dict[int, int]) -> int:
    """Return how many values there are if each part counts as often as it is referred to.

    Raises:
        ValueError: if there are too many, or a part holds itself.
    """
    if not isinstance(value, Mapping | list):
        return 1
    known = sizes.get(id(value))
    if known is None:
        sizes[id(value)] = -1
        known = 1 + sum(
            _expanded_size(part, sizes) for part in (value.values() if isinstance(value, Mapping) else value)
        )
        sizes[id(value)] = known
    if known < 0 or known > _MAX_EXPANDED:
        raise ValueError("its anchors make it far larger than it looks, or endless")
    return known


def refuse_unusual(value: Any, name: str, depth: int = 0) -> int:
    """Refuse options that no real network has: huge numbers, texts or lists, or control characters.

    Args:
        value: the options, as read from YAML or JSON.
        name: what to call them in the message.
        depth: the nesting depth of this value.

    Returns:
        The number of values in it.

    Raises:
        ValueError: if the options are refused; the message says why.
    """
    if depth > _MAX_DEPTH:
        raise ValueError(f"{name} is nested too deeply")
    if isinstance(value, str):
        if len(value) > _MAX_TEXT_LENGTH or any(is_unprintable(character) for character in value):
            raise ValueError(f"{name} holds a text that is too long or has characters that cannot be printed")
    elif isinstance(value, int | float) and not abs(value) <= OPTION_SIZE:  # refuses NaN too
        raise ValueError(f"{name} holds a number that is larger than {OPTION_SIZE:,} or undefined (NaN)")
    parts: list[Any] = []
    if isinstance(value, Mapping):
        parts = [*value, *value.values()]
    elif isinstance(value, list | tuple | set | frozenset):
        parts = list(value)
    count = 1
    for part in parts:
        count += refuse_unusual(part, name, depth + 1)
        if count > _MAX_VALUES:
            raise ValueError(f"{name} holds too many values")
    return count
