"""Operators that compute each element by itself: arithmetic, functions of a number, comparisons, types."""

from __future__ import annotations

import operator as python
from collections.abc import Callable
from functools import reduce

import torch

from napari_segcam.network.onnx.graph import Node
from napari_segcam.network.onnx.operators.registry import Function, operator

# Numbers of the types in ONNX. All real numbers are float32 here.
_TYPES = {
    **dict.fromkeys((1, 10, 11, 16), torch.float32),
    2: torch.uint8,
    3: torch.int8,
    4: torch.int32,
    5: torch.int16,
    6: torch.int32,
    7: torch.int64,
    9: torch.bool,
    12: torch.int64,
    13: torch.int64,
}

_UNARY: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "Abs": torch.abs,
    "Acos": torch.acos,
    "Asin": torch.asin,
    "Atan": torch.atan,
    "Ceil": torch.ceil,
    "Cos": torch.cos,
    "Cosh": torch.cosh,
    "Erf": torch.erf,
    "Exp": torch.exp,
    "Floor": torch.floor,
    "Identity": lambda x: x,
    "IsNaN": torch.isnan,
    "Log": torch.log,
    "Neg": torch.neg,
    "Not": torch.logical_not,
    "Reciprocal": torch.reciprocal,
    "Round": torch.round,
    "Sign": torch.sign,
    "Sin": torch.sin,
    "Sinh": torch.sinh,
    "Sqrt": torch.sqrt,
    "Tan": torch.tan,
    "BitwiseNot": torch.bitwise_not,
}

_BINARY: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "Add": python.add,
    "Sub": python.sub,
    "Mul": python.mul,
    "Equal": torch.eq,
    "Greater": torch.gt,
    "GreaterOrEqual": torch.ge,
    "Less": torch.lt,
    "LessOrEqual": torch.le,
    "And": torch.logical_and,
    "Or": torch.logical_or,
    "Xor": torch.logical_xor,
    "BitwiseAnd": torch.bitwise_and,
    "BitwiseOr": torch.bitwise_or,
    "BitwiseXor": torch.bitwise_xor,
}

_MANY: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "Sum": torch.add,
    "Max": torch.maximum,
    "Min": torch.minimum,
}


def _constant_function(function: Function) -> Callable[[Node], Function]:
    return lambda _node: function


_FUNCTIONS: dict[str, Function] = {**_UNARY, **_BINARY}
for _name, _function in _FUNCTIONS.items():
    operator(_name)(_constant_function(_function))


def _folded(function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Function:
    return lambda *tensors: reduce(function, tensors)


for _name, _combine in _MANY.items():
    operator(_name)(_constant_function(_folded(_combine)))


@operator("Mean")
def mean(_node: Node) -> Function:
    """Mean of several tensors."""
    return lambda *tensors: reduce(torch.add, tensors) / len(tensors)


@operator("Div")
def div(_node: Node) -> Function:
    """Quotient; that of integers is rounded toward zero."""

    def run(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        if a.is_floating_point() or b.is_floating_point():
            return a / b
        return torch.div(a, b, rounding_mode="trunc")

    return run


@operator("Mod")
def mod(node: Node) -> Function:
    """Remainder, with the sign of the divisor, or of the dividend with ``fmod``."""
    return torch.fmod if node.integer("fmod") else torch.remainder


@operator("Pow")
def power(_node: Node) -> Function:
    """Power, of the type of the base."""
    return lambda base, exponent: torch.pow(base, exponent).to(base.dtype)


@operator("Where")
def where(_node: Node) -> Function:
    """Elements of one tensor or of the other."""
    return lambda condition, a, b: torch.where(condition.bool(), a, b)


@operator("IsInf")
def is_infinite(node: Node) -> Function:
    """Whether a number is infinite."""
    positive, negative = bool(node.integer("detect_positive", 1)), bool(node.integer("detect_negative", 1))
    return lambda x: (torch.isposinf(x) & positive) | (torch.isneginf(x) & negative)


@operator("Cast")
def cast(node: Node) -> Function:
    """The same numbers in another type."""
    dtype = _TYPES.get(node.integer("to"))
    if dtype is None:
        raise node.missing(f"type {node.integer('to')}")
    return lambda x: x.to(dtype)


@operator("CastLike")
def cast_like(_node: Node) -> Function:
    """The same numbers in the type of another tensor."""
    return lambda x, other: x.to(other.dtype)


@operator("Clip", host=(1, 2))
def clip(node: Node) -> Function:
    """Numbers between two bounds."""
    low_attribute, high_attribute = node.attributes.get("min"), node.attributes.get("max")

    def run(x: torch.Tensor, low: object = None, high: object = None) -> torch.Tensor:
        low, high = low_attribute if low is None else low, high_attribute if high is None else high
        kind = float if x.is_floating_point() else int
        bounds = [None if bound is None else kind(bound) for bound in (low, high)]  # type: ignore[arg-type]
        return x if bounds == [None, None] else torch.clamp(x, *bounds)

    return run
