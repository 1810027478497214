"""A saved input and output of a network, and how far another output is from the saved one."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from napari_segcam.budget import INPUT_CHANNELS, INPUT_PIXELS, refuse_large_content
from napari_segcam.errors import SegcamError, error_text

TOLERANCE = 1e-3
"""The largest difference of two outputs that counts as rounding, as a share of the saved output's largest magnitude."""


@dataclass(frozen=True, eq=False)
class ReferencePair:
    """A saved input and the output that the network gave for it.

    Attributes:
        input: ``(B, C, H, W)`` float32, as the network takes it: after all preprocessing.
        output: ``(B, C, H, W)`` or ``(B, C)`` float32: logits or probabilities.
        input_sha256: checksum of the input's file, or of the array's bytes if there is no file.
        output_sha256: the same of the output.
    """

    input: NDArray[np.float32] = field(repr=False)
    output: NDArray[np.float32] = field(repr=False)
    input_sha256: str
    output_sha256: str


@dataclass(frozen=True)
class Comparison:
    """How far logits are from a saved output.

    Attributes:
        largest_difference: of two values.
        tolerance: up to which they agree.
        form: of the saved output: ``"logits"``, or their ``"sigmoid"``, ``"softmax"`` or ``"log_softmax"``: what
            agrees best.
    """

    largest_difference: float
    tolerance: float
    form: str

    @property
    def agrees(self) -> bool:
        return self.largest_difference <= self.tolerance


def read_pair(input_path: str | Path, output_path: str | Path) -> ReferencePair:
    """Read a pair of ``.npy`` files.

    Raises:
        SegcamError: if a file is missing, is not a plain array of numbers, is too large, or has an unusual shape.
    """
    (image, image_sum), (output, output_sum) = read_array(Path(input_path)), read_array(Path(output_path))
    return pair_of(image, output, image_sum, output_sum, str(input_path), str(output_path))


def pair_of(
    image: ArrayLike,
    output: ArrayLike,
    input_sha256: str = "",
    output_sha256: str = "",
    input_name: str = "The reference input",
    output_name: str = "The reference output",
) -> ReferencePair:
    """Return a pair of arrays: the input ``(B, C, H, W)``, ``(C, H, W)`` or ``(H, W)``, and the output.

    Args:
        image: as the network takes it.
        output: what the network gave for it, with or without the batch axis; ``(H, W)`` for a single class.
        input_sha256: of its file; computed from the array if empty.
        output_sha256: of its file; computed from the array if empty.
        input_name: for errors.
        output_name: for errors.

    Raises:
        SegcamError: if the arrays are not finite numbers, or have an unusual shape.
    """
    inputs, outputs = _numbers(image, input_name), _numbers(output, output_name)
    if not 2 <= inputs.ndim <= 4:
        raise SegcamError(
            f"{input_name} has the shape {_shape(inputs)}. The input must be as the network takes it: "
            "(batch, channels, height, width), (channels, height, width) or (height, width)."
        )
    inputs = inputs.reshape((1,) * (4 - inputs.ndim) + inputs.shape)
    if inputs.shape[1] > INPUT_CHANNELS or inputs.shape[2] * inputs.shape[3] > INPUT_PIXELS:
        raise SegcamError(f"{input_name} has the shape {_shape(inputs)}, which is too large for a network's input.")
    if outputs.ndim in (2, 3) and outputs.shape[-2:] == inputs.shape[-2:]:
        batch = inputs.shape[0] if outputs.ndim == 3 and outputs.shape[0] == inputs.shape[0] > 1 else 1
        outputs = outputs.reshape(batch, -1, *inputs.shape[-2:])
    elif outputs.ndim == 1:
        outputs = outputs[None]
    return ReferencePair(
        inputs,
        outputs,
        input_sha256 or hashlib.sha256(inputs.tobytes()).hexdigest(),
        output_sha256 or hashlib.sha256(outputs.tobytes()).hexdigest(),
    )


def compare(logits: torch.Tensor, pair: ReferencePair) -> Comparison:
    """Compare logits with the saved output, which may hold them after a final activation.

    Args:
        logits: ``(B, C, H, W)`` or ``(B, C)``.
        pair: the saved output must have the same shape.

    Raises:
        SegcamError: if the shapes differ.
    """
    if tuple(logits.shape) != pair.output.shape:
        raise SegcamError(
            f"The saved output has the shape {_shape(pair.output)}, but the network gives {_shape(logits)}."
        )
    saved = torch.from_numpy(pair.output).double()
    tolerance = TOLERANCE * max(float(saved.abs().max()), 1e-3)
    best: Comparison | None = None
    for form, values in _forms(logits.detach().cpu().double()):
        difference = float((values - saved).abs().max())
        if np.isfinite(difference) and (best is None or difference < best.largest_difference):
            best = Comparison(difference, tolerance, form)
    return best or Comparison(float("inf"), tolerance, "logits")


def _forms(logits: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
    yield "logits", logits
    yield "sigmoid", logits.sigmoid()
    if logits.shape[1] > 1:
        yield "softmax", logits.softmax(1)
        yield "log_softmax", logits.log_softmax(1)


def read_array(path: Path) -> tuple[NDArray[np.generic], str]:
    """Return the array in a ``.npy`` file and the SHA-256 of the file.

    Raises:
        SegcamError: if the file is missing, is no plain array of numbers, or is too large.
    """
    try:
        refuse_large_content(str(path), path.stat().st_size)
        content = path.read_bytes()
    except OSError as error:
        raise SegcamError(f"{path} cannot be read: {error_text(error)}.") from error
    try:
        stream = io.BytesIO(content)
        version = np.lib.format.read_magic(stream)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read_header(stream)
        if dtype.kind not in "fiub":
            raise ValueError(f"it holds {dtype}, not numbers")
        if np.prod(shape, dtype=float) * dtype.itemsize > len(content):
            raise ValueError("it is shorter than it says")
        array = np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise SegcamError(f"{path} is no plain NumPy array (.npy): {error_text(error, 200)}.") from error
    return array, hashlib.sha256(content).hexdigest()


def _numbers(array: ArrayLike, name: str) -> NDArray[np.float32]:
    numbers = np.ascontiguousarray(array)
    if numbers.dtype.kind not in "fiub" or numbers.size == 0:
        raise SegcamError(f"{name} holds no numbers: it is an array of {numbers.dtype}, {_shape(numbers)}.")
    numbers = numbers.astype(np.float32)
    if not np.isfinite(numbers).all():
        raise SegcamError(f"{name} holds values that are not finite (NaN or infinite).")
    return numbers


def _shape(array: NDArray[np.generic] | torch.Tensor) -> str:
    return "(" + ", ".join(map(str, array.shape)) + ")"
