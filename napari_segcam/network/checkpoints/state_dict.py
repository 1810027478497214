"""State dicts: the network's own weights, found inside whatever training code wrapped around them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from napari_segcam.errors import SegcamError, one_line
from napari_segcam.network.files.inert_objects import InertObject
from napari_segcam.network.files.pickled_module import is_network

# Where training code puts the weights in what it saves, in order of preference.
_WRAPPERS = (
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "net",
    "network",
    "network_weights",
    "weights",
    "module",
)

# Where it puts their moving average, which is what is meant for use: validation and deployment run with it.
_AVERAGES = (
    "state_dict_ema",
    "ema_state_dict",
    "model_ema_state_dict",
    "model_ema",
    "ema_model",
    "ema_weights",
    "ema",
    "shadow",
    "averaged_model",
)

# Layers of its own that torch puts around modules, anywhere in a name.
_TORCH_WRAPPERS = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")

# What training keeps for each weight, under the weights' own names.
_OF_TRAINING = re.compile(r"optim|moment|exp_avg|grad|sched|scaler", re.I)

_SMP_PARTS = ("encoder.", "decoder.", "segmentation_head.", "classification_head.")

Weights = dict[str, torch.Tensor]


@dataclass(frozen=True, eq=False)
class SelectedWeights:
    """What was found in a saved object.

    Attributes:
        network: the weights by name, or a whole pickled network, still inert.
        notes: what the user should know of how it was chosen.
    """

    network: Weights | InertObject
    notes: tuple[str, ...] = ()


_CHOOSE = "Name the one that is meant (--weights NAME), or save it alone"


def find_weights(content: Any, wanted: str | None = None) -> SelectedWeights:
    """The dict of tensors, or the whole network, in a saved object: itself, or inside the usual wrappers.

    Where weights and their moving average are both there, the average is taken if it has every tensor.

    Args:
        content: as it was saved.
        wanted: which network, where the file holds several: its key, or what its tensors' names begin with, as
            ``"teacher"`` or ``"models.0"``.

    Raises:
        SegcamError: if there is none, or several and no telling which is meant.
    """
    if wanted is not None:
        named = _named(content, wanted, depth=4)
        found = None if named is None else _unwrapped(named, depth=4)
        if found is None:
            raise SegcamError(
                f"holds no weights named {one_line(wanted, 200)}. It has: {list_names(_keys(content), 12)}"
            )
        return SelectedWeights(
            found.network, (*found.notes, f"Of the file's networks, {one_line(wanted, 200)} is used, as asked.")
        )
    found = _unwrapped(content, depth=4)
    if found is not None:
        return found
    kind = "nothing" if not content and isinstance(content, Mapping | None) else f"a {_kind(content)}"
    raise SegcamError(f"holds no weights: a dict of named tensors was expected, but there is {kind}")


def _named(content: Any, wanted: str, depth: int) -> Any:
    """What a saved object holds under this key, or under names that begin with it; None where there is no such."""
    if not isinstance(content, Mapping) or depth == 0:
        return None
    if isinstance(content.get(wanted), Mapping | InertObject):
        return content[wanted]
    bare = {_without_torch_wrappers(name): value for name, value in content.items() if _is_weight(name, value)}
    own = {name.removeprefix(f"{wanted}."): value for name, value in bare.items() if name.startswith(f"{wanted}.")}
    if own:
        return own
    inside = (_named(value, wanted, depth - 1) for value in content.values() if isinstance(value, Mapping))
    return next((one for one in inside if one is not None), None)


def _keys(content: Any) -> list[str]:
    """What a network in a saved object can be called by."""
    if not isinstance(content, Mapping):
        return []
    keys = [str(key) for key, value in content.items() if isinstance(value, Mapping) or _is_network(value)]
    for inner in (content, *(value for value in content.values() if isinstance(value, Mapping))):
        names = (_without_torch_wrappers(name) for name, value in inner.items() if _is_weight(name, value))
        keys += [name.partition(".")[0] for name in names if "." in name]
    return list(dict.fromkeys(keys))


def _unwrapped(content: Any, depth: int) -> SelectedWeights | None:
    if isinstance(content, InertObject):
        return SelectedWeights(content) if is_network(content) else None
    if not isinstance(content, Mapping) or depth == 0:
        return None
    inner = {key: value for key, value in content.items() if isinstance(value, Mapping) or _is_network(value)}
    trained = _first(inner, _WRAPPERS, depth)
    averaged = _first(inner, _AVERAGES, depth)
    if trained is not None and averaged is not None:
        return _chosen(trained, averaged)
    if trained is not None:
        _refuse_rivals(trained, inner)
        return trained
    if averaged is not None:
        return SelectedWeights(
            averaged.network, (*averaged.notes, "The weights are a moving average (EMA) of the trained ones.")
        )
    if tensors := {key: value.detach() for key, value in content.items() if _is_weight(key, value)}:
        return SelectedWeights(tensors)
    several = [key for key, value in inner.items() if _is_network(value) or any(_is_weight(*i) for i in value.items())]
    if len(several) > 1:
        raise SegcamError(f"holds several sets of weights ({list_names(map(str, several))}). {_CHOOSE}")
    candidates = several or (list(inner) if len(inner) == 1 else [])
    return _unwrapped(inner[candidates[0]], depth - 1) if candidates else None


def _refuse_rivals(trained: SelectedWeights, inner: Mapping[Any, Any]) -> None:
    """Refuse to choose where a second network of the same form is there: a teacher's, or another epoch's.

    Raises:
        SegcamError: naming all of them.
    """
    if not isinstance(trained.network, dict):
        return
    shapes = {name: tensor.shape for name, tensor in strip_prefixes(trained.network)[0].items()}
    alike = []
    for key, value in inner.items():
        own = {name: tensor for name, tensor in value.items() if _is_weight(name, tensor)} if _is_dict(value) else {}
        if not own or _OF_TRAINING.search(str(key)) or key in _AVERAGES:
            continue
        if {name: tensor.shape for name, tensor in strip_prefixes(own)[0].items()} == shapes:
            alike.append(str(key))
    if len(alike) > 1:
        raise SegcamError(f"holds several networks of one form ({list_names(alike)}). {_CHOOSE}")


def _is_dict(value: object) -> bool:
    return isinstance(value, Mapping)


def _first(inner: Mapping[Any, Any], names: Iterable[str], depth: int) -> SelectedWeights | None:
    found = (_unwrapped(inner[name], depth - 1) for name in names if name in inner)
    return next((one for one in found if one is not None), None)


def _chosen(trained: SelectedWeights, averaged: SelectedWeights) -> SelectedWeights:
    """The average, unless it was taken of some of the tensors only."""
    if isinstance(trained.network, dict) and isinstance(averaged.network, dict):
        missing = strip_prefixes(trained.network)[0].keys() - strip_prefixes(averaged.network)[0].keys()
        if missing:
            note = f"The moving average (EMA) in the file lacks {len(missing)} tensors; the trained weights are used."
            return SelectedWeights(trained.network, (*trained.notes, note))
    note = "The file holds trained weights and their moving average (EMA); the average is used."
    return SelectedWeights(averaged.network, (*averaged.notes, note))


def _is_network(value: object) -> bool:
    return isinstance(value, InertObject) and is_network(value)


def _kind(content: object) -> str:
    return content.name if isinstance(content, InertObject) else type(content).__name__


def strip_prefixes(weights: dict[str, torch.Tensor]) -> tuple[dict[str, torch.Tensor], tuple[str, ...]]:
    """Bring names to SMP's own, ``encoder.``, ``decoder.`` and ``segmentation_head.``, where that can be done.

    The prefix before ``segmentation_head.`` is that of the network. Tensors that do not share it belong to something
    else that was saved along, such as a loss or a Lightning module's constants, and are left out.

    Returns:
        The weights under their bare names, and the names that were left out.
    """
    bare = {_without_torch_wrappers(name): tensor for name, tensor in weights.items()}
    prefixes = {name[: name.index("segmentation_head.")] for name in bare if "segmentation_head." in name}
    prefixes = {prefix for prefix in prefixes if any(name.startswith(f"{prefix}encoder.") for name in bare)}
    if prefixes:
        averages = {prefix for prefix in prefixes if set(prefix.split(".")) & set(_AVERAGES)}
        if len(prefixes) > 1 and not averages:
            names = list_names(sorted(prefix.removesuffix(".") or "the file itself" for prefix in prefixes))
            raise SegcamError(f"holds several networks ({names}). {_CHOOSE}")
        prefix = min(averages or prefixes, key=lambda prefix: (len(prefix), prefix))
        own = tuple(prefix + part for part in _SMP_PARTS)
        kept = {name.removeprefix(prefix): tensor for name, tensor in bare.items() if name.startswith(own)}
        return kept, tuple(name for name in bare if not name.startswith(own))
    while all(name.startswith("module.") for name in bare):
        bare = {name.removeprefix("module."): tensor for name, tensor in bare.items()}
    return bare, ()


def check_tensors(weights: Mapping[str, torch.Tensor], file_size: int) -> None:
    """Refuse tensors that are not plain numbers in memory, or larger than the file they came from.

    Raises:
        SegcamError: naming the first such tensor.
    """
    for name, tensor in weights.items():
        if tensor.is_quantized or tensor.layout != torch.strided or tensor.device.type != "cpu" or tensor.is_nested:
            raise SegcamError(f"stores {name} in a special form (quantized or sparse). Save plain weights")
        # A tensor can be declared to repeat a few bytes without end.
        if tensor.numel() * tensor.element_size() > file_size:
            raise SegcamError(f"declares {name} to be larger than the whole file. It is not opened")


def non_finite_names(weights: Mapping[str, torch.Tensor]) -> tuple[str, ...]:
    """Names of the tensors that hold a NaN or an infinity."""
    return tuple(name for name, tensor in weights.items() if tensor.is_floating_point() and not _is_finite(tensor))


def _is_finite(tensor: torch.Tensor) -> bool:
    # A sum that is finite has only finite terms, and takes a tenth of the time of looking at each.
    return bool(tensor.sum(dtype=torch.float32).isfinite()) or bool(tensor.float().isfinite().all())


def list_names(names: Iterable[str], most: int = 3) -> str:
    """The first few names, for a message."""
    names = list(names)
    shown = [one_line(name, 200) for name in names[:most]]  # a file can name things as it likes
    return ", ".join(shown) + (", …" if len(names) > most else "")


def _is_weight(key: object, value: object) -> bool:
    return isinstance(key, str) and isinstance(value, torch.Tensor)


def _without_torch_wrappers(name: str) -> str:
    for wrapper in _TORCH_WRAPPERS:
        name = name.replace(wrapper, "")
    return name
