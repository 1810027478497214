"""Recognize SMP's architecture by the names of the weights, and the settings of its decoder by their shapes.

Sources: the constructors in ``segmentation_models_pytorch.decoders``, whose argument names are used here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class DecoderSetup:
    """One possible set of constructor arguments for the shapes of a decoder.

    Attributes:
        options: SMP constructor arguments that the shapes show.
        encoder_channels: channels that the decoder needs from stages of the encoder: ``{(4, 5): 768}`` means that
            stages 4 and 5 have 768 together. Stage 0 is the image.
        assumed: constructor arguments that change the output but are not visible in the weights.
    """

    options: dict[str, Any]
    encoder_channels: dict[tuple[int, ...], int] = field(default_factory=dict)
    assumed: dict[str, Any] = field(default_factory=dict)

    @property
    def depth(self) -> int:
        return int(self.options["encoder_depth"])


def find_architecture(shapes: Shapes) -> str | None:
    """Return the SMP architecture whose decoder has these names, or None."""
    for architecture, (prefixes, _) in _DECODERS.items():
        if any(name.startswith(prefixes) for name in shapes):
            return architecture
    return None


def decoder_setups(architecture: str, shapes: Shapes) -> tuple[DecoderSetup, ...]:
    """Return the possible setups of this architecture for the weights, the likeliest first; none if they do not fit."""
    try:
        return tuple(_DECODERS[architecture][1](shapes))
    except (KeyError, IndexError):
        return ()


def _unet(shapes: Shapes) -> Iterator[DecoderSetup]:
    depth = count_parts(shapes, "decoder.blocks.")
    yield _unet_setup(shapes, [f"decoder.blocks.{index}" for index in range(depth)])


def _unet_plus_plus(shapes: Shapes) -> Iterator[DecoderSetup]:
    depth = count_parts(shapes, "decoder.blocks.x_0_")
    yield _unet_setup(shapes, [f"decoder.blocks.x_0_{index}" for index in range(depth)])


def _unet_setup(shapes: Shapes, blocks: list[str]) -> DecoderSetup:
    depth = len(blocks)
    first_stages = (depth - 1, depth) if depth > 1 else (depth,)
    return DecoderSetup(
        {
            "encoder_depth": depth,
            "decoder_channels": tuple(shapes[f"{block}.conv2.0.weight"][0] for block in blocks),
            "decoder_use_norm": _normalization(shapes, f"{blocks[0]}.conv1"),
            "decoder_attention_type": "scse" if f"{blocks[0]}.attention2.attention.cSE.1.weight" in shapes else None,
        },
        {first_stages: shapes[f"{blocks[0]}.conv1.0.weight"][1]},
        {"decoder_interpolation": "nearest"},
    )


def _manet(shapes: Shapes) -> Iterator[DecoderSetup]:
    depth = count_parts(shapes, "decoder.blocks.")
    attention = shapes["decoder.center.top_conv.weight"]
    yield DecoderSetup(
        {
            "encoder_depth": depth,
            "decoder_channels": tuple(shapes[f"decoder.blocks.{i}.conv2.0.weight"][0] for i in range(depth)),
            "decoder_use_norm": _normalization(shapes, "decoder.blocks.0.conv1"),
            "decoder_pab_channels": attention[0],
        },
        {(depth,): attention[1]},
        {"decoder_interpolation": "nearest"},
    )


def _linknet(shapes: Shapes) -> Iterator[DecoderSetup]:
    depth = count_parts(shapes, "decoder.blocks.")
    first_block = "decoder.blocks.0.block.0"
    yield DecoderSetup(
        {"encoder_depth": depth, "decoder_use_norm": _normalization(shapes, first_block)},
        {(depth,): shapes[f"{first_block}.0.weight"][1]},
    )


def _fpn(shapes: Shapes) -> Iterator[DecoderSetup]:
    laterals = [shapes["decoder.p5.weight"], *(shapes[f"decoder.p{level}.skip_conv.weight"] for level in (4, 3, 2))]
    segmentation_channels = shapes["decoder.seg_blocks.0.block.0.block.0.weight"][0]
    merged_channels = shapes["segmentation_head.0.weight"][1]
    for depth in (5, 4, 3):
        yield DecoderSetup(
            {
                "encoder_depth": depth,
                "decoder_pyramid_channels": laterals[0][0],
                "decoder_segmentation_channels": segmentation_channels,
                "decoder_merge_policy": "add" if merged_channels == segmentation_channels else "cat",
            },
            {(depth - index,): lateral[1] for index, lateral in enumerate(laterals)},
            # The decoder ends three stages above the deepest; the mask should have the size of the image.
            {"upsampling": 2 ** (depth - 3), "decoder_interpolation": "nearest"},
        )


def _pspnet(shapes: Shapes) -> Iterator[DecoderSetup]:
    out_channels, doubled_channels = shapes["decoder.conv.0.weight"][:2]
    for depth in (3, 5, 4, 2, 1):  # 3 is SMP's default
        yield DecoderSetup(
            {
                "encoder_depth": depth,
                "psp_out_channels": out_channels,
                "decoder_use_norm": _normalization(shapes, "decoder.conv"),
            },
            {(depth,): doubled_channels // 2},
            {"upsampling": 2**depth},
        )


def _deeplab_v3(shapes: Shapes) -> Iterator[DecoderSetup]:
    # SMP before 0.4 numbered the decoder's parts.
    aspp = "decoder.aspp" if "decoder.aspp.convs.0.0.weight" in shapes else "decoder.0"
    out_channels, in_channels = shapes[f"{aspp}.convs.0.0.weight"][:2]
    for depth in (5, 4, 3, 2, 1):
        yield DecoderSetup(
            {
                "encoder_depth": depth,
                "decoder_channels": out_channels,
                "decoder_aspp_separable": f"{aspp}.convs.1.0.1.weight" in shapes,
            },
            {(depth,): in_channels},
            {"encoder_output_stride": 8, "decoder_atrous_rates": (12, 24, 36)},
        )


def _deeplab_v3_plus(shapes: Shapes) -> Iterator[DecoderSetup]:
    out_channels, in_channels = shapes["decoder.aspp.0.convs.0.0.weight"][:2]
    for depth in (5, 4, 3):
        yield DecoderSetup(
            {
                "encoder_depth": depth,
                "decoder_channels": out_channels,
                "decoder_aspp_separable": "decoder.aspp.0.convs.1.0.1.weight" in shapes,
            },
            {(depth,): in_channels, (2,): shapes["decoder.block1.0.weight"][1]},
            {"encoder_output_stride": 16, "decoder_atrous_rates": (12, 24, 36)},
        )


def _pan(shapes: Shapes) -> Iterator[DecoderSetup]:
    out_channels, in_channels = shapes["decoder.fpa.mid.0.conv.weight"][:2]
    depth = 2 + sum(f"decoder.gau{level}.conv2.conv.weight" in shapes for level in (1, 2, 3))
    yield DecoderSetup(
        {"encoder_depth": depth, "decoder_channels": out_channels},
        {(depth,): in_channels, (2,): shapes["decoder.gau1.conv2.conv.weight"][1]},
        {"encoder_output_stride": 16, "decoder_interpolation": "bilinear"},
    )


def _upernet(shapes: Shapes) -> Iterator[DecoderSetup]:
    levels = count_parts(shapes, "decoder.feature_norms.")
    yield DecoderSetup(
        {
            "encoder_depth": levels + 1,
            "decoder_channels": shapes["decoder.fusion_block.0.weight"][0],
            "decoder_use_norm": _normalization(shapes, "decoder.fusion_block"),
        },
        {(level + 2,): shapes[f"decoder.feature_norms.{level}.weight"][0] for level in range(levels)},
    )


def _segformer(shapes: Shapes) -> Iterator[DecoderSetup]:
    levels = count_parts(shapes, "decoder.mlp_stage.")
    level_channels = [shapes[f"decoder.mlp_stage.{level}.linear.weight"][1] for level in range(levels)]
    # Transformers return an empty map at stride 2, which the decoder leaves out.
    for depth in (levels, levels + 1):
        encoder_channels: dict[tuple[int, ...], int] = {
            (depth - level,): channels for level, channels in enumerate(level_channels)
        }
        if depth > levels:
            encoder_channels[1,] = 0
        yield DecoderSetup(
            {"encoder_depth": depth, "decoder_segmentation_channels": shapes["decoder.fuse_stage.0.weight"][0]},
            encoder_channels,
        )


def _dpt(shapes: Shapes) -> Iterator[DecoderSetup]:
    levels = range(count_parts(shapes, "decoder.reassemble_blocks."))
    concatenates = "decoder.projection_blocks.0.project.0.weight" in shapes
    block = "decoder.reassemble_blocks.{}.project_to_{}.weight"
    yield DecoderSetup(
        {
            "encoder_depth": len(levels),
            "decoder_intermediate_channels": tuple(shapes[block.format(i, "out_channel")][0] for i in levels),
            "decoder_fusion_channels": shapes[block.format(0, "feature_dim")][0],
        }
        | ({"decoder_readout": "cat"} if concatenates else {}),
        assumed={} if concatenates else {"decoder_readout": "ignore"},
    )


# Architecture → prefixes of its decoder's names, and the function that reads its shapes. The order matters: UPerNet has
# PSPNet's names too, and DeepLabV3Plus those of DeepLabV3.
_DECODERS: dict[str, tuple[tuple[str, ...], Callable[[Shapes], Iterator[DecoderSetup]]]] = {
    "DPT": (("decoder.reassemble_blocks.",), _dpt),
    "UPerNet": (("decoder.fpn_lateral_blocks.",), _upernet),
    "Segformer": (("decoder.mlp_stage.",), _segformer),
    "PAN": (("decoder.fpa.",), _pan),
    "FPN": (("decoder.seg_blocks.",), _fpn),
    "PSPNet": (("decoder.psp.",), _pspnet),
    "DeepLabV3Plus": (("decoder.block1.",), _deeplab_v3_plus),
    "DeepLabV3": (("decoder.aspp.", "decoder.0.convs."), _deeplab_v3),
    "MAnet": (("decoder.center.top_conv.",), _manet),
    "UnetPlusPlus": (("decoder.blocks.x_0_0.",), _unet_plus_plus),
    "Linknet": (("decoder.blocks.0.block.",), _linknet),
    "Unet": (("decoder.blocks.0.conv1.",), _unet),
}

ARCHITECTURES = tuple(sorted(_DECODERS))


def count_parts(shapes: Shapes, prefix: str) -> int:
    """Return the number of parts under a prefix."""
    return len({name.removeprefix(prefix).partition(".")[0] for name in shapes if name.startswith(prefix)})


def _normalization(shapes: Shapes, layer: str) -> str | dict[str, Any]:
    """Return the normalization of one of SMP's blocks, in which part 0 is the convolution and part 1 the norm."""
    if f"{layer}.1.running_mean" in shapes:
        return "batchnorm"
    if f"{layer}.1.weight" in shapes:
        return {"type": "instancenorm", "affine": True}
    return "identity"
