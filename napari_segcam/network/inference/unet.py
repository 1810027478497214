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
    """A block of SMP's U-Net; where it must enlarge by another factor than two, the plain block runs.

    Args:
        block: its norms folded, without attention.
        channels: of the map that it enlarges.
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
        # Some transformers give a skip without channels.
        skips = [] if skip_connection is None or not skip_connection.shape[1] else [skip_connection]
        return self.convolution(self.merge(feature_map, skips))


def merge_unet(root: nn.Module) -> bool:
    """Replace the blocks of SMP's U-Net decoders; whether there were any."""
    places = [
        place
        for place in find_modules(root, UnetDecoder)
        if all(is_known(block, UnetDecoderBlock) for block in place[2].blocks)
    ]
    for network, _, decoder in places:
        _merge_blocks(network, decoder)
    return bool(places)


def _merge_blocks(network: Any, decoder: Any) -> None:
    channels = network.encoder.out_channels[-1]
    for index, block in enumerate(decoder.blocks):
        decoder.blocks[index] = MergingBlock(block, channels)
        channels = block.conv2[0].out_channels
