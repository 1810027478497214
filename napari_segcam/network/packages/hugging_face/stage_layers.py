"""The stages of transformers' networks: which layers are the encoder, the decoder and the head, by their names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from torch import nn

StageLayer = tuple[str, Literal["encoder", "decoder", "head"], str]

# Layers of encoders whose maps become smaller from stage to stage. The last block of each stage is its output.
_STAGES = (
    re.compile(r"segformer\.stages\.(\d+)"),
    re.compile(r".*encoder\.layers\.(\d+)\.blocks\.\d+"),
    re.compile(r".*encoder\.stages\.(\d+)"),
    re.compile(r"mobilevit(?:v2)?\.encoder\.layer\.(\d+)"),
)

# Blocks of vision transformers, whose maps are all of one size. The decoder takes those that the settings number.
_BLOCKS = re.compile(r"(?:beit\.(?:encoder\.)?layers?|data2vec_vision\.encoder\.layer|dpt\.encoder\.layer)\.(\d+)")

# In order of execution.
_DECODER = re.compile(
    r"decode_head\.(?:bottleneck|psp_bottleneck|fpn_convs\.\d+|fpn_bottleneck|activation)"
    r"|neck\.fusion_stage\.layers\.\d+"
    r"|segmentation_head\.aspp"
    r"|model\.pixel_level_module\.decoder\.(?:layer_\d+|fpn\.layers\.\d+|mask_projection)"
)
_HEAD = re.compile(r"(?:decode_head|segmentation_head)\.classifier|head\.head\.4")


def stage_layers(model: nn.Module, settings: Mapping[str, Any]) -> tuple[StageLayer, ...]:
    """Return name, kind and layer of each stage; none if the encoder's layers have other names.

    Args:
        model: of transformers, as the child ``model`` of a module.
        settings: of its ``config.json``.
    """
    names = [name for name, _ in model.named_modules()]
    encoder = _encoder(names, settings)
    if len(encoder) < 2:
        return ()
    # Modules are listed in the order in which they were made. The projection to the masks is made first, and runs last.
    decoder = sorted(filter(_DECODER.fullmatch, names), key=lambda name: name.endswith("mask_projection"))
    heads = [name for name in names if _HEAD.fullmatch(name)]
    return (
        *_numbered("encoder", encoder),
        *_numbered("decoder", decoder),
        *(("seg_head", "head", f"model.{name}") for name in heads[:1]),
    )


def _numbered(kind: Literal["encoder", "decoder"], names: Iterable[str]) -> tuple[StageLayer, ...]:
    return tuple((f"{kind}_{number}", kind, f"model.{name}") for number, name in enumerate(names, start=1))


def _encoder(names: list[str], settings: Mapping[str, Any]) -> list[str]:
    for pattern in _STAGES:
        last: dict[int, str] = {}
        for name in names:
            if match := pattern.fullmatch(name):
                last[int(match[1])] = name
        if last:
            return [last[number] for number in sorted(last)]
    blocks = {int(match[1]): name for name in names if (match := _BLOCKS.fullmatch(name))}
    numbers = settings.get("backbone_out_indices")
    if not isinstance(numbers, list):  # DPT counts blocks from 0, the others from 1
        numbers = [number - 1 for number in settings.get("out_indices") or () if isinstance(number, int)]
    return [blocks[number] for number in numbers if isinstance(number, int) and number in blocks]
