"""Find the network's own weights in what training code saved."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from napari_segcam.errors import SegcamError, one_line
from napari_segcam.network.files.inert_objects import InertObject
from napari_segcam.network.files.pickled_module import is_network
from napari_segcam.remedies import remedy

# Keys under which training code saves the weights, in order of preference.
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

# Keys of their moving average, which is meant for use: validation and deployment run with it.
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

# Prefixes of torch's own wrappers, anywhere in a name.
_TORCH_WRAPPERS = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")

# Keys of what training keeps for each weight, under the weights' names.
_TRAINING_STATE = re.compile(r"optim|moment|exp_avg|grad|sched|scaler", re.I)

_SMP_PARTS = ("encoder.", "decoder.", "segmentation_head.", "classification_head.")

Weights = dict[str, torch.Tensor]


@dataclass(frozen=True, eq=False)
class SelectedWeights:
    """Weights or network found in a saved object.

    Attributes:
        network: the weights by name, or a whole pickled network, inert.
        notes: how it was chosen, for the user.
    """

    network: Weights | InertObject
    notes: tuple[str, ...] = ()


def _choose() -> str:
    return f"Name the one you need ({remedy('weights')}), or save it alone"


def find_weights(content: Any, name: str | None = None) -> SelectedWeights:
    """Find the dict of tensors, or the whole network, in a saved object, also under the usual keys.

    If both weights and their moving average are there, the average is used if it has every tensor.

    Args:
        content: the saved object.
        name: of the network, if the file holds several: its key, or the prefix of its tensors' names, such as
            ``"teacher"`` or ``"models.0"``.

    Raises:
        SegcamError: if there are no weights, or several networks and no name.
    """
    if name is not None:
        named_content = _content_named(content, name, depth=4)
        selected = None if named_content is None else _select(named_content, depth=4)
        if selected is None:
            raise SegcamError(f"holds no weights named {one_line(name, 200)}. It has: {list_names(_keys(content), 12)}")
        return SelectedWeights(
            selected.network, (*selected.notes, f"Of the file's networks, {one_line(name, 200)} is used, as requested.")
        )
    selected = _select(content, depth=4)
    if selected is not None:
        return selected
    kind = "nothing" if not content and isinstance(content, Mapping | None) else f"a {_type_name(content)}"
    raise SegcamError(f"holds no weights: a dict of named tensors was expected, but there is {kind}")


def _content_named(content: Any, key: str, depth: int) -> Any:
    """Return what a saved object holds under this key, or under names with this prefix; None if there is nothing."""
    if not isinstance(content, Mapping) or depth == 0:
        return None
    if isinstance(content.get(key), Mapping | InertObject):
        return content[key]
    short_names = {_without_torch_wrappers(name): value for name, value in content.items() if _is_weight(name, value)}
    with_prefix = {
        name.removeprefix(f"{key}."): value for name, value in short_names.items() if name.startswith(f"{key}.")
    }
    if with_prefix:
        return with_prefix
    nested = (_content_named(value, key, depth - 1) for value in content.values() if isinstance(value, Mapping))
    return next((match for match in nested if match is not None), None)


def _keys(content: Any) -> list[str]:
    """Keys and prefixes that name the networks in a saved object."""
    if not isinstance(content, Mapping):
        return []
    keys = [str(key) for key, value in content.items() if isinstance(value, Mapping) or _is_network(value)]
    for mapping in (content, *(value for value in content.values() if isinstance(value, Mapping))):
        names = (_without_torch_wrappers(name) for name, value in mapping.items() if _is_weight(name, value))
        keys += [name.partition(".")[0] for name in names if "." in name]
    return list(dict.fromkeys(keys))


def _select(content: Any, depth: int) -> SelectedWeights | None:
    if isinstance(content, InertObject):
        return SelectedWeights(content) if is_network(content) else None
    if not isinstance(content, Mapping) or depth == 0:
        return None
    entries = {key: value for key, value in content.items() if isinstance(value, Mapping) or _is_network(value)}
    trained = _first_selected(entries, _WRAPPERS, depth)
    averaged = _first_selected(entries, _AVERAGES, depth)
    if trained is not None and averaged is not None:
        return _prefer_average(trained, averaged)
    if trained is not None:
        _refuse_rivals(trained, entries)
        return trained
    if averaged is not None:
        return SelectedWeights(
            averaged.network, (*averaged.notes, "The weights are a moving average (EMA) of the trained ones.")
        )
    if tensors := {key: value.detach() for key, value in content.items() if _is_weight(key, value)}:
        return SelectedWeights(tensors)
    weight_sets = [key for key, value in entries.items() if _is_network(value) or _has_weights(value)]
    if len(weight_sets) > 1:
        raise SegcamError(f"holds several sets of weights ({list_names(map(str, weight_sets))}). {_choose()}")
    candidates = weight_sets or (list(entries) if len(entries) == 1 else [])
    return _select(entries[candidates[0]], depth - 1) if candidates else None


def _refuse_rivals(trained: SelectedWeights, entries: Mapping[Any, Any]) -> None:
    """Refuse to choose if there is a second network of the same form, such as a teacher or another epoch.

    Raises:
        SegcamError: naming all of them.
    """
    if not isinstance(trained.network, dict):
        return
    shapes = {name: tensor.shape for name, tensor in strip_prefixes(trained.network)[0].items()}
    same_form = []
    for key, value in entries.items():
        items = value.items() if isinstance(value, Mapping) else ()
        tensors = {name: tensor for name, tensor in items if _is_weight(name, tensor)}
        if not tensors or _TRAINING_STATE.search(str(key)) or key in _AVERAGES:
            continue
        if {name: tensor.shape for name, tensor in strip_prefixes(tensors)[0].items()} == shapes:
            same_form.append(str(key))
    if len(same_form) > 1:
        raise SegcamError(f"holds several networks of one form ({list_names(same_form)}). {_choose()}")


def _first_selected(entries: Mapping[Any, Any], names: Iterable[str], depth: int) -> SelectedWeights | None:
    selections = (_select(entries[name], depth - 1) for name in names if name in entries)
    return next((selected for selected in selections if selected is not None), None)


def _prefer_average(trained: SelectedWeights, averaged: SelectedWeights) -> SelectedWeights:
    """Choose the average, unless it lacks some of the tensors."""
    if isinstance(trained.network, dict) and isinstance(averaged.network, dict):
        missing = strip_prefixes(trained.network)[0].keys() - strip_prefixes(averaged.network)[0].keys()
        if missing:
            note = f"The moving average (EMA) in the file lacks {len(missing)} tensors; the trained weights are used."
            return SelectedWeights(trained.network, (*trained.notes, note))
    note = "The file holds trained weights and their moving average (EMA); the average is used."
    return SelectedWeights(averaged.network, (*averaged.notes, note))


def _is_network(value: object) -> bool:
    return isinstance(value, InertObject) and is_network(value)


def _type_name(content: object) -> str:
    return content.name if isinstance(content, InertObject) else type(content).__name__


def strip_prefixes(weights: dict[str, torch.Tensor]) -> tuple[dict[str, torch.Tensor], tuple[str, ...]]:
    """Remove prefixes, so that names are SMP's own: ``encoder.``, ``decoder.`` and ``segmentation_head.``.

    The prefix before ``segmentation_head.`` is that of the network. Tensors without it belong to something else, such
    as a loss or a Lightning module's constants, and are left out.

    Returns:
        The weights under the short names, and the names that were left out.
    """
    short = {_without_torch_wrappers(name): tensor for name, tensor in weights.items()}
    prefixes = {name[: name.index("segmentation_head.")] for name in short if "segmentation_head." in name}
    prefixes = {prefix for prefix in prefixes if any(name.startswith(f"{prefix}encoder.") for name in short)}
    if prefixes:
        averages = {prefix for prefix in prefixes if set(prefix.split(".")) & set(_AVERAGES)}
        if len(prefixes) > 1 and not averages:
            names = list_names(sorted(prefix.removesuffix(".") or "the file itself" for prefix in prefixes))
            raise SegcamError(f"holds several networks ({names}). {_choose()}")
        prefix = min(averages or prefixes, key=lambda prefix: (len(prefix), prefix))
        parts = tuple(prefix + part for part in _SMP_PARTS)
        kept = {name.removeprefix(prefix): tensor for name, tensor in short.items() if name.startswith(parts)}
        return kept, tuple(name for name in short if not name.startswith(parts))
    while all(name.startswith("module.") for name in short):
        short = {name.removeprefix("module."): tensor for name, tensor in short.items()}
    return short, ()


def check_tensors(weights: Mapping[str, torch.Tensor], file_size: int) -> None:
    """Refuse tensors that are not plain numbers in memory, or are larger than their file.

    Raises:
        SegcamError: naming the first such tensor.
    """
    for name, tensor in weights.items():
        if tensor.is_quantized or tensor.layout != torch.strided or tensor.device.type != "cpu" or tensor.is_nested:
            raise SegcamError(f"stores {name} in a special form (quantized or sparse). Save plain weights")
        # A tensor can repeat a few bytes endlessly.
        if tensor.numel() * tensor.element_size() > file_size:
            raise SegcamError(f"declares {name} to be larger than the whole file. It is not opened")


def non_finite_names(weights: Mapping[str, torch.Tensor]) -> tuple[str, ...]:
    """Names of the tensors that hold a NaN or an infinity."""
    return tuple(name for name, tensor in weights.items() if tensor.is_floating_point() and not _is_finite(tensor))


def _is_finite(tensor: torch.Tensor) -> bool:
    # If the sum is finite, so is each term. The sum takes a tenth of the time.
    return bool(tensor.sum(dtype=torch.float32).isfinite()) or bool(tensor.float().isfinite().all())


def list_names(names: Iterable[str], most: int = 3) -> str:
    """Return the first few names, for a message."""
    names = list(names)
    shown = [one_line(name, 200) for name in names[:most]]  # a file can use any names
    return ", ".join(shown) + (", …" if len(names) > most else "")


def unused_warning(names: Iterable[str]) -> list[str]:
    """A warning about tensors of these names, which are not the network's; none if there are no names."""
    names = list(names)
    if not names:
        return []
    return [f"{len(names)} tensors do not belong to the network and are not used: {list_names(names)}."]


def _is_weight(key: object, value: object) -> bool:
    return isinstance(key, str) and isinstance(value, torch.Tensor)


def _has_weights(values: Mapping[Any, Any]) -> bool:
    return any(_is_weight(key, value) for key, value in values.items())


def _without_torch_wrappers(name: str) -> str:
    for wrapper in _TORCH_WRAPPERS:
        name = name.replace(wrapper, "")
    return name
