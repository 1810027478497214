"""Refuse modules that cannot be run on an image, before they run."""

from __future__ import annotations

import inspect
from collections.abc import Iterable

from torch import nn
from torch.nn.parameter import is_lazy

from napari_segcam.errors import SegcamError

_VOLUMES = (nn.Conv3d, nn.ConvTranspose3d, nn.LazyConv3d, nn.LazyConvTranspose3d)
_IMAGES = (nn.Conv2d, nn.ConvTranspose2d)


def refuse_unsupported(module: nn.Module) -> None:
    """Refuse a module that takes no image, or has no weights.

    Raises:
        SegcamError: if it is not a module, is for volumes, takes several images, or its weights are missing or
            quantized.
    """
    if not isinstance(module, nn.Module):
        what = f"the class {module.__name__}" if isinstance(module, type) else f"a {type(module).__name__}"
        raise SegcamError(f"A network must be a torch.nn.Module, but {what} was given.")
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
                f"The network has no weights yet: {name} belongs to a lazy layer that never ran. "
                "Run it once and load its trained weights first."
            )
        if tensor.is_meta:
            raise SegcamError(f"The network has no weights: {name} is on torch's meta device. Load its weights first.")
    quantized = next((part for part in parts if ".quantized." in f"{type(part).__module__}."), None)
    if quantized is not None:
        raise SegcamError(
            f"The network is quantized ({type(quantized).__name__}), and has no gradients to explain it by. "
            "Give the original network."
        )
    if len(arguments := _required_arguments(module)) > 1:
        raise SegcamError(
            f"The network's forward takes {len(arguments)} inputs ({', '.join(arguments)}): only networks that take "
            "one image are supported. Wrap it in a module whose forward takes only the image."
        )


def weights_are_volumetric(shapes: Iterable[tuple[int, ...]]) -> bool:
    """Whether these are the shapes of 3-D convolutions, and of no 2-D ones."""
    dimensions = {len(shape) for shape in shapes}
    return 5 in dimensions and 4 not in dimensions


def volumetric_message(subject: str) -> str:
    """Message about a network that takes volumes."""
    return f"{subject} is three-dimensional: it takes volumes. A 2-D network is needed, which takes images."


def _required_arguments(module: nn.Module) -> list[str]:
    """Names of the arguments that a module's forward requires."""
    try:
        parameters = inspect.signature(module.forward).parameters.values()
    except (TypeError, ValueError):  # not written in Python
        return []
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [
        parameter.name
        for parameter in parameters
        if parameter.kind in kinds and parameter.default is inspect.Parameter.empty
    ]
