"""A network: a module with its trained weights, its model card and its stages, ready to run and to explain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from numbers import Integral

import torch
from torch import nn

from napari_segcam.errors import SegcamError
from napari_segcam.network.class_overlap import ASSUMED_WARNING, assumed_overlap, with_class_overlap
from napari_segcam.network.device import channels_last, choose_device, image_like, network_must_fit
from napari_segcam.network.graphs.torchscript import copy_script
from napari_segcam.network.inference import InferenceForm, inference_form
from napari_segcam.network.inference.rewritten_stages import rewritten_stages
from napari_segcam.network.model_card import ModelCard, SizeRule, make_card
from napari_segcam.network.output import OutputReading, read_output
from napari_segcam.network.repeatability import check_repeatability, fix_random_numbers
from napari_segcam.network.running.full_precision import RunLock, full_precision
from napari_segcam.network.running.image_channels import find_image_channels
from napari_segcam.network.running.module_preparation import copy_module, prepare_module
from napari_segcam.network.running.unsupported_modules import refuse_unsupported
from napari_segcam.network.stages.automatic_stages import automatic_stages
from napari_segcam.network.stages.forward_trace import ForwardTrace, trace_forward
from napari_segcam.network.stages.stage import Stage, find_stages, main_stages, stage_aliases, stage_at
from napari_segcam.network.whole_network import WholeNetwork

MAX_CLASSES = 255
"""Highest number of classes in a mask whose labels are bytes."""


@dataclass(frozen=True, eq=False)
class Network:
    """An eval-mode module with frozen weights, its model card, its stages, and where it runs.

    Attributes:
        module: the plain ``torch.nn.Module``, which returns logits. Use it to inspect the network: its rewritten copy
            may run instead.
        form: the same network, rewritten exactly to save time and memory.
        card: how to prepare the image and read the output.
        stages: the named stages, in order of execution: SMP's own, else those found from the sizes of the maps.
        rewritten: the stages that the rewritten form has too, as they are in it, by name.
        classes: channels of the output. One class has a sigmoid; several share a softmax, or have a sigmoid each if
            they overlap. In a segmentation whose classes exclude each other, the first is the background.
        stride: the input's height and width must be multiples of this, in pixels.
        name: name of the checkpoint, to show to users.
        architecture: for example ``"UnetPlusPlus"``.
        encoder: for example ``"efficientnet-b5"``; empty if unknown.
        sha256: checksum of the weights file; empty for a module without a file.
        warnings: about these weights, for the user.
        assumed: assumptions about how the network is built and used: what is unknown → what is assumed, in plain text.
        trace: what a pass of the module shows: the sizes of its maps, and whether it returns a mask.
        output: which of the module's outputs is read, and its final activation.
        one_frame_at_a_time: whether frames must run one by one, because frames in a batch change each other's results.
        lock: held while the module runs, because hooks on a module are not thread-safe; then float32 is not rounded.
    """

    module: nn.Module = field(repr=False)
    form: InferenceForm
    card: ModelCard
    stages: tuple[Stage, ...]
    rewritten: Mapping[str, Stage] = field(repr=False)
    classes: int
    stride: int
    name: str
    architecture: str
    encoder: str
    sha256: str
    warnings: tuple[str, ...]
    assumed: Mapping[str, str]
    one_frame_at_a_time: bool
    trace: ForwardTrace = field(repr=False)
    output: OutputReading
    lock: RunLock = field(default_factory=RunLock, repr=False)

    @classmethod
    def from_module(
        cls, module: nn.Module, card: ModelCard | None = None, device: str = "auto", *, rewrite: bool = True
    ) -> Network:
        """Return a network for any module that segments or classifies. The module is copied, not changed.

        Args:
            module: takes ``(B, card.input_channels, H, W)`` and returns ``(B, C, H, W)`` or ``(B, C)``: logits, or
                logits after a sigmoid or softmax; or several tensors, one of which is that.
            card: how to prepare the image and read the output. By default the card's defaults, with as many image
                channels as the module takes.
            device: as for ``load_network``.
            rewrite: as for ``load_network``.

        Raises:
            SegcamError: if the module does not run, or returns no such output.
        """
        if isinstance(module, torch.jit.ScriptModule):
            copy: nn.Module = copy_script(module)
        else:
            refuse_unsupported(module)
            copy = copy_module(module)
        copy = prepare_module(copy)
        torch_device = choose_device(device)
        if card is None or "input_channels" not in card.model_fields_set:
            card = make_card({"input_channels": find_image_channels(copy, card.size.fixed if card else None)}, card)
        return cls.of(copy, card, torch_device, rewrite=rewrite, name=type(copy).__name__)

    @classmethod
    @network_must_fit()
    @full_precision()
    def of(
        cls,
        module: nn.Module,
        card: ModelCard,
        device: torch.device,
        *,
        rewrite: bool,
        name: str,
        architecture: str = "",
        encoder: str = "",
        sha256: str = "",
        warnings: tuple[str, ...] = (),
        assumed: Mapping[str, str] | None = None,
    ) -> Network:
        """Return a network that takes the module over; the arguments are attributes of this class.

        Raises:
            TooLittleMemory: a SegcamError, if it does not fit the device.
            SegcamError: if the module does not run, or the card does not match it.
        """
        module = channels_last(prepare_module(module).requires_grad_(False))
        size = card.size.fixed
        is_random = fix_random_numbers(module, card.input_channels, size)
        output = read_output(module, card)
        trace = trace_forward(module, card.input_channels, size=size)
        form = inference_form(module, card.input_channels, trace.size) if rewrite else InferenceForm(module, 0.0, ())
        module.to(device)
        form.module.to(device)
        repeatability = check_repeatability(module, card.input_channels, trace.size, is_random=is_random)
        if card.class_names and len(card.class_names) != trace.classes:
            raise SegcamError(
                f"The model card names {len(card.class_names)} classes, but {name} has {trace.classes}. "
                "Correct class_names in the card."
            )
        if trace.segments and trace.classes > MAX_CLASSES:
            raise SegcamError(
                f"{name} returns maps of {trace.classes} channels, but a mask holds at most {MAX_CLASSES} classes. Is "
                "this output a segmentation?"
            )
        card = with_class_overlap(card, trace, output.final_activation, name)
        overlap = assumed_overlap(card, trace)
        overlap_warnings = (ASSUMED_WARNING.format(trace.classes),) if overlap and trace.segments else ()
        stages = find_stages(module, trace, output.name)
        if not stages and not _no_hooks_reason(module):
            stages = automatic_stages(module, card.input_channels, size)
        return cls(
            module=module,
            form=form,
            card=card,
            stages=stages,
            rewritten=rewritten_stages(stages, trace, form, card.input_channels, size),
            classes=trace.classes,
            stride=_encoder_stride(module) or max((stage.stride for stage in stages), default=32),
            name=name,
            architecture=architecture or type(module).__name__,
            encoder=encoder,
            sha256=sha256,
            warnings=(*warnings, *output.warnings, *overlap_warnings, *repeatability.warnings),
            assumed=dict(assumed or {}) | output.assumed | _assumed_normalization(card) | overlap,
            one_frame_at_a_time=repeatability.one_frame_at_a_time,
            trace=trace,
            output=output,
        )

    @property
    def device(self) -> torch.device:
        """Where the network runs."""
        return image_like(self.module).device

    @property
    def dtype(self) -> torch.dtype:
        """The type of its weights."""
        return image_like(self.module).dtype

    @property
    def segments(self) -> bool:
        """Whether the network returns a mask; else it classifies: one score per class for the whole image."""
        return self.trace.segments

    @property
    def classes_overlap(self) -> bool:
        """Whether each of several classes has its own sigmoid, so that a pixel can have several classes or none;
        else the classes exclude each other."""
        return self.classes > 1 and self.card.classes_overlap

    @property
    def has_background(self) -> bool:
        """Whether the first output channel is the background: in a segmentation of several classes that exclude each
        other."""
        return self.segments and self.classes > 1 and not self.classes_overlap

    @property
    def class_names(self) -> tuple[str, ...]:
        """One name per output channel, from the card if it names the classes."""
        if self.card.class_names:
            return self.card.class_names
        if self.has_background:
            return ("background", *(f"class {index}" for index in range(1, self.classes)))
        if self.segments and self.classes == 1:
            return ("foreground",)
        return tuple(f"class {index}" for index in range(self.classes))

    @property
    def members_in_words(self) -> str:
        """For an ensemble, how many networks it is, such as ``"3 members"``; empty for one network."""
        return ""

    @property
    def no_hooks_reason(self) -> str:
        """Why hooks on the layers are not possible, to show to users; empty if they are."""
        return _no_hooks_reason(self.module)

    def class_index(self, name_or_number: int | str | None) -> int:
        """Return the output channel of a class, given by number or name; by default the first except the background.

        Args:
            name_or_number: of the class; None for the default.

        Raises:
            SegcamError: if there is no such class.
        """
        if name_or_number is None:
            return int(self.has_background)
        if isinstance(name_or_number, str) and name_or_number in self.class_names:
            return self.class_names.index(name_or_number)
        if isinstance(name_or_number, Integral) and 0 <= int(name_or_number) < self.classes:  # NumPy integers too
            return int(name_or_number)
        choices = ", ".join(f"{index} ({name})" for index, name in enumerate(self.class_names))
        raise SegcamError(
            f"This network has no class {name_or_number}. Its classes are: {choices}.", action="edit_card"
        )

    def module_for(self, stages: Sequence[Stage]) -> tuple[nn.Module, tuple[Stage, ...]]:
        """Return the module that runs to explain these stages, and the stages in it.

        It is the rewritten form, unless one of the stages is a layer that differs in that form.
        """
        if all(stage.name in self.rewritten for stage in stages):
            return self.form.module, tuple(self.rewritten[stage.name] for stage in stages)
        return self.module, tuple(stages)

    def with_image_size(self, side: int) -> Network:
        """Return the same network, whose frames are resized to ``side`` × ``side`` pixels.

        Raises:
            SegcamError: if the size is not a multiple of the network's stride.
        """
        if side <= 0 or side % self.stride:
            raise SegcamError(
                f"An image size of {side} does not fit this network, which needs multiples of {self.stride}."
            )
        return self._with_size(SizeRule(rule="resize", height=side, width=side))

    def with_tiles(self, side: int, overlap: float | None = None) -> Network:
        """Return the same network, which runs on tiles of ``side`` × ``side`` pixels.

        Args:
            side: of a tile.
            overlap: part of the side that neighbors share, 0 to 0.9; by default half.

        Raises:
            SegcamError: if the size is not a multiple of the network's stride, the overlap is out of range, or the
                network has one score for the whole image.
        """
        if not self.segments:
            raise SegcamError("This network has one score for the whole image: it cannot run in tiles.")
        if side % self.stride:
            raise SegcamError(
                f"Tiles of {side} pixels do not fit this network, which needs multiples of {self.stride}."
            )
        return self._with_size(
            make_card({"size": {"rule": "tiles", "height": side, "width": side, "overlap": overlap}}).size
        )

    def _with_size(self, size: SizeRule) -> Network:
        return replace(self, card=self.card.model_copy(update={"size": size}))

    def stage(self, name: str) -> Stage:
        """Return the stage with this name, alias, or dotted layer name.

        Raises:
            SegcamError: if there is none; the message lists the closest names. Or if hooks on the layers are not
                possible; the message says why.
        """
        if self.no_hooks_reason:
            raise SegcamError(self.no_hooks_reason)
        resolved = stage_aliases(self.stages).get(name, name)
        for stage in self.stages:
            if stage.name == resolved:
                return stage
        return self._layer(name)

    def _layer(self, name: str) -> Stage:
        """Return the layer with this dotted name as a stage."""
        layers = self.trace.layers()
        if name in layers:
            return stage_at(self.trace, name, "layer", name)
        names = [*(stage.name for stage in self.stages), *stage_aliases(self.stages), *layers]
        close = get_close_matches(name, names, n=4, cutoff=0.5) or names[:6]
        raise SegcamError(f"The network has no stage or layer named {name!r}. Closest: {', '.join(close)}.")

    def select(self, stages: str | Iterable[str]) -> tuple[Stage, ...]:
        """Return the stages for ``"all"``, ``"main"``, ``"encoder"``, ``"decoder"``, or for names, each stage once.

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


def _no_hooks_reason(module: nn.Module) -> str:
    return module.no_hooks_reason if isinstance(module, WholeNetwork) else ""


def _encoder_stride(module: nn.Module) -> int:
    """Return the stride that an SMP encoder states; 0 if there is none."""
    stride = getattr(module._modules.get("encoder"), "output_stride", None)
    return stride if isinstance(stride, int) and stride > 0 else 0


def _assumed_normalization(card: ModelCard) -> dict[str, str]:
    """Return the normalization as an assumption if the card does not set it."""
    return {} if "normalization" in card.model_fields_set else {"normalization": card.normalization}
