"""Graph arguments: the operations and values of an exported program's graph, out of the JSON that describes them.

Operations are looked up among ATen's alone, and Python's arithmetic for sizes. What is not known is refused by name.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from napari_segcam.errors import SegcamError

# The numbers that the schema gives types, memory formats and layouts.
DTYPES = {
    1: torch.uint8,
    2: torch.int8,
    3: torch.int16,
    4: torch.int32,
    5: torch.int64,
    6: torch.float16,
    7: torch.float32,
    8: torch.float64,
    10: torch.complex64,
    11: torch.complex128,
    12: torch.bool,
    13: torch.bfloat16,
}
_MEMORY_FORMATS = {1: torch.contiguous_format, 2: torch.channels_last, 4: torch.preserve_format}
_STRIDED = 7

_ATEN = re.compile(r"torch\.ops\.aten\.([a-z_]\w*)\.(\w+)")
_TOUCHES_FILES = {"from_file", "save", "_print"}

# Arithmetic on sizes. Without powers and shifts, numbers stay small.
_ARITHMETIC: dict[str, Callable[..., Any]] = {
    **{
        f"_operator.{name}": getattr(operator, name)
        for name in "add sub mul floordiv truediv mod neg getitem eq ne lt le gt ge and_ or_ not_".split()  # noqa: SIM905
    },
    "math.ceil": math.ceil,
    "math.floor": math.floor,
    "math.trunc": math.trunc,
    "torch.sym_max": torch.sym_max,
    "torch.sym_min": torch.sym_min,
    "torch.sym_int": torch.sym_int,
    "torch.sym_float": torch.sym_float,
    "torch.sym_not": torch.sym_not,
}


@dataclass(frozen=True)
class ResultName:
    """Stands in an operation's arguments for what an earlier one gave."""

    name: str


def find_operation(target: str) -> Callable[..., Any]:
    found = _ATEN.fullmatch(target)
    if found and found[1] not in _TOUCHES_FILES and not found[1].startswith("__"):
        packet = getattr(torch.ops.aten, found[1], None)
        operation = getattr(packet, found[2], None)
        if isinstance(operation, torch._ops.OpOverload):
            return operation
    if target in _ARITHMETIC:
        return _ARITHMETIC[target]
    raise SegcamError(f"uses the operation {target}, which is not one of torch's own (ATen). It is not opened")


def parse_argument(argument: Mapping[str, Any]) -> Any:
    """An argument: a value, or ``ResultName`` where it is what an earlier operation gave."""
    ((kind, value),) = argument.items()
    match kind:
        case "as_none":
            return None
        case "as_int" | "as_float" | "as_bool" | "as_string":
            return float(value) if kind == "as_float" else value  # NaN and infinities are written as texts
        case "as_ints" | "as_bools" | "as_strings" | "as_int_lists":
            return value
        case "as_floats":
            return [float(one) for one in value]
        case "as_tensor":
            return ResultName(value["name"])
        case "as_name":
            return ResultName(value)
        case "as_tensors":
            return [ResultName(one["name"]) for one in value]
        case "as_optional_tensor" | "as_sym_int" | "as_sym_float" | "as_sym_bool":
            return parse_argument(value)
        case "as_optional_tensors" | "as_sym_ints" | "as_sym_floats" | "as_sym_bools":
            return [parse_argument(one) for one in value]
        case "as_scalar_type" if value in DTYPES:
            return DTYPES[value]
        case "as_memory_format" if value in _MEMORY_FORMATS:
            return _MEMORY_FORMATS[value]
        case "as_layout" if value == _STRIDED:
            return torch.strided
        case "as_device":
            return torch.device("cpu")
    raise SegcamError(f"has an argument of a kind that is not known ({kind}). Export it with another version of torch")


def result_names(output: Mapping[str, Any]) -> str | list[str]:
    """The name of one output of an operation; for a list of tensors, all their names."""
    ((kind, value),) = output.items()
    if kind == "as_tensors":
        return [one["name"] for one in value]
    if kind == "as_tensor":
        return str(value["name"])
    if kind in ("as_sym_int", "as_sym_bool", "as_sym_float"):
        return str(value["as_name"])
    if kind == "as_none":
        return []
    raise SegcamError(f"has an output of a kind that is not known ({kind}). Export it with another version of torch")


def argument_names(node: Mapping[str, Any]) -> set[str]:
    """The names of the results that an operation takes."""
    waiting, names = [parse_argument(given["arg"]) for given in node["inputs"]], set()
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, ResultName):
            names.add(value.name)
    return names


def fill_in_results(value: Any, results: Mapping[str, Any]) -> Any:
    if isinstance(value, ResultName):
        return results[value.name]
    if isinstance(value, dict):
        return {name: fill_in_results(one, results) for name, one in value.items()}
    return type(value)(fill_in_results(one, results) for one in value) if isinstance(value, list | tuple) else value
