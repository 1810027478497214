"""Load weights into a module by name, all of them, or refuse them and count those that do not fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import nn

from napari_segcam.errors import SegcamError, error_text
from napari_segcam.network.checkpoints.state_dict import list_names
from napari_segcam.network.families.encoders import shapes_of

Weights = Mapping[str, torch.Tensor]


def load_weights(module: nn.Module, weights: Weights, error_prefix: str) -> nn.Module:
    """Load weights into a module, all that it has.

    All names may have one prefix of a wrapper. Weights without that prefix do not belong to the module.

    Args:
        module: may be without values of its weights, on torch's ``meta`` device.
        weights: by name. Those that are float32 already are shared, not copied.
        error_prefix: start of the message if they do not fit, "FILE: the weights do not fit X".

    Returns:
        The module in eval mode, frozen, in float32 on the CPU.

    Raises:
        SegcamError: if any weight is missing, unexpected, of another shape, or quantized.
    """
    expected = module.state_dict()
    names = _match_names(expected, weights)
    renamed = {name: weights[stored] for name, stored in names.items()} if names else dict(weights)
    renamed = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in renamed.items()}
    quantized = [
        name
        for name, tensor in renamed.items()
        if name in expected and expected[name].is_floating_point() and not tensor.is_floating_point()
    ]
    if quantized:
        raise SegcamError(f"{error_prefix}: {len(quantized)} are not floating-point numbers ({list_names(quantized)}).")
    try:
        # SMP replaces older names in this dict, so the names compared below are the new ones.
        module.load_state_dict(renamed, strict=True, assign=True)
    except RuntimeError as error:
        raise SegcamError(f"{error_prefix}: {_difference(expected, renamed) or error_text(error)}.") from error
    module.eval()
    return module.requires_grad_(False)


def unused_weights(module: nn.Module, weights: Weights) -> tuple[str, ...]:
    """Return the names of weights that do not belong to the module but to a loss or another network in the file."""
    used = set(_match_names(module.state_dict(), weights).values())
    return tuple(name for name in weights if used and name not in used)


def _match_names(expected: Iterable[str], stored: Iterable[str]) -> dict[str, str]:
    """Return the module's names → the stored names, which differ by one prefix; empty if some name has no match.

    If the module's names have the prefix, all stored names belong to the module.
    """
    # Batch counters may be missing.
    names, required = list(stored), [name for name in expected if not name.endswith("num_batches_tracked")]
    if not required:
        return {}
    for prefix in _prefixes(names, required[0]):
        unprefixed = {name.removeprefix(prefix) for name in names if name.startswith(prefix)}
        if unprefixed.issuperset(required):
            return {name: prefix + name for name in unprefixed}
    for prefix in _prefixes(required, names[0]) if names else ():
        if {prefix + name for name in names}.issuperset(required):
            return {prefix + name: name for name in names}
    return {}


def _prefixes(names: Iterable[str], ending: str) -> list[str]:
    """Return what comes before ``ending`` in names with this ending, the shortest first."""
    prefixes = {name.removesuffix(ending) for name in names if name.endswith(ending)}
    return sorted((prefix for prefix in prefixes if not prefix or prefix.endswith(".")), key=len)


def _difference(expected: Weights, weights: Weights) -> str:
    required = shapes_of(expected)
    groups = {
        "missing": [name for name in required if name not in weights],
        "unexpected": [name for name in weights if name not in expected],
        "of another shape": [
            name for name in required if name in weights and weights[name].shape != expected[name].shape
        ],
    }
    return ", ".join(f"{len(names)} {kind} ({list_names(names)})" for kind, names in groups.items() if names)
