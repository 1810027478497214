"""Compare a network in torch with onnxruntime on one random image."""

from __future__ import annotations

from typing import Any

import torch

from napari_segcam.errors import SegcamError, error_text
from napari_segcam.network.onnx.image_input import ImageInput
from napari_segcam.network.onnx.onnx_network import OnnxNetwork
from napari_segcam.network.onnx.runtime_network import run_session, start_session

# Of the largest output, or of 1 if that is smaller. In half precision the file's own result is coarser than ours.
_TOLERANCE, _HALF_TOLERANCE = 1e-4, 3e-2
_SIDES = (128, 64, 224, 256, 512)


@torch.no_grad()
def differs(network: OnnxNetwork, image: ImageInput, model: bytes, *, is_half: bool) -> str:
    """Return what is wrong with a network in torch, as part of a sentence; empty if it agrees with onnxruntime.

    It is taken to be right where onnxruntime does not run the model.
    """
    try:
        session = start_session(model)
    except SegcamError:
        return ""
    for sides in [image.size] if image.size else [(side, side) for side in _SIDES]:
        noise = torch.rand(1, network.channels or 3, *sides, generator=torch.Generator().manual_seed(0))
        noise = noise * 255 if image.is_integer or image.normalization == "none" else noise
        try:
            expected = run_session(session, image, noise)
        except Exception:  # of a kind of onnxruntime's own: the network does not take this size
            continue
        try:
            outputs = network.run(noise)
        except Exception as error:
            return f"torch does not run it ({error_text(error, 150)})"
        return _difference(outputs, expected, _HALF_TOLERANCE if is_half else _TOLERANCE)
    return ""


def _difference(outputs: list[Any], expected: list[Any], tolerance: float) -> str:
    for output, array in zip(outputs, expected, strict=True):
        ours, theirs = torch.as_tensor(output).float(), torch.as_tensor(array).float()
        if ours.shape != theirs.shape:
            return f"torch returns a result of {tuple(ours.shape)} and not of {tuple(theirs.shape)}"
        scale = max(1.0, float(theirs.abs().max())) if theirs.numel() else 1.0
        difference = float((ours - theirs).abs().max()) if theirs.numel() else 0.0
        if not difference <= tolerance * scale:
            return f"torch's result differs from onnxruntime's by {difference / scale:.2g} of the largest value"
    return ""
