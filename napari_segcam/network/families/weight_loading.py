"""Fitting: weights go into a module by name, every one of them, or are refused with the counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import nn

from napari_segcam.errors import SegcamError, error_text
from napari_segcam.network.checkpoints.state_dict import list_names
from napari_segcam.network.families.encoders import shapes_of

Weights = Mapping[str, torch.Tensor]


def load_weights(module: nn.Module, weights: Weights, unfit: str) -> nn.Module:
    """Put weights into a module, all of them and nothing less.

    Names may differ by what one wrapper puts before all of them; what lies outside of that is not the module's.

    Args:
        module: its own weights may be without values, on torch's ``meta`` device.
        weights: by name. Those that are float32 already are shared, not copied.
        unfit: begins the message where they do not fit, "FILE: the weights do not fit X".

    Returns:
        The module in eval mode, frozen, in float32 on the CPU.

    Raises:
        SegcamError: if any weight is missing, unexpected, of another shape, or quantized.
    """
    expected = module.state_dict()
    pairs = _pairs(expected, weights)
    given = {own: weights[name] for own, name in pairs.items()} if pairs else dict(weights)
    given = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in given.items()}
    quantized = [
        name
        for name, tensor in given.items()
        if name in expected and expected[name].is_floating_point() and not tensor.is_floating_point()
    ]
    if quantized:
        raise SegcamError(f"{unfit}: {len(quantized)} are not floating-point numbers ({list_names(quantized)}).")
    try:
        # SMP renames older names in the dict itself, so that the names compared below are the new ones.
        module.load_state_dict(given, strict=True, assign=True)
    except RuntimeError as error:
        raise SegcamError(f"{unfit}: {_difference(expected, given) or error_text(error)}.") from error
    module.eval()
    return module.requires_grad_(False)


def unused_weights(module: nn.Module, weights: Weights) -> tuple[str, ...]:
    """Names of the weights that lie outside of the module's: of a loss, or of another network saved along."""
    used = set(_pairs(module.state_dict(), weights).values())
    return tuple(name for name in weights if used and name not in used)


def _pairs(expected: Iterable[str], given: Iterable[str]) -> dict[str, str]:
    """The module's names → those of the given ones that differ by one prefix alone; none where some has no match.

    Where the prefix is of the module's own names, nothing tells which of the given ones are not meant: all are taken.
    """
    # Batch counters may be absent, but where they are there they are the module's too.
    names, wanted = list(given), [name for name in expected if not name.endswith("num_batches_tracked")]
    if not wanted:
        return {}
    for prefix in _prefixes(names, wanted[0]):
        there = {name.removeprefix(prefix) for name in names if name.startswith(prefix)}
        if there.issuperset(wanted):
            return {name: prefix + name for name in there}
    for prefix in _prefixes(wanted, names[0]) if names else ():
        if {prefix + name for name in names}.issuperset(wanted):
            return {prefix + name: name for name in names}
    return {}


def _prefixes(names: Iterable[str], ending: str) -> list[str]:
    """What stands before ``ending`` in names that end so, the shortest first."""
    found = {name.removesuffix(ending) for name in names if name.endswith(ending)}
    return sorted((prefix for prefix in found if not prefix or prefix.endswith(".")), key=len)


def _difference(expected: Weights, given: Weights) -> str:
    counted = shapes_of(expected)
    groups = {
        "missing": [name for name in counted if name not in given],
        "unexpected": [name for name in given if name not in expected],
        "of another shape": [name for name in counted if name in given and given[name].shape != expected[name].shape],
    }
    return ", ".join(f"{len(names)} {kind} ({list_names(names)})" for kind, names in groups.items() if names)
