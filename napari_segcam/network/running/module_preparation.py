"""Prepare a user's module: copy it, unwrap it, set eval mode, and fold parametrizations into plain weights."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import torch
from torch import nn
from torch.nn.parallel import DataParallel, DistributedDataParallel
from torch.nn.utils import parametrize, prune, remove_spectral_norm, remove_weight_norm
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm
from torch.optim.swa_utils import AveragedModel
from torch.utils._pytree import tree_leaves

from napari_segcam.errors import SegcamError
from napari_segcam.network.running.dry_run import failure_in_words
from napari_segcam.network.running.unsupported_modules import refuse_unsupported


def prepare_module(module: nn.Module) -> nn.Module:
    """Prepare a module to be run: unwrapped, in eval mode, with plain weights. It is changed.

    Raises:
        SegcamError: if it takes no image, or has no weights.
    """
    module = unwrap_module(module)
    refuse_unsupported(module)
    try:
        module.eval()
    except Exception as error:  # the module's own train() may raise anything
        raise SegcamError(f"The network cannot be set to eval mode: {failure_in_words(error)}") from error
    fold_parametrizations(module)
    return module


def copy_module(module: nn.Module) -> nn.Module:
    """Copy a module, with everything in it, also if it keeps tensors that have a graph.

    Raises:
        SegcamError: if the module holds something that cannot be copied.
    """
    # Torch copies only leaf tensors. A pruned weight, or a map that a layer keeps from its last run, is not a leaf.
    memo: dict[int, Any] = {}
    for part in module.modules():
        for value in tree_leaves([attribute for name, attribute in vars(part).items() if name != "_modules"]):
            if isinstance(value, torch.Tensor) and not value.is_leaf:
                memo[id(value)] = value.detach().clone()
    try:
        return copy.deepcopy(module, memo)
    except Exception as error:  # it may hold locks, open files, a trainer
        raise SegcamError(
            f"The network cannot be copied: {failure_in_words(error)}. Give a module that holds only layers."
        ) from error


def unwrap_module(module: nn.Module) -> nn.Module:
    """The network itself, without wrappers that compile it, distribute it or average its weights."""
    if isinstance(module, torch.jit.ScriptModule):
        return module
    while True:
        inner = module._modules.get("_orig_mod")  # torch.compile's, whose class takes seconds to import
        if inner is None and isinstance(module, DataParallel | DistributedDataParallel | AveragedModel):
            inner = module.module
        if not isinstance(inner, nn.Module):
            break
        module = inner
    for name, child in module._modules.items():
        if child is not None:
            module._modules[name] = unwrap_module(child)
    return module


def fold_parametrizations(module: nn.Module) -> None:
    """Replace weights that are computed at each run with parameters of the same values.

    Weight norm, spectral norm, pruning and all other parametrizations compute weights. The module is in eval mode.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch has newer forms of the first two
        for part in list(module.modules()):
            if isinstance(part, torch.jit.ScriptModule):
                continue
            for hook in list(part._forward_pre_hooks.values()):
                if isinstance(hook, WeightNorm):
                    remove_weight_norm(part, hook.name)
                elif isinstance(hook, SpectralNorm):
                    remove_spectral_norm(part, hook.name)
                elif isinstance(hook, prune.BasePruningMethod):
                    prune.remove(part, hook._tensor_name)
            if parametrize.is_parametrized(part):
                _give_own_class(part)
                for name in list(part.parametrizations):  # type: ignore[arg-type]
                    parametrize.remove_parametrizations(part, name, leave_parametrized=True)
                    value = getattr(part, name)
                    if not isinstance(value, nn.Parameter):  # torch makes a frozen weight a plain tensor
                        delattr(part, name)
                        part.register_parameter(name, nn.Parameter(value.detach(), requires_grad=False))


def _give_own_class(part: nn.Module) -> None:
    """Give a copied layer a class of its own: torch keeps parametrizations in the class that the original shares."""
    kind = type(part)
    attributes = {name: value for name, value in vars(kind).items() if name not in ("__dict__", "__weakref__")}
    part.__class__ = type(kind.__name__, kind.__bases__, attributes)
