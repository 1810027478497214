"""The decoder of SMP's U-Net++ without enlarged and concatenated maps."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from segmentation_models_pytorch.decoders.unetplusplus.decoder import DecoderBlock, UnetPlusPlusDecoder
from torch import nn

from napari_segcam.network.inference.frozen_convolution import FrozenConv2d
from napari_segcam.network.inference.module_patterns import find_modules
from napari_segcam.network.inference.upsampled_convolution import UpsampledConvolution, is_known


class MergingNode(nn.Module):
    """A node of U-Net++ that gets its skips as separate maps.

    Args:
        block: of SMP's U-Net++, without attention, its norms folded.
        skips: number of skips.
        channels: of each skip.
    """

    def __init__(self, block: DecoderBlock, skips: int, channels: int) -> None:
        super().__init__()
        self.merge = UpsampledConvolution(block.conv1[0], [channels] * skips)
        self.convolution = FrozenConv2d.like(block.conv2[0], rectifies=True)

    def forward(self, x: torch.Tensor, skips: Sequence[torch.Tensor]) -> torch.Tensor:
        return self.convolution(self.merge(x, skips))


class DenseDecoder(nn.Module):
    """SMP's U-Net++ decoder with the same names of its nodes, ``blocks.x_<first row>_<row>``.

    Row 0 is the deepest. The node ``x_i_r`` enlarges the node ``x_i_(r-1)``, or the encoder's map of row ``i = r``. Its
    skips are the nodes ``x_(i+1)_r … x_r_r`` and the encoder's map of the next row.

    Args:
        decoder: all its nodes have the form that ``MergingNode`` expects.
    """

    def __init__(self, decoder: UnetPlusPlusDecoder) -> None:
        super().__init__()
        self.depth = decoder.depth
        self.blocks = nn.ModuleDict()
        for name, block in decoder.blocks.items():
            first, row = _first_and_row(name)
            skips = 0 if row == self.depth else row - first + 1
            self.blocks[name] = MergingNode(block, skips, decoder.skip_channels[row])

    def forward(self, features: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return the map of the last node from the encoder's maps in order of stride, the input image first."""
        encoded = features[:0:-1]
        nodes: dict[tuple[int, int], torch.Tensor] = {}
        for distance in range(self.depth):  # the order in which SMP's decoder runs them
            for first in range(self.depth - distance):
                row = first + distance
                deeper = nodes[first, row - 1] if distance else encoded[first]
                skips = [nodes[other, row] for other in range(first + 1, row + 1)]
                nodes[first, row] = self.blocks[f"x_{first}_{row}"](deeper, [*skips, encoded[row + 1]])
        return self.blocks[f"x_0_{self.depth}"](nodes[0, self.depth - 1], [])


def merge_unetplusplus(root: nn.Module) -> bool:
    """Replace SMP's U-Net++ decoders; return whether there were any."""
    decoders = [
        (parent, name, decoder)
        for parent, name, decoder in find_modules(root, UnetPlusPlusDecoder)
        if all(is_known(block, DecoderBlock) for block in decoder.blocks.values())
    ]
    for parent, name, decoder in decoders:
        setattr(parent, name, DenseDecoder(decoder))
    return bool(decoders)


def _first_and_row(name: str) -> tuple[int, int]:
    _, first, row = name.split("_")
    return int(first), int(row)
