"""Operations and arguments of an exported program's graph, from their JSON.

An operation must be one of ATen's, or Python's arithmetic on sizes. Others are refused by name.
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

# Numbers of types, memory formats and layouts in the schema.
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

# Arithmetic on sizes. Powers and shifts are left out, so that numbers stay small.
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
    """In the arguments of an operation: the result of an earlier one, by name."""

    name: str


def find_operation(target: str) -> Callable[..., Any]:
    """The operation that a graph calls by this name.

    Raises:
        SegcamError: if it is neither ATen's nor arithmetic.
    """
    match = _ATEN.fullmatch(target)
    if match and match[1] not in _TOUCHES_FILES and not match[1].startswith("__"):
        packet = getattr(torch.ops.aten, match[1], None)
        operation = getattr(packet, match[2], None)
        if isinstance(operation, torch._ops.OpOverload):
            return operation
    if target in _ARITHMETIC:
        return _ARITHMETIC[target]
    raise SegcamError(f"uses the operation {target}, which is not one of torch's own (ATen). It is not opened")


def parse_argument(argument: Mapping[str, Any]) -> Any:
    """Return the value of an argument, or ``ResultName`` for the result of an earlier operation."""
    ((kind, value),) = argument.items()
    match kind:
        case "as_none":
            return None
        case "as_int" | "as_float" | "as_bool" | "as_string":
            return float(value) if kind == "as_float" else value  # NaN and infinity are written as text
        case "as_ints" | "as_bools" | "as_strings" | "as_int_lists":
            return value
        case "as_floats":
            return [float(item) for item in value]
        case "as_tensor":
            return ResultName(value["name"])
        case "as_name":
            return ResultName(value)
        case "as_tensors":
            return [ResultName(item["name"]) for item in value]
        case "as_optional_tensor" | "as_sym_int" | "as_sym_float" | "as_sym_bool":
            return parse_argument(value)
        case "as_optional_tensors" | "as_sym_ints" | "as_sym_floats" | "as_sym_bools":
            return [parse_argument(item) for item in value]
        case "as_scalar_type" if value in DTYPES:
            return DTYPES[value]
        case "as_memory_format" if value in _MEMORY_FORMATS:
            return _MEMORY_FORMATS[value]
        case "as_layout" if value == _STRIDED:
            return torch.strided
        case "as_device":
            return torch.device("cpu")
    raise SegcamError(f"has an argument of an unknown kind ({kind}). Export it with another version of torch")


def result_names(output: Mapping[str, Any]) -> str | list[str]:
    """Name of an output of an operation; for a list of tensors, a list of their names."""
    ((kind, value),) = output.items()
    if kind == "as_tensors":
        return [tensor["name"] for tensor in value]
    if kind == "as_tensor":
        return str(value["name"])
    if kind in ("as_sym_int", "as_sym_bool", "as_sym_float"):
        return str(value["as_name"])
    if kind == "as_none":
        return []
    raise SegcamError(f"has an output of an unknown kind ({kind}). Export it with another version of torch")


def argument_names(node: Mapping[str, Any]) -> set[str]:
    """Names of the results that an operation takes."""
    pending, names = [parse_argument(argument["arg"]) for argument in node["inputs"]], set()
    while pending:
        value = pending.pop()
        if isinstance(value, list):
            pending += value
        elif isinstance(value, ResultName):
            names.add(value.name)
    return names


def fill_in_results(value: Any, results: Mapping[str, Any]) -> Any:
    """Replace every ``ResultName`` in an argument, however deep, by the result."""
    if isinstance(value, ResultName):
        return results[value.name]
    if isinstance(value, dict):
        return {key: fill_in_results(item, results) for key, item in value.items()}
    return type(value)(fill_in_results(item, results) for item in value) if isinstance(value, list | tuple) else value
