"""State dicts: the network's own weights, found inside whatever training code wrapped around them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch

from napari_segcam.errors import SegcamError

# Where training code puts the weights in what it saves, in order of preference. A moving average ("ema") comes last:
# where both are there, the weights as trained are what the file is named after.
_WRAPPERS = (
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "net",
    "network",
    "network_weights",
    "weights",
    "state_dict_ema",
    "ema_state_dict",
    "model_ema",
    "ema",
)

# Layers of its own that torch puts around modules, anywhere in a name.
_TORCH_WRAPPERS = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")

_SMP_PARTS = ("encoder.", "decoder.", "segmentation_head.", "classification_head.")


def find_weights(content: Any) -> dict[str, torch.Tensor]:
    """The dict of tensors in a saved object: itself, or inside the usual wrappers, at most three deep.

    Raises:
        SegcamError: if there is none, or several and no telling which is meant.
    """
    for _ in range(4):
        if not isinstance(content, Mapping):
            break
        inner = {key: value for key, value in content.items() if isinstance(value, Mapping)}
        wrappers = [name for name in _WRAPPERS if name in inner][:1]
        if not wrappers:
            if tensors := {key: value for key, value in content.items() if _is_weight(key, value)}:
                return {key: value.detach() for key, value in tensors.items()}
            wrappers = [key for key, value in inner.items() if any(_is_weight(*item) for item in value.items())]
        if len(wrappers) > 1:
            raise SegcamError(
                f"holds several sets of weights ({listed(map(str, wrappers))}). Save the one that is meant alone"
            )
        if not wrappers and len(inner) == 1:
            wrappers = list(inner)
        content = inner[wrappers[0]] if wrappers else None
    kind = "nothing" if content is None else f"a {type(content).__name__}"
    raise SegcamError(f"holds no weights: a dict of named tensors was expected, but there is {kind}")


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
        prefix = min(prefixes, key=lambda prefix: (len(prefix), prefix))
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
            raise SegcamError(f"stores {name} in a special form (quantised or sparse). Save plain weights")
        # A tensor can be declared to repeat a few bytes without end.
        if tensor.numel() * tensor.element_size() > file_size:
            raise SegcamError(f"declares {name} to be larger than the whole file. It is not opened")


def not_finite(weights: Mapping[str, torch.Tensor]) -> tuple[str, ...]:
    """Names of the tensors that hold a NaN or an infinity."""
    floating = ((name, tensor) for name, tensor in weights.items() if tensor.is_floating_point())
    return tuple(name for name, tensor in floating if not torch.isfinite(tensor.float()).all())


def listed(names: Iterable[str], most: int = 3) -> str:
    """The first few names, for a message."""
    names = list(names)
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")


def _is_weight(key: object, value: object) -> bool:
    return isinstance(key, str) and isinstance(value, torch.Tensor)


def _without_torch_wrappers(name: str) -> str:
    for wrapper in _TORCH_WRAPPERS:
        name = name.replace(wrapper, "")
    return name
