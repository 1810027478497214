"""The file of criteria: YAML, whose faults are named with their line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import yaml

from napari_segcam.budget import CARD_BYTES
from napari_segcam.errors import SegcamError, error_text
from napari_segcam.files import refuse_no_file
from napari_segcam.network.settings_text import read_text, yaml_nodes
from napari_segcam.validating.criteria.criterion import LINE_FORM, Criterion, Field, criterion_in, criterion_of

CriteriaSource = Path | str | Sequence[str | Mapping[str, object]]
"""A YAML file, or the criteria: each the fields of one, or one line of text."""

_FORM = f"The file holds criteria: with a list, each with fields or as {LINE_FORM}."


def read_criteria(source: CriteriaSource) -> list[Criterion]:
    """Return criteria from a YAML file, or from Python.

    Raises:
        SegcamError: if the file cannot be read, or a criterion is wrong; the message has the line.
    """
    if isinstance(source, Path | str):
        found = list(_of_file(Path(source)))
    else:
        found = [_of_value(value, f"Criterion {number}") for number, value in enumerate(source, 1)]
    if not found:
        raise SegcamError(f"There is no criterion in {source}." if isinstance(source, Path | str) else "No criterion.")
    return found


def _of_value(value: str | Mapping[str, object], where: str) -> Criterion:
    if isinstance(value, str):
        return criterion_in(value, where)
    return criterion_of({str(name): (str(field), where) for name, field in value.items()}, where)


def _of_file(path: Path) -> Iterator[Criterion]:
    refuse_no_file(path)
    try:
        root = yaml_nodes(read_text(path, CARD_BYTES))
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise SegcamError(f"The criteria {path} cannot be read: {error_text(error)}.") from error
    if root is None:
        return
    fields = _pairs(root, path) if isinstance(root, yaml.MappingNode) else []
    for key, value in fields:
        if key.value != "criteria":
            raise SegcamError(f"{_place(path, key)}: {_text(key, path)[0]} is not known here. {_FORM}")
        if not isinstance(value, yaml.SequenceNode):
            raise SegcamError(f"{_place(path, value)}: criteria is no list. {_FORM}")
        for item in value.value:
            yield _of_node(item, path)
    if not fields:
        raise SegcamError(f"{_place(path, root)}: there is no criteria: here. {_FORM}")


def _of_node(node: yaml.Node, path: Path) -> Criterion:
    where = _place(path, node)
    if isinstance(node, yaml.ScalarNode):
        return criterion_in(str(node.value), where)
    if not isinstance(node, yaml.MappingNode):
        raise SegcamError(f"{where}: this is no criterion. {_FORM}")
    return criterion_of({_text(key, path)[0]: _text(value, path) for key, value in _pairs(node, path)}, where)


def _pairs(node: yaml.MappingNode, path: Path) -> list[tuple[yaml.Node, yaml.Node]]:
    """Return the keys and values of a mapping; a key that comes twice is refused."""
    seen: set[str] = set()
    for key, _ in node.value:
        name = _text(key, path)[0]
        if name in seen:
            raise SegcamError(f"{_place(path, key)}: {name} comes twice.")
        seen.add(name)
    return list(node.value)


def _text(node: yaml.Node, path: Path) -> Field:
    if not isinstance(node, yaml.ScalarNode):
        raise SegcamError(f"{_place(path, node)}: a field of a criterion is one word or number, no list.")
    return str(node.value).strip(), _place(path, node)


def _place(path: Path, node: yaml.Node) -> str:
    return f"{path}, line {node.start_mark.line + 1}"
