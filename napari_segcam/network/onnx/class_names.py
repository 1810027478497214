"""Names of classes in the metadata of an ONNX file."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from typing import Any

from napari_segcam.errors import is_unprintable

_KEYS = ("class_names", "classes", "names", "labels", "id2label", "categories")
_LONGEST = 20_000
_MOST, _LONGEST_NAME = 255, 200


def class_names(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of the classes that the metadata give, in their order; none if they give none.

    They may be a list or a dict from numbers, as JSON or as Python writes them, or a text with commas.
    """
    for key in _KEYS:
        text = next((value for name, value in metadata.items() if name.lower() == key), "")
        names = _names_in(text) if text and len(text) <= _LONGEST else ()
        if names:
            return names
    return ()


def _names_in(text: str) -> tuple[str, ...]:
    value: Any = text.split(",")
    for read in (json.loads, ast.literal_eval):
        try:
            value = read(text)
            break
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            continue
    if isinstance(value, dict):
        try:
            value = [value[key] for key in sorted(value, key=int)]
        except (TypeError, ValueError):
            return ()
    if not isinstance(value, list | tuple) or not 0 < len(value) <= _MOST:
        return ()
    names = tuple(name.strip() for name in value if isinstance(name, str))
    are_usable = all(name and len(name) <= _LONGEST_NAME and not any(map(is_unprintable, name)) for name in names)
    return names if are_usable and len(names) == len(value) == len(set(names)) else ()
