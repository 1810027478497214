"""The network: trained weights made ready to be explained, with what is needed to feed and to read it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from numbers import Integral

import torch
from torch import nn

from napari_segcam.errors import SegcamError
from napari_segcam.network.class_overlap import ASSUMED_WARNING, assumed_overlap, with_class_overlap
from napari_segcam.network.device import channels_last, choose_device, image_like
from napari_segcam.network.graphs.torchscript import NO_HOOKS_REASON, ScriptedNetwork, copy_script
from napari_segcam.network.inference import InferenceForm, inference_form
from napari_segcam.network.inference.rewritten_stages import rewritten_stages
from napari_segcam.network.model_card import ModelCard, SizeRule, make_card
from napari_segcam.network.output import OutputReading, read_output
from napari_segcam.network.repeatability import check_repeatability, fix_random_numbers
from napari_segcam.network.running.image_channels import find_image_channels
from napari_segcam.network.running.module_preparation import copy_module, prepare_module
from napari_segcam.network.running.unsupported_modules import refuse_unsupported
from napari_segcam.network.stages.automatic_stages import automatic_stages
from napari_segcam.network.stages.forward_trace import ForwardTrace, trace_forward
from napari_segcam.network.stages.stage import Stage, find_stages, main_stages, stage_aliases, stage_at

MAX_CLASSES = 255
"""That a mask of labels in a byte tells apart."""


@dataclass(frozen=True, eq=False)
class Network:
    """An eval-mode module with frozen weights, its model card, its stages, and where it runs.

    Attributes:
        module: the plain ``torch.nn.Module``, made to return logits. It is for looking at: what runs may be its
            rewritten copy.
        form: the same network, rewritten exactly to save time and memory.
        card: how it is fed and read.
        stages: its named stages, in order of execution: SMP's own, else those found by the sizes of the maps.
        rewritten: those of the stages that the rewritten form has too, by name, as they are found there.
        classes: channels of its output; one means a sigmoid, several a softmax, or a sigmoid each where the classes
            overlap. Of a segmentation the first of several that exclude each other is the background.
        stride: its input's height and width must be multiples of this, pixels.
        name: of the checkpoint, for people.
        architecture: for example ``"UnetPlusPlus"``.
        encoder: for example ``"efficientnet-b5"``; empty where unknown.
        sha256: of the weights file; empty for a module that came without one.
        warnings: what the user should know of these weights.
        assumed: what nothing tells of how the network is built, fed or read → what stands in for it, in plain text.
        output: which of the module's outputs is read, and what it ends in.
        one_frame_at_a_time: whether frames must run one by one, since those of a batch change each other's results.
        lock: held while the module runs, since taps on a module are not thread-safe.
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
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @classmethod
    def from_module(
        cls, module: nn.Module, card: ModelCard | None = None, device: str = "auto", *, rewrite: bool = True
    ) -> Network:
        """A network from any module that segments or classifies; it is copied and not changed for its owner.

        Args:
            module: takes ``(B, card.input_channels, H, W)`` and returns ``(B, C, H, W)`` or ``(B, C)``: logits, or
                what a sigmoid or softmax made of them; or several tensors, one of which is that.
            card: how it is fed and read; by default as the card's defaults say, and the image's channels as it takes.
            device: as for ``load_network``.
            rewrite: as for ``load_network``.

        Raises:
            SegcamError: if the module does not run, or gives no such output.
        """
        if isinstance(module, torch.jit.ScriptModule):
            copied: nn.Module = copy_script(module)
        else:
            refuse_unsupported(module)
            copied = copy_module(module)
        copied = prepare_module(copied)
        chosen = choose_device(device)
        if card is None or "input_channels" not in card.model_fields_set:
            card = make_card({"input_channels": find_image_channels(copied, card.size.fixed if card else None)}, card)
        return cls.of(copied, card, chosen, rewrite=rewrite, name=type(copied).__name__)

    @classmethod
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
        """A network from a module that is handed over; the arguments are this class's attributes.

        Raises:
            SegcamError: if the module does not run, or the card does not go with it.
        """
        module = channels_last(prepare_module(module).requires_grad_(False))
        size = card.size.fixed
        is_random = fix_random_numbers(module, card.input_channels, size)
        output = read_output(module, card)
        form = inference_form(module, card.input_channels, size) if rewrite else InferenceForm(module, 0.0, ())
        module.to(device)
        form.module.to(device)
        trace = trace_forward(module, card.input_channels, size=size)
        repeatability = check_repeatability(module, card.input_channels, trace.size, is_random=is_random)
        if card.class_names and len(card.class_names) != trace.classes:
            raise SegcamError(
                f"The model card names {len(card.class_names)} classes, but {name} has {trace.classes}. "
                "Correct class_names in the card."
            )
        if trace.segments and trace.classes > MAX_CLASSES:
            raise SegcamError(
                f"{name} gives maps of {trace.classes} channels. A mask tells {MAX_CLASSES} classes apart: is this "
                "output a segmentation?"
            )
        card = with_class_overlap(card, trace, output.final_activation, name)
        unsure = assumed_overlap(card, trace)
        doubts = (ASSUMED_WARNING.format(trace.classes),) if unsure and trace.segments else ()
        stages = find_stages(module, trace)
        if not stages and not isinstance(module, ScriptedNetwork):
            stages = automatic_stages(module, card.input_channels, size)
        return cls(
            module=module,
            form=form,
            card=card,
            stages=stages,
            rewritten=rewritten_stages(stages, trace, form, card.input_channels, size),
            classes=trace.classes,
            stride=_stride_of_encoder(module) or max((stage.stride for stage in stages), default=32),
            name=name,
            architecture=architecture or type(module).__name__,
            encoder=encoder,
            sha256=sha256,
            warnings=(*warnings, *output.warnings, *doubts, *repeatability.warnings),
            assumed=dict(assumed or {}) | output.assumed | _assumed(card) | unsure,
            one_frame_at_a_time=repeatability.one_frame_at_a_time,
            trace=trace,
            output=output,
        )

    @property
    def device(self) -> torch.device:
        return image_like(self.module).device

    @property
    def dtype(self) -> torch.dtype:
        return image_like(self.module).dtype

    @property
    def segments(self) -> bool:
        """Whether it gives a mask; else it classifies, and gives one score per class for the whole image."""
        return self.trace.segments

    @property
    def classes_overlap(self) -> bool:
        """Whether each of several classes has a sigmoid of its own, so that a pixel can have several of them or none;
        else they exclude each other."""
        return self.classes > 1 and self.card.classes_overlap

    @property
    def has_background(self) -> bool:
        """Whether the first output channel is the background, as it is in a segmentation with several classes that
        exclude each other."""
        return self.segments and self.classes > 1 and not self.classes_overlap

    @property
    def class_names(self) -> tuple[str, ...]:
        """One name per output channel, from the card where it gives them."""
        if self.card.class_names:
            return self.card.class_names
        if self.has_background:
            return ("background", *(f"class {index}" for index in range(1, self.classes)))
        if self.segments and self.classes == 1:
            return ("foreground",)
        return tuple(f"class {index}" for index in range(self.classes))

    @property
    def no_hooks_reason(self) -> str:
        """Why its layers cannot be tapped, for people; empty where they can."""
        return NO_HOOKS_REASON if isinstance(self.module, ScriptedNetwork) else ""

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

    def module_for(self, stages: Sequence[Stage]) -> tuple[nn.Module, tuple[Stage, ...]]:
        """What runs to explain these stages, and where they are in it.

        That is the rewritten form, unless one of the stages is a layer that is not the same there.
        """
        if all(stage.name in self.rewritten for stage in stages):
            return self.form.module, tuple(self.rewritten[stage.name] for stage in stages)
        return self.module, tuple(stages)

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
            SegcamError: if there is none; the message lists the closest names. If the layers cannot be tapped, it says
                why.
        """
        if self.no_hooks_reason:
            raise SegcamError(self.no_hooks_reason)
        resolved = stage_aliases(self.stages).get(name, name)
        for stage in self.stages:
            if stage.name == resolved:
                return stage
        layers = self.trace.layers()
        if name in layers:
            return stage_at(self.trace, name, "layer", name)
        known = [*(stage.name for stage in self.stages), *stage_aliases(self.stages), *layers]
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


def _stride_of_encoder(module: nn.Module) -> int:
    """What SMP's encoders say that sizes must be multiples of; 0 where nothing does."""
    stride = getattr(module._modules.get("encoder"), "output_stride", None)
    return stride if isinstance(stride, int) and stride > 0 else 0


def _assumed(card: ModelCard) -> dict[str, str]:
    """What the card leaves open of feeding the network."""
    return {} if "normalization" in card.model_fields_set else {"normalization": card.normalization}
