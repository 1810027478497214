"""The network: trained weights made ready to be explained, with what is needed to feed and to read it."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from numbers import Integral
from pathlib import Path

import torch
from torch import nn

from napari_segcam.errors import SegcamError
from napari_segcam.network.checkpoint import read_checkpoint
from napari_segcam.network.model_card import ModelCard, SizeRule, find_card
from napari_segcam.network.recognise import build, recognise
from napari_segcam.network.stages import Stage, aliases, find_stages, main_stages, stage_at
from napari_segcam.network.survey import Survey, survey


@dataclass(frozen=True, eq=False)
class Network:
    """An eval-mode module with frozen weights, its model card, its stages, and where it runs.

    Attributes:
        module: the plain ``torch.nn.Module``.
        card: how it is fed and read.
        stages: its named stages, in order of execution; empty where the module has no encoder and decoder.
        classes: channels of its output; one means a sigmoid, several a softmax whose first is the background.
        stride: its input's height and width must be multiples of this, pixels.
        name: of the checkpoint, for people.
        architecture: for example ``"UnetPlusPlus"``.
        encoder: for example ``"efficientnet-b5"``; empty where unknown.
        sha256: of the weights file; empty for a module that came without one.
        warnings: what the user should know of these weights.
        lock: held while the module runs, since taps on a module are not thread-safe.
    """

    module: nn.Module = field(repr=False)
    card: ModelCard
    stages: tuple[Stage, ...]
    classes: int
    stride: int
    name: str
    architecture: str
    encoder: str
    sha256: str
    warnings: tuple[str, ...]
    seen: Survey = field(repr=False)
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @classmethod
    def from_module(cls, module: nn.Module, card: ModelCard | None = None, device: str = "auto") -> Network:
        """A network from any segmentation module, which is copied and not changed for its owner.

        Raises:
            SegcamError: if the module does not run, or gives no ``(B, C, H, W)`` output.
        """
        return _network(copy.deepcopy(module), card or ModelCard(), device, name=type(module).__name__)

    @property
    def device(self) -> torch.device:
        parameter = next(self.module.parameters(), None)
        return parameter.device if parameter is not None else torch.device("cpu")

    @property
    def dtype(self) -> torch.dtype:
        parameter = next(self.module.parameters(), None)
        return parameter.dtype if parameter is not None else torch.float32

    @property
    def has_background(self) -> bool:
        """Whether the first output channel is the background, as it is where there are several."""
        return self.classes > 1

    @property
    def class_names(self) -> tuple[str, ...]:
        """One name per output channel, from the card where it gives them."""
        if self.card.class_names:
            return self.card.class_names
        if not self.has_background:
            return ("foreground",)
        return ("background", *(f"class {index}" for index in range(1, self.classes)))

    def class_index(self, wanted: int | str | None) -> int:
        """The output channel of a class given by number or name; by default the first that is not the background.

        Raises:
            SegcamError: if there is no such class.
        """
        if wanted is None:
            return int(self.has_background)
        if isinstance(wanted, str) and wanted in self.class_names:
            return self.class_names.index(wanted)
        if isinstance(wanted, Integral) and 0 <= int(wanted) < self.classes:  # numpy's whole numbers as well
            return int(wanted)
        choices = ", ".join(f"{index} ({name})" for index, name in enumerate(self.class_names))
        raise SegcamError(f"This network has no class {wanted}. Its classes are: {choices}.")

    def with_image_size(self, side: int) -> Network:
        """The same network, fed with frames resized to ``side`` × ``side`` pixels.

        Raises:
            SegcamError: if that is no multiple of the network's stride.
        """
        if side <= 0 or side % self.stride:
            raise SegcamError(
                f"An image size of {side} does not go with this network: it needs multiples of {self.stride}."
            )
        return replace(
            self, card=self.card.model_copy(update={"size": SizeRule(rule="resize", height=side, width=side)})
        )

    def stage(self, name: str) -> Stage:
        """The stage of this name, alias, or dotted layer name.

        Raises:
            SegcamError: if there is none; the message lists the closest names.
        """
        resolved = aliases(self.stages).get(name, name)
        for stage in self.stages:
            if stage.name == resolved:
                return stage
        layers = self.seen.layers()
        if name in layers:
            return stage_at(self.seen, name, "layer", name)
        known = [*(stage.name for stage in self.stages), *aliases(self.stages), *layers]
        close = get_close_matches(name, known, n=4, cutoff=0.5) or known[:6]
        raise SegcamError(f"The network has no stage or layer named {name!r}. Closest: {', '.join(close)}.")

    def select(self, stages: str | Iterable[str]) -> tuple[Stage, ...]:
        """The stages meant by ``"all"``, ``"main"``, ``"encoder"``, ``"decoder"``, or by names, each once.

        Raises:
            SegcamError: if a name is unknown.
        """
        if stages == "all":
            return self.stages
        if stages == "main":
            return main_stages(self.stages)
        if stages in ("encoder", "decoder"):
            return tuple(stage for stage in self.stages if stage.kind == stages)
        names = (stages,) if isinstance(stages, str) else stages
        return tuple(dict.fromkeys(self.stage(name) for name in names))


def load_network(
    path: str | Path,
    device: str = "auto",
    *,
    architecture: str | None = None,
    encoder: str | None = None,
    card: ModelCard | None = None,
) -> Network:
    """Load a checkpoint: its architecture is recognised from the weights, its model card read from beside it.

    Args:
        path: a checkpoint file, or a folder written by SMP's ``save_pretrained``.
        device: ``"auto"`` (CUDA, else MPS, else CPU), ``"cuda"``, ``"cuda:1"``, ``"mps"`` or ``"cpu"``.
        architecture: an SMP architecture such as ``"UnetPlusPlus"``, where it cannot be recognised.
        encoder: an SMP encoder such as ``"efficientnet-b5"``, where it cannot be recognised.
        card: used instead of the card beside the checkpoint.

    Raises:
        SegcamError: if the file is no checkpoint, is not recognised, does not match, or the device is not there.
    """
    path = Path(path)
    chosen = choose_device(device)
    checkpoint = read_checkpoint(path)
    found = card or find_card(path)
    blueprint = recognise(
        checkpoint,
        architecture or (found.architecture if found else None),
        encoder or (found.encoder if found else None),
    )
    if found is None:
        found = ModelCard(input_channels=blueprint.in_channels)
    if found.input_channels != blueprint.in_channels:
        raise SegcamError(
            f"The model card of {path.name} says {found.input_channels} input channels, but the weights take "
            f"{blueprint.in_channels}. Correct input_channels in the card."
        )
    return _network(
        build(blueprint, checkpoint),
        found,
        str(chosen),
        name=path.name,
        architecture=blueprint.architecture,
        encoder=blueprint.encoder,
        sha256=checkpoint.sha256,
        warnings=checkpoint.warnings,
    )


def choose_device(device: str) -> torch.device:
    """The device meant by a word; ``"auto"`` takes the fastest there is.

    Raises:
        SegcamError: if that device is not on this machine.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        return torch.device(next(kind for kind, available in there.items() if available))
    kind, _, index = device.partition(":")
    available = [kind for kind, is_there in there.items() if is_there]
    if kind not in available or (index and (kind != "cuda" or not index.isdigit())):
        raise SegcamError(f"There is no device {device!r} on this machine. Choose from: auto, {', '.join(available)}.")
    if index and int(index) >= torch.cuda.device_count():
        raise SegcamError(f"There is no device {device!r}: this machine has {torch.cuda.device_count()} CUDA devices.")
    return torch.device(device)


def _network(
    module: nn.Module,
    card: ModelCard,
    device: str,
    *,
    name: str,
    architecture: str = "",
    encoder: str = "",
    sha256: str = "",
    warnings: tuple[str, ...] = (),
) -> Network:
    # Channels-last halves the time of convolutions on CPU; it changes no value.
    module = module.eval().requires_grad_(False).to(choose_device(device), memory_format=torch.channels_last)  # type: ignore[call-overload]
    seen = survey(module, card.input_channels)
    if card.class_names and len(card.class_names) != seen.classes:
        raise SegcamError(
            f"The model card names {len(card.class_names)} classes, but {name} has {seen.classes}. "
            "Correct class_names in the card."
        )
    stages = find_stages(module, seen)
    required = getattr(getattr(module, "encoder", None), "output_stride", None)
    return Network(
        module=module,
        card=card,
        stages=stages,
        classes=seen.classes,
        stride=int(required or max((stage.stride for stage in stages), default=32)),
        name=name,
        architecture=architecture or type(module).__name__,
        encoder=encoder,
        sha256=sha256,
        warnings=warnings,
        seen=seen,
    )
