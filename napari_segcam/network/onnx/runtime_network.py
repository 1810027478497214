"""A network that onnxruntime runs: masks and occlusion maps, without gradients."""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from napari_segcam.errors import SegcamError, error_text
from napari_segcam.network.onnx.image_input import ImageInput
from napari_segcam.network.resource_check import IN_CHECK
from napari_segcam.network.whole_network import WholeNetwork

_ERRORS_ONLY = 3
_NO_HOOKS = (
    "This ONNX network runs in onnxruntime, because {}. So it has masks and occlusion maps, but no Grad-CAM. "
    "For Grad-CAM, load the weights of the original network, or export it with usual operators in float32."
)


def start_session(model: bytes) -> Any:
    """Return a session of onnxruntime on the CPU.

    Raises:
        SegcamError: if onnxruntime refuses the model.
    """
    runtime = importlib.import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY + 1
    options.intra_op_num_threads = 1 if IN_CHECK in os.environ else torch.get_num_threads()
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    try:
        return runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises kinds of its own
        raise SegcamError(f"cannot be run by onnxruntime: {error_text(error, 250)}") from error


def run_session(session: Any, image: ImageInput, images: torch.Tensor) -> list[Any]:
    """Return the outputs of a session for images ``(B, C, H, W)``, as numpy arrays in the layout of the file."""
    array = images.detach().cpu().float().numpy()
    if image.channels_last:
        array = array.transpose(0, 2, 3, 1)
    if image.is_integer:
        bounds = np.iinfo(image.dtype)
        array = array.round().clip(bounds.min, bounds.max)
    array = np.ascontiguousarray(array, dtype=image.dtype)
    if image.batch is None or image.batch == len(array):
        return list(session.run(None, {image.name: array}))
    outputs = [
        [output[:1] for output in session.run(None, {image.name: np.repeat(one[None], image.batch, 0)})]
        for one in array
    ]
    return [np.concatenate(parts) for parts in zip(*outputs, strict=True)]


class RuntimeNetwork(WholeNetwork):
    """A network that onnxruntime runs on the CPU. It takes and returns maps ``(B, C, H, W)``.

    Args:
        model: the file's model, serialized.
        image: the input that is the image.
        output_names: of the outputs, to show to users.
        activations: for each output, the function that follows it here: ``"sigmoid"``, ``"softmax"`` or none.
        reason: why torch does not run the network, as part of a sentence.

    Raises:
        SegcamError: if onnxruntime refuses the model.
    """

    def __init__(
        self, model: bytes, image: ImageInput, output_names: Sequence[str], activations: Sequence[str], reason: str
    ) -> None:
        super().__init__()
        self.channels, self.image_size = image.channels, image.size
        self.output_names = tuple(output_names)
        self.no_hooks_reason = _NO_HOOKS.format(reason)
        self._image, self._activations = image, tuple(activations)
        self._session = start_session(model)

    def __deepcopy__(self, memo: dict[int, Any]) -> RuntimeNetwork:
        """Return a copy with the same session, which has no state and cannot be copied."""
        copy = self.__class__.__new__(self.__class__)
        memo[id(self)] = copy
        copy.__dict__.update(self.__dict__)
        for name in ("_forward_hooks", "_forward_pre_hooks", "_forward_hooks_always_called"):
            copy.__dict__[name] = self.__dict__[name].copy()
        return copy

    def forward(self, images: torch.Tensor) -> Any:
        """Run the network.

        Args:
            images: ``(B, C, H, W)``.

        Raises:
            RuntimeError: if onnxruntime does not run it on images of this size.
        """
        try:
            arrays = run_session(self._session, self._image, images)
        except Exception as error:  # onnxruntime raises kinds of its own
            raise RuntimeError(error_text(error, 250)) from error
        results = tuple(
            self._activated(torch.as_tensor(array).to(images.device), activation)
            for array, activation in zip(arrays, self._activations, strict=True)
        )
        return results[0] if len(results) == 1 else results

    def _activated(self, output: torch.Tensor, activation: str) -> torch.Tensor:
        output = output.float() if output.dtype == torch.float16 else output
        is_map = output.ndim == 4 and self._image.channels_last
        output = output.permute(0, 3, 1, 2) if is_map else output
        if activation == "sigmoid":
            return output.sigmoid()
        return output.softmax(1) if activation == "softmax" else output
