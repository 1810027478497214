"""The description of a bioimage.io model, versions 0.3 to 0.5 of the format, in one form.

Source: the specification of model descriptions of bioimage.io. Version 0.5 describes each axis by itself; earlier ones
have one letter for each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_LETTERS = {"b": "batch", "i": "index", "t": "time", "c": "channel", "z": "z", "y": "y", "x": "x"}


@dataclass(frozen=True)
class Axis:
    """One axis of a tensor.

    Attributes:
        kind: ``"batch"``, ``"channel"``, ``"y"``, ``"x"``, ``"z"``, ``"time"`` or ``"index"``.
        size: if it is fixed; else None.
        names: of the channels, if they are named.
    """

    kind: str
    size: int | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """One step of processing: its name, without the mode, and its arguments."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Tensor:
    """An input or output.

    Attributes:
        name: for users.
        axes: in order.
        dtype: such as ``"float32"``.
        value_range: of its values, as far as they are known.
        steps: pre- or post-processing.
        test: name of the file with the test tensor; None if there is none.
    """

    name: str
    axes: tuple[Axis, ...]
    dtype: str
    value_range: tuple[float | None, float | None]
    steps: tuple[Step, ...]
    test: str | None

    def axis(self, kind: str) -> Axis | None:
        """Return the axis of a kind; None if there is none."""
        return next((axis for axis in self.axes if axis.kind == kind), None)

    @property
    def letters(self) -> str:
        """The axes as letters: ``"bcyx"``."""
        return "".join(axis.kind[0] for axis in self.axes)


@dataclass(frozen=True)
class Weights:
    """A set of weights: name of the file, its checksum if it is given, and the arguments of the network's class."""

    source: Any
    sha256: str
    arguments: Mapping[str, Any]
    callable: str = ""


@dataclass(frozen=True)
class ModelDescription:
    """A model: inputs, outputs, and its weights by their format."""

    name: str
    text: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    weights: Mapping[str, Weights]


def read_model(content: Mapping[str, Any]) -> ModelDescription:
    """Return the description of a model.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: if the content is not as the specification has it.
    """
    tests = [content.get(name) or [] for name in ("test_inputs", "test_outputs")]
    inputs, outputs = (
        tuple(_tensor(tensor, key, tests[index], number) for number, tensor in enumerate(content[name]))
        for index, (name, key) in enumerate((("inputs", "preprocessing"), ("outputs", "postprocessing")))
    )
    weights = {str(name): _weights(entry) for name, entry in dict(content["weights"]).items() if entry is not None}
    return ModelDescription(str(content.get("name", "")), str(content.get("description", "")), inputs, outputs, weights)


def _tensor(tensor: Mapping[str, Any], key: str, tests: list[Any], number: int) -> Tensor:
    name = str(tensor.get("id") or tensor.get("name") or number)
    described = tensor["axes"]
    axes = _letters(tensor) if isinstance(described, str) else tuple(_axis(axis) for axis in described)
    data = tensor.get("data")
    data = data[0] if isinstance(data, list) and data else data
    data = data if isinstance(data, Mapping) else {}
    dtype = str(data.get("type") or tensor.get("data_type") or "float32")
    low, high = data.get("range") or tensor.get("data_range") or (None, None)
    source: Any = tests[number] if number < len(tests) else None
    test = tensor.get("test_tensor")
    source = test.get("source") if isinstance(test, Mapping) else source
    steps = tuple(_step(step) for step in tensor.get(key) or ())
    return Tensor(name, axes, dtype, (_number(low), _number(high)), steps, None if source is None else str(source))


def _letters(tensor: Mapping[str, Any]) -> tuple[Axis, ...]:
    shape = tensor.get("shape")
    sizes = list(shape) if isinstance(shape, list) else [None] * len(tensor["axes"])
    letters = zip(tensor["axes"], sizes, strict=True)
    return tuple(Axis(_LETTERS[letter], size if isinstance(size, int) else None) for letter, size in letters)


def _axis(axis: Mapping[str, Any]) -> Axis:
    kind = str(axis.get("type", ""))
    if kind == "space":
        kind = str(axis["id"])
    names = axis.get("channel_names")
    names = tuple(str(name) for name in names) if isinstance(names, list) else ()
    size = len(names) if names else axis.get("size")
    if kind not in _LETTERS.values():
        raise ValueError(f"an axis is called {kind!r}")
    return Axis(kind, size if isinstance(size, int) else None, names)


def _step(step: Mapping[str, Any]) -> Step:
    name = str(step.get("id") or step["name"])
    return Step(name.removeprefix("fixed_"), dict(step.get("kwargs") or {}) | _mode(name))


def _mode(name: str) -> dict[str, Any]:
    """Return whether a step has fixed numbers, which version 0.5 says in its name."""
    return {"mode": "fixed"} if name.startswith("fixed_") else {}


def _weights(entry: Mapping[str, Any]) -> Weights:
    architecture = entry.get("architecture")
    described = architecture if isinstance(architecture, Mapping) else {}
    arguments = described.get("kwargs") or entry.get("kwargs") or {}
    name = described.get("callable") or (architecture if isinstance(architecture, str) else "")
    return Weights(
        entry["source"],
        str(entry.get("sha256") or ""),
        arguments if isinstance(arguments, Mapping) else {},
        str(name),
    )


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and abs(value) < 1e30 else None
