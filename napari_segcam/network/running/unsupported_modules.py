"""Suitability: what kind of network cannot be run on an image, told in words before anything runs."""

from __future__ import annotations

import inspect
from collections.abc import Iterable

from torch import nn
from torch.nn.parameter import is_lazy

from napari_segcam.errors import SegcamError

_VOLUMES = (nn.Conv3d, nn.ConvTranspose3d, nn.LazyConv3d, nn.LazyConvTranspose3d)
_IMAGES = (nn.Conv2d, nn.ConvTranspose2d)


def refuse_unsupported(module: nn.Module) -> None:
    """Refuse a module that no image can be given to, or that has no weights.

    Raises:
        SegcamError: if it is no module, is for volumes, takes several images, or its weights are missing or quantized.
    """
    if not isinstance(module, nn.Module):
        what = f"the class {module.__name__}" if isinstance(module, type) else f"a {type(module).__name__}"
        raise SegcamError(f"A network is wanted, which is a torch.nn.Module, but {what} was given.")
    parts = list(module.modules())
    if any(isinstance(part, _VOLUMES) for part in parts) and not any(isinstance(part, _IMAGES) for part in parts):
        raise SegcamError(volumetric_message("This network"))
    if any(isinstance(part, nn.Conv1d) for part in parts) and not any(
        isinstance(part, (*_IMAGES, nn.Linear)) for part in parts
    ):
        raise SegcamError("This network is one-dimensional: it takes signals. A 2-D network is needed.")
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        if is_lazy(tensor):
            raise SegcamError(
                f"The network has no weights yet: {name} is of a lazy layer that never ran. "
                "Run it once and load its trained weights before."
            )
        if tensor.is_meta:
            raise SegcamError(f"The network has no weights: {name} is on torch's meta device. Load its weights before.")
    quantized = next((part for part in parts if ".quantized." in f"{type(part).__module__}."), None)
    if quantized is not None:
        raise SegcamError(
            f"The network is quantized ({type(quantized).__name__}), and has no gradients to explain it by. "
            "Give the network as it was before."
        )
    if len(taken := _needed_arguments(module)) > 1:
        raise SegcamError(
            f"The network's forward takes {len(taken)} inputs ({', '.join(taken)}): only networks that take one image "
            "are supported. Put it into a module whose forward takes the image alone."
        )


def weights_are_volumetric(shapes: Iterable[tuple[int, ...]]) -> bool:
    """Whether weights of these shapes are those of convolutions of volumes, and of no images."""
    dimensions = {len(shape) for shape in shapes}
    return 5 in dimensions and 4 not in dimensions


def volumetric_message(what: str) -> str:
    """The words for a network that takes volumes."""
    return f"{what} is three-dimensional: it takes volumes. A 2-D network is needed, which takes images."


def _needed_arguments(module: nn.Module) -> list[str]:
    """Names of what a module's forward cannot do without."""
    try:
        parameters = inspect.signature(module.forward).parameters.values()
    except (TypeError, ValueError):  # not written in Python
        return []
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [one.name for one in parameters if one.kind in kinds and one.default is inspect.Parameter.empty]
