"""The gradient of a frozen convolution's input, computed only where it is not zero.

A score over a region of the image, such as the mask of one lesion, has a gradient only in that region, and each
convolution widens it by its kernel. In a decoder most of every gradient is therefore exactly zero.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

Box = tuple[slice, slice]

# If the box covers more of the map than this, cropping and pasting cost more than they save.
_WORTHWHILE_SHARE = 0.7


def part_gradient(part: torch.Tensor, box: Box | None, layer: nn.Conv2d, height: int, width: int) -> torch.Tensor:
    """Return the gradient ``(B, C, height, width)`` of a convolution's input.

    Args:
        part: gradient of its output ``(B, D, h, w)``, cropped to the box if there is one.
        box: rows and columns outside which the gradient of the output is zero.
        layer: the convolution.
        height: of the input.
        width: of the input.
    """
    if box is None:
        return dense_input_gradient(part, layer, height, width)
    (rows, part_rows, part_height), (columns, part_columns, part_width) = (
        _input_span(span, size, stride, padding, dilation * (kernel - 1) + 1)
        for span, size, stride, padding, dilation, kernel in zip(
            box, (height, width), layer.stride, layer.padding, layer.dilation, layer.kernel_size, strict=True
        )
    )
    gradient = dense_input_gradient(part, layer, part_height, part_width, padding=(0, 0))
    return paste(gradient[..., part_rows, part_columns], (rows, columns), height, width)


def occupied_box(gradient: torch.Tensor) -> Box | None:
    """Return the rows and columns of ``(B, C, H, W)`` outside which it is zero; None if cropping saves no time."""
    if gradient.device.type != "cpu":
        return None  # asking a GPU for the box takes longer than computing the zeros
    width = gradient.shape[3]
    # Comparing bytes is faster than comparing numbers, and finds NaN too.
    rows_of_bytes = gradient.permute(0, 2, 3, 1).contiguous().flatten(2).view(torch.uint8)
    rows = _occupied_span(rows_of_bytes.amax((0, 2)))
    columns = _occupied_span(rows_of_bytes[:, rows].unflatten(2, (width, -1)).amax((0, 1)).amax(1))
    covered = (rows.stop - rows.start) * (columns.stop - columns.start)
    return (rows, columns) if covered <= _WORTHWHILE_SHARE * gradient.shape[2] * gradient.shape[3] else None


def paste(part: torch.Tensor, box: Box, height: int, width: int) -> torch.Tensor:
    """Return a map ``(B, C, height, width)`` of zeros with this part in the box."""
    shape = (*part.shape[:2], height, width)
    result = torch.empty(shape, dtype=part.dtype, device=part.device, memory_format=torch.channels_last).zero_()
    result[..., *box] = part
    return result


def _occupied_span(largest: torch.Tensor) -> slice:
    indices = largest.nonzero()
    return slice(int(indices[0]), int(indices[-1]) + 1) if len(indices) else slice(0, 1)


def _input_span(span: slice, size: int, stride: int, padding: int, reach: int) -> tuple[slice, slice, int]:
    """Return which inputs the outputs in ``span`` depend on.

    Returns:
        Their span in the input without padding, the same span in the part with padding, and the size of that part.
    """
    start = span.start * stride - padding
    part_size = (span.stop - span.start - 1) * stride + reach
    inside = slice(max(start, 0), min(start + part_size, size))
    return inside, slice(inside.start - start, inside.stop - start), part_size


def dense_input_gradient(
    gradient: torch.Tensor, layer: nn.Conv2d, height: int, width: int, padding: tuple[int, int] | None = None
) -> torch.Tensor:
    """Return the gradient of a convolution's input from all of its output's gradient.

    Args:
        gradient: of the output.
        layer: the convolution.
        height: of the input.
        width: of the input.
        padding: used instead of the layer's.
    """
    padding = layer.padding if padding is None else padding  # type: ignore[assignment]
    # The input may have rows and columns at its end that a strided convolution did not use.
    output_padding = [
        size - ((output_size - 1) * stride - 2 * pad + dilation * (kernel - 1) + 1)
        for size, output_size, stride, pad, dilation, kernel in zip(
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
        output_padding,
        layer.groups,
        layer.dilation,
    )
