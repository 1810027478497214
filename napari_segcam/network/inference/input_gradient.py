"""The gradient of a frozen convolution's input, computed only where it is not zero.

A score over a region of the image, such as one lesion's mask, has a gradient in that region alone; each convolution
widens it by its kernel. In a decoder most of every map is therefore zero, exactly, and need not be computed.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

Box = tuple[slice, slice]

# Where more of the map than this is in the box, cropping and pasting cost more than they save.
_WORTHWHILE_SHARE = 0.7


def part_gradient(part: torch.Tensor, box: Box | None, layer: nn.Conv2d, height: int, width: int) -> torch.Tensor:
    """The gradient ``(B, C, height, width)`` of a convolution's input.

    Args:
        part: the gradient of its output ``(B, D, h, w)``: what of it lies in the box, or all of it.
        box: outside which the gradient is zero.
        layer: the convolution.
        height: of the input.
        width: of the input.
    """
    if box is None:
        return dense_input_gradient(part, layer, height, width)
    (rows, own_rows, full_height), (columns, own_columns, full_width) = (
        _reached(span, size, stride, padding, dilation * (kernel - 1) + 1)
        for span, size, stride, padding, dilation, kernel in zip(
            box, (height, width), layer.stride, layer.padding, layer.dilation, layer.kernel_size, strict=True
        )
    )
    of_reached = dense_input_gradient(part, layer, full_height, full_width, padding=(0, 0))
    return pasted(of_reached[..., own_rows, own_columns], (rows, columns), height, width)


def occupied_box(gradient: torch.Tensor) -> Box | None:
    """The rows and columns of ``(B, C, H, W)`` outside which it is zero; None where cropping to them does not pay."""
    if gradient.device.type != "cpu":
        return None  # to ask a GPU where costs more than to let it compute zeros
    width = gradient.shape[3]
    # Zero is told by its bytes, which is faster than comparing numbers, and NaN needs no care: it has bytes.
    rows_of_bytes = gradient.permute(0, 2, 3, 1).contiguous().flatten(2).view(torch.uint8)
    rows = _occupied(rows_of_bytes.amax((0, 2)))
    columns = _occupied(rows_of_bytes[:, rows].unflatten(2, (width, -1)).amax((0, 1)).amax(1))
    covered = (rows.stop - rows.start) * (columns.stop - columns.start)
    return (rows, columns) if covered <= _WORTHWHILE_SHARE * gradient.shape[2] * gradient.shape[3] else None


def pasted(part: torch.Tensor, box: Box, height: int, width: int) -> torch.Tensor:
    """A map ``(B, C, height, width)`` of zeros with this part in the box."""
    shape = (*part.shape[:2], height, width)
    whole = torch.empty(shape, dtype=part.dtype, device=part.device, memory_format=torch.channels_last).zero_()
    whole[..., *box] = part
    return whole


def _occupied(largest: torch.Tensor) -> slice:
    indices = largest.nonzero()
    return slice(int(indices[0]), int(indices[-1]) + 1) if len(indices) else slice(0, 1)


def _reached(span: slice, size: int, stride: int, padding: int, reach: int) -> tuple[slice, slice, int]:
    """Which inputs the outputs in ``span`` were made of: where in the input, where in the part, size of the part."""
    start = span.start * stride - padding
    full = (span.stop - span.start - 1) * stride + reach
    inside = slice(max(start, 0), min(start + full, size))
    return inside, slice(inside.start - start, inside.stop - start), full


def dense_input_gradient(
    gradient: torch.Tensor, layer: nn.Conv2d, height: int, width: int, padding: tuple[int, int] | None = None
) -> torch.Tensor:
    """The same from all of the output's gradient; with another padding than the layer's where one is given."""
    padding = layer.padding if padding is None else padding  # type: ignore[assignment]
    # What a strided convolution leaves over at the end belongs to its input nevertheless.
    left_over = [
        size - ((given - 1) * stride - 2 * pad + dilation * (kernel - 1) + 1)
        for size, given, stride, pad, dilation, kernel in zip(
            (height, width),
            gradient.shape[2:],
            layer.stride,
            padding,  # type: ignore[arg-type]
            layer.dilation,
            layer.kernel_size,
            strict=True,
        )
    ]
    return F.conv_transpose2d(
        gradient,
        layer.weight,
        None,
        layer.stride,
        padding,  # type: ignore[arg-type]
        left_over,
        layer.groups,
        layer.dilation,
    )
