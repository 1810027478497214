"""U-Nets of random structure and unusual names, defined here independently of the package."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

Activation = Callable[[torch.Tensor], torch.Tensor]

ACTIVATIONS: dict[str, Activation] = {
    "relu": F.relu,
    "leaky_relu_0.1": lambda x: F.leaky_relu(x, 0.1),
    "leaky_relu_0.2": lambda x: F.leaky_relu(x, 0.2),
    "elu": F.elu,
    "silu": F.silu,
}

# Words for: the encoder's block, the bottom, what enlarges, the decoder's block, the head, a convolution, a norm.
WORDS = (
    ("contract", "base", "expand", "fuse", "answer", "c", "n"),
    ("squash", "core", "stretch", "merge", "verdict", "lin", "stat"),
    ("left", "floor", "lift", "right", "exit", "op", "bn"),
    ("abstieg", "tal", "aufzug", "aufstieg", "ausgang", "falt", "norm"),
    ("stage_in", "neck", "grow", "stage_out", "to_mask", "kern", "scale"),
    ("pathA", "hub", "wide", "pathB", "logit", "w", "z"),
)

UPS = (
    *("transposed_2", "transposed_2", "transposed_3", "transposed_4", "nearest_3", "bilinear_1", "bilinear_3"),
    *("direct_nearest", "direct_bilinear", "direct_bilinear_aligned"),
)


@dataclass(frozen=True)
class UNetConfig:
    """How a U-Net is built."""

    widths: tuple[int, ...]
    in_channels: int
    classes: int
    block: str  # double, single, triple, residual, separable
    norm: str  # batch, group_4, instance, instance_without_weights, none
    bias: bool
    activation: str
    pooling: str  # max, max_3x3, average, stride
    up: str  # transposed_2, transposed_3, transposed_4, nearest_3, bilinear_1, bilinear_3, nearest_2, direct_nearest, …
    concatenation: str  # skip_first, skip_last
    join: str  # concat, add
    gates: bool
    words: int
    layout: str  # in_turn, lists, shallow_first
    head_kernel: int


def random_config(seed: int, norm: str | None = None) -> UNetConfig:
    """Return a config drawn with a seed."""
    draw = random.Random(seed)
    levels = draw.choice((3, 4, 4, 5))
    base = draw.choice((8, 12, 16))
    growth = draw.choice(("double", "double", "slow"))
    widths = tuple(base * 2**level if growth == "double" else base * (level + 1) for level in range(levels))
    up = draw.choice(UPS)
    return UNetConfig(
        widths,
        draw.choice((1, 3)),
        draw.choice((1, 2, 4)),
        draw.choice(("double", "double", "double", "single", "triple", "residual", "separable")),
        norm or "batch",
        draw.random() < 0.5,
        draw.choice(("relu", "relu", "relu", "leaky_relu_0.1", "leaky_relu_0.2", "elu", "silu")),
        draw.choice(("max", "max", "max", "average", "stride")),
        up,
        draw.choice(("skip_first", "skip_last")),
        "add" if not up.startswith("direct") and draw.random() < 0.15 else "concat",
        draw.random() < 0.2,
        seed % len(WORDS),
        draw.choice(("in_turn", "in_turn", "lists", "shallow_first")),
        draw.choice((1, 1, 3)),
    )


class GeneratedUNet(nn.Module):
    """A U-Net of a config."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        enc, mid, grow, dec, head, conv, norm = WORDS[config.words]
        widths = config.widths
        ins = (config.in_channels, *widths[:-1])
        block = BLOCKS[config.block]
        count = len(widths) - 1
        for level in range(count):
            stride = 2 if level and config.pooling == "stride" else 1
            self.add_module(f"{enc}{level}", block(ins[level], widths[level], config, conv, norm, stride))
        stride = 2 if config.pooling == "stride" else 1
        self.add_module(mid, block(widths[-2], widths[-1], config, conv, norm, stride))
        deepest_first = list(reversed(range(count)))
        ups = {level: self._up(level, conv, norm) for level in deepest_first}
        joined = {
            level: widths[level] * (1 if config.join == "add" else 2)
            if not config.up.startswith("direct")
            else widths[level] + widths[level + 1]
            for level in deepest_first
        }
        blocks = {level: block(joined[level], widths[level], config, conv, norm, 1) for level in deepest_first}
        gates = {level: Gate(self._up_width(level), widths[level]) for level in deepest_first} if config.gates else {}
        order: Iterable[int] = deepest_first if config.layout != "shallow_first" else range(count)
        if config.layout == "lists":
            for level in order:
                self._add(f"{grow}{level}", ups[level])
            for level in order:
                self._add(f"{dec}{level}", blocks[level])
        else:
            for level in order:
                self._add(f"{grow}{level}", ups[level])
                self._add(f"{dec}{level}", blocks[level])
        for level in gates:
            self._add(f"sel{level}", gates[level])
        self.add_module(head, nn.Conv2d(widths[0], config.classes, config.head_kernel, padding=config.head_kernel // 2))

    def _add(self, name: str, module: nn.Module | None) -> None:
        if module is not None:
            self.add_module(name, module)

    def _up_width(self, level: int) -> int:
        return self.config.widths[level + 1] if self.config.up.startswith("direct") else self.config.widths[level]

    def _up(self, level: int, conv: str, norm: str) -> nn.Module | None:
        config = self.config
        coarse, fine = config.widths[level + 1], config.widths[level]
        kind, _, kernel = config.up.rpartition("_")
        if config.up.startswith("direct"):
            return None
        if kind == "transposed":
            padding, extra = {"2": (0, 0), "3": (1, 1), "4": (1, 0)}[kernel]
            return nn.ConvTranspose2d(coarse, fine, int(kernel), 2, padding, extra, bias=config.bias)
        layer = nn.Module()
        layer.add_module(conv, nn.Conv2d(coarse, fine, int(kernel), padding=int(kernel) // 2, bias=config.bias))
        if config.norm != "none":
            layer.add_module(norm, make_norm(config.norm, fine))
        return layer

    def _enlarged(self, x: torch.Tensor, level: int) -> torch.Tensor:
        config = self.config
        _, _, grow, _, _, conv, norm = WORDS[config.words]
        if config.up.startswith("direct"):
            if config.up == "direct_nearest":
                return F.interpolate(x, scale_factor=2, mode="nearest")
            return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=config.up.endswith("aligned"))
        layer = self.get_submodule(f"{grow}{level}")
        if config.up.startswith("transposed"):
            return layer(x)  # type: ignore[no-any-return]
        mode = config.up.partition("_")[0]
        x = F.interpolate(x, scale_factor=2, mode=mode, **({"align_corners": False} if mode == "bilinear" else {}))
        x = layer.get_submodule(conv)(x)
        if config.norm != "none":
            x = layer.get_submodule(norm)(x)
        return ACTIVATIONS[config.activation](x)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        config = self.config
        enc, mid, _, dec, head, _, _ = WORDS[config.words]
        skips = []
        for level in range(len(config.widths) - 1):
            x = self.get_submodule(f"{enc}{level}")(x)
            skips.append(x)
            if config.pooling == "max":
                x = F.max_pool2d(x, 2)
            elif config.pooling == "max_3x3":
                x = F.max_pool2d(x, 3, stride=2, padding=1)
            elif config.pooling == "average":
                x = F.avg_pool2d(x, 2)
        x = self.get_submodule(mid)(x)
        for level in reversed(range(len(skips))):
            x, skip = self._enlarged(x, level), skips[level]
            if config.gates:
                skip = self.get_submodule(f"sel{level}")(x, skip)
            if config.join == "add":
                x = x + skip
            else:
                x = torch.cat((skip, x) if config.concatenation == "skip_first" else (x, skip), 1)
            x = self.get_submodule(f"{dec}{level}")(x)
        return self.get_submodule(head)(x)  # type: ignore[no-any-return]


class Chain(nn.Module):
    """Convolutions, each with a norm and an activation."""

    count = 2

    def __init__(self, a: int, b: int, config: UNetConfig, conv: str, norm: str, stride: int) -> None:
        super().__init__()
        self.config, self.conv, self.norm = config, conv, norm
        for index in range(self.count):
            step = stride if index == 0 else 1
            self.add_module(f"{conv}{index}", nn.Conv2d(b if index else a, b, 3, step, 1, bias=config.bias))
            if config.norm != "none":
                self.add_module(f"{norm}{index}", make_norm(config.norm, b))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for index in range(self.count):
            x = self.get_submodule(f"{self.conv}{index}")(x)
            if self.config.norm != "none":
                x = self.get_submodule(f"{self.norm}{index}")(x)
            x = ACTIVATIONS[self.config.activation](x)
        return x


class Single(Chain):
    count = 1


class Triple(Chain):
    count = 3


class Residual(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, a: int, b: int, config: UNetConfig, _conv: str, _norm: str, stride: int) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[config.activation]
        self.has_norm = config.norm != "none"
        self.first = nn.Conv2d(a, b, 3, stride, 1, bias=config.bias)
        self.second = nn.Conv2d(b, b, 3, padding=1, bias=config.bias)
        self.bypass = nn.Conv2d(a, b, 1, stride, bias=config.bias)
        if self.has_norm:
            self.norm1, self.norm2, self.norm3 = (make_norm(config.norm, b) for _ in range(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.has_norm:
            return self.activation(self.second(self.activation(self.first(x))) + self.bypass(x))
        y = self.activation(self.norm1(self.first(x)))
        return self.activation(self.norm2(self.second(y)) + self.norm3(self.bypass(x)))


class Separable(nn.Module):
    """Two depthwise separable convolutions."""

    def __init__(self, a: int, b: int, config: UNetConfig, _conv: str, _norm: str, stride: int) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[config.activation]
        self.steps = nn.ModuleList()
        for inputs, step in ((a, stride), (b, 1)):
            layers = [
                nn.Conv2d(inputs, inputs, 3, step, 1, groups=inputs, bias=False),
                nn.Conv2d(inputs, b, 1, bias=config.bias),
            ]
            if config.norm != "none":
                layers.append(make_norm(config.norm, b))  # type: ignore[arg-type]
            self.steps.append(nn.Sequential(*layers))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for step in self.steps:
            x = self.activation(step(x))
        return x


class Gate(nn.Module):
    """An attention gate."""

    def __init__(self, gate: int, skip: int) -> None:
        super().__init__()
        inner = max(2, skip // 2)
        self.from_gate = nn.Sequential(nn.Conv2d(gate, inner, 1), nn.BatchNorm2d(inner))
        self.from_skip = nn.Sequential(nn.Conv2d(skip, inner, 1), nn.BatchNorm2d(inner))
        self.score = nn.Sequential(nn.Conv2d(inner, 1, 1), nn.BatchNorm2d(1), nn.Sigmoid())

    def forward(self, gate: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        return skip * self.score(F.relu(self.from_gate(gate) + self.from_skip(skip)))  # type: ignore[no-any-return]


BLOCKS: dict[str, Callable[..., nn.Module]] = {
    "double": Chain,
    "single": Single,
    "triple": Triple,
    "residual": Residual,
    "separable": Separable,
}


def make_norm(kind: str, channels: int) -> nn.Module:
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    if kind.startswith("instance"):
        return nn.InstanceNorm2d(channels, affine=kind == "instance")
    return nn.GroupNorm(int(kind.removeprefix("group_")), channels)


def generated(config: UNetConfig, frames: torch.Tensor, seed: int = 0) -> GeneratedUNet:
    """Return a network of a config, in eval mode, with random weights and the statistics of real frames.

    Args:
        config: of the network.
        frames: ``(N, H, W)`` from 0 to 1, that pass in train mode.
        seed: of the weights, and of how the frames are prepared.
    """
    torch.manual_seed(seed)
    module = GeneratedUNet(config)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d | nn.GroupNorm | nn.InstanceNorm2d) and part.affine and seed % 2:
            nn.init.uniform_(part.weight, 0.6, 1.4)
            nn.init.normal_(part.bias, 0, 0.2)
    module.train()
    images = frames[:, None].expand(-1, config.in_channels, -1, -1)
    if seed % 3 == 1:
        images = (images - 0.449) / 0.226
    if seed % 3 == 2:
        images = (images - images.mean()) / images.std()
    with torch.no_grad():
        for _ in range(30):
            module(images[torch.randperm(len(images))[:4]])
    return module.eval()
