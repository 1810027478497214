"""Read the configuration of a MONAI bundle as data: references are resolved, and ``$`` expressions never run.

Source: MONAI's specification of bundle configurations: ``"@name"`` refers to another part, ``"%name"`` copies its text,
``"$…"`` is a Python expression, and ``_target_`` names a class.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from napari_segcam.errors import SegcamError

_DEEPEST = 40
_MOST_VALUES = 20_000
_REFERENCE = re.compile(r"@(\w+(?:(?:#|::)\w+)*)")
_SEPARATOR = re.compile(r"#|::")


@dataclass(frozen=True)
class Expression:
    """An expression that is not run, as it is written."""

    text: str


class Config:
    """A configuration whose parts are resolved when they are asked for."""

    def __init__(self, content: Mapping[str, Any], name: str) -> None:
        """Take a configuration.

        Args:
            content: of the file.
            name: of the bundle, for errors.
        """
        self._content, self._name = content, name
        self._count = 0

    def __contains__(self, part: str) -> bool:
        return part in self._content

    def get(self, part: str) -> Any:
        """Return a part with its references resolved; expressions with more than plain values are ``Expression``.

        Args:
            part: such as ``"network_def"`` or ``"preprocessing#transforms"``.

        Raises:
            SegcamError: if references lead in a circle, to nothing, or to far too much.
        """
        return self._resolved(self._part(part), 0)

    def _part(self, name: str) -> Any:
        value: Any = self._content
        for key in _SEPARATOR.split(name):
            if isinstance(value, Mapping) and key in value:
                value = value[key]
            elif isinstance(value, list) and key.isdigit() and int(key) < len(value):
                value = value[int(key)]
            else:
                raise SegcamError(f"{self._name}: the configuration refers to {name}, which is not there.")
        return value

    def _resolved(self, value: Any, depth: int) -> Any:
        self._count += 1
        if depth > _DEEPEST or self._count > _MOST_VALUES:
            raise SegcamError(f"{self._name}: the configuration's references lead in a circle, or to far too much.")
        if isinstance(value, Mapping):
            return {str(key): self._resolved(part, depth + 1) for key, part in value.items()}
        if isinstance(value, list):
            return [self._resolved(part, depth + 1) for part in value]
        if not isinstance(value, str):
            return value
        if value.startswith("%"):
            if not _REFERENCE.fullmatch(f"@{value[1:].lstrip('#')}"):
                return Expression(value)  # a part of another file
            return self._resolved(self._part(value[1:].lstrip("#")), depth + 1)
        if value.startswith("$"):
            return self._literal(value, depth)
        if _REFERENCE.fullmatch(value):
            return self._resolved(self._part(value[1:]), depth + 1)
        return value

    def _literal(self, text: str, depth: int) -> Any:
        """Return the value of an expression of plain values and references; other expressions stay as they are."""

        def insert(match: re.Match[str]) -> str:
            value = self._resolved(self._part(match[1]), depth + 1)
            return repr(value)

        try:
            return ast.literal_eval(_REFERENCE.sub(insert, text[1:]).strip())
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError, SegcamError):
            return Expression(text)
