"""The decoder of SMP's U-Net without enlarged and concatenated maps."""

from __future__ import annotations

from typing import Any

import torch
from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoder, UnetDecoderBlock
from torch import nn

from napari_segcam.network.inference.frozen_convolution import FrozenConv2d
from napari_segcam.network.inference.module_patterns import find_modules
from napari_segcam.network.inference.upsampled_convolution import UpsampledConvolution, is_known


class MergingBlock(nn.Module):
    """A block of SMP's U-Net. The plain block runs if the map is enlarged by another factor than two.

    Args:
        block: without attention, its norms folded.
        channels: of the map that is enlarged.
    """

    def __init__(self, block: UnetDecoderBlock, channels: int) -> None:
        super().__init__()
        self.plain = block
        skip_channels = block.conv1[0].in_channels - channels
        self.merge = UpsampledConvolution(block.conv1[0], [skip_channels] if skip_channels else [])
        self.convolution = FrozenConv2d.like(block.conv2[0], rectifies=True)

    def forward(
        self,
        feature_map: torch.Tensor,
        target_height: int,
        target_width: int,
        skip_connection: torch.Tensor | None = None,
    ) -> torch.Tensor:
        height, width = feature_map.shape[2:]
        if (target_height, target_width) != (2 * height, 2 * width):
            return self.plain(feature_map, target_height, target_width, skip_connection)
        # Some transformers return a skip without channels.
        skips = [] if skip_connection is None or not skip_connection.shape[1] else [skip_connection]
        return self.convolution(self.merge(feature_map, skips))


def merge_unet(root: nn.Module) -> bool:
    """Replace the blocks of SMP's U-Net decoders; return whether there were any."""
    decoders = [
        (network, decoder)
        for network, _, decoder in find_modules(root, UnetDecoder)
        if all(is_known(block, UnetDecoderBlock) for block in decoder.blocks)
    ]
    for network, decoder in decoders:
        _merge_blocks(network, decoder)
    return bool(decoders)


def _merge_blocks(network: Any, decoder: Any) -> None:
    channels = network.encoder.out_channels[-1]
    for index, block in enumerate(decoder.blocks):
        decoder.blocks[index] = MergingBlock(block, channels)
        channels = block.conv2[0].out_channels
