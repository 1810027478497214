"""Plain modules: a private copy of anybody's module, whose weights are parameters and nothing that is worked out."""

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
    """Bring a module that is handed over into the form in which it is run: eval mode, with plain weights.

    Raises:
        SegcamError: if it is of a kind that takes no image, or has no weights.
    """
    module = unwrap_module(module)
    refuse_unsupported(module)
    try:
        module.eval()
    except Exception as error:  # its own train() may raise anything
        raise SegcamError(f"The network cannot be set to eval mode: {failure_in_words(error)}") from error
    fold_parametrizations(module)
    return module


def copy_module(module: nn.Module) -> nn.Module:
    """A copy of a module that shares nothing with it, also where it keeps tensors that were worked out.

    Raises:
        SegcamError: if it holds something that cannot be copied.
    """
    # Torch copies only tensors that it finds at the beginning of a graph: a pruned weight, or a map that a layer keeps
    # of its last run, is none of these.
    memo: dict[int, Any] = {}
    for part in module.modules():
        for value in tree_leaves([kept for name, kept in vars(part).items() if name != "_modules"]):
            if isinstance(value, torch.Tensor) and not value.is_leaf:
                memo[id(value)] = value.detach().clone()
    try:
        return copy.deepcopy(module, memo)
    except Exception as error:  # whatever its owner keeps in it: locks, open files, a trainer
        raise SegcamError(
            f"The network cannot be copied: {failure_in_words(error)}. Give a module that holds layers alone."
        ) from error


def unwrap_module(module: nn.Module) -> nn.Module:
    """The network itself, without what compiles it, distributes it or averages its weights."""
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
    """Turn weights that are worked out from others, at each run, into parameters of the same values, for good.

    That is what weight norm, spectral norm, pruning and all other parametrizations do. The module is in eval mode.
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
                _get_own_class(part)
                for name in list(part.parametrizations):  # type: ignore[arg-type]
                    parametrize.remove_parametrizations(part, name, leave_parametrized=True)
                    value = getattr(part, name)
                    if not isinstance(value, nn.Parameter):  # of a frozen weight torch makes a bare tensor
                        delattr(part, name)
                        part.register_parameter(name, nn.Parameter(value.detach(), requires_grad=False))


def _get_own_class(part: nn.Module) -> None:
    """Part a copy from the class that it shares with its original: torch keeps what a parametrization needs there."""
    kind = type(part)
    own = {name: value for name, value in vars(kind).items() if name not in ("__dict__", "__weakref__")}
    part.__class__ = type(kind.__name__, kind.__bases__, own)
