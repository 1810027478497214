"""Loading: from a checkpoint on disk to a network that is ready."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from napari_segcam.errors import SegcamError
from napari_segcam.network.checkpoints.checkpoint import Checkpoint, read_checkpoint
from napari_segcam.network.checkpoints.pickled_settings import read_settings, restore_layer_settings
from napari_segcam.network.checkpoints.saved_preprocessing import read_preprocessing
from napari_segcam.network.checkpoints.state_dict import unused_warning
from napari_segcam.network.class_overlap import overlap_from_activation
from napari_segcam.network.device import choose_device
from napari_segcam.network.families.factory import call_factory
from napari_segcam.network.families.recognition import build, recognize
from napari_segcam.network.families.weight_loading import load_weights, unused_weights
from napari_segcam.network.graphs.graph_network import GraphNetwork
from napari_segcam.network.graphs.torchscript import NO_HOOKS_REASON, ScriptedNetwork
from napari_segcam.network.keras.keras_network import KerasNetwork
from napari_segcam.network.model_card import ModelCard, card_path, find_card, make_card, write_card
from napari_segcam.network.running.dry_run import dry_run
from napari_segcam.network.running.image_channels import find_image_channels
from napari_segcam.network.running.module_preparation import prepare_module

if TYPE_CHECKING:
    from napari_segcam.network.network import Network

_REBUILT = "Saved whole by another version of its library: the network is rebuilt around its weights."

_TITLES = {"torchscript": "TorchScript network", "exported": "exported program", "keras": "Keras network"}


def load_network(
    path: str | Path | None = None,
    device: str = "auto",
    *,
    architecture: str | None = None,
    encoder: str | None = None,
    options: Mapping[str, Any] | None = None,
    factory: str | None = None,
    card: ModelCard | None = None,
    classes_overlap: bool | None = None,
    output: str | None = None,
    weights: str | None = None,
    rewrite: bool = True,
) -> Network:
    """Load a checkpoint: its architecture is recognized from the weights, its model card read from beside it.

    Networks that were saved whole come as they are: pickled ones of known libraries, TorchScript, torch.export, Keras.

    Args:
        path: a checkpoint file, or a folder written by SMP's ``save_pretrained``. It may be absent where there is a
            factory, whose network then stays as it was made.
        device: ``"auto"`` (CUDA, else MPS, else CPU), ``"cuda"``, ``"cuda:1"``, ``"mps"`` or ``"cpu"``.
        architecture: an SMP architecture such as ``"UnetPlusPlus"``, where it cannot be recognized.
        encoder: an SMP encoder such as ``"efficientnet-b5"``, where it cannot be recognized.
        options: arguments of the architecture that the weights do not tell; see ``Network.assumed``.
        factory: ``"package.module:function"``, which makes a network of one's own. It is imported and called: this
            runs code, and nothing is recognized.
        card: used instead of the card beside the checkpoint.
        classes_overlap: used instead of what the card says of it.
        output: likewise; of a network that returns several, the name of the one that is read.
        weights: of a checkpoint that holds several networks, the key of the one that is meant, as ``"teacher"``, or
            what its tensors' names begin with.
        rewrite: whether to run the network in its inference form, rewritten exactly to save time and memory.

    Raises:
        SegcamError: if the file is no checkpoint, is not recognized, does not match, or the device is not there.
    """
    chosen = choose_device(device)
    if path is None and factory is None:
        raise SegcamError("There is nothing to load: give a checkpoint, or the function that makes the network.")
    checkpoint = None if path is None else read_checkpoint(path, weights)
    # Only now: it imports SMP, which a file that is refused should not wait for, nor share the memory with.
    from napari_segcam.network.network import Network

    if card is None and checkpoint is not None:
        card = find_card(checkpoint.path)
    given = {"classes_overlap": classes_overlap, "output": output}
    if any(value is not None for value in given.values()):
        card = make_card({name: value for name, value in given.items() if value is not None}, card)
    if factory is not None:
        made = _made_by_factory(factory, checkpoint, card)
    else:
        assert checkpoint is not None
        if checkpoint.form == "pickled":
            made = _pickled(checkpoint, card, architecture, encoder, options)
        elif checkpoint.module is not None:
            made = _whole(checkpoint, checkpoint.module, card)
        else:
            made = _recognized(checkpoint, card or ModelCard(), architecture, encoder, options)
    name = factory or "" if checkpoint is None else checkpoint.path.name
    sha256 = "" if checkpoint is None else checkpoint.sha256
    return Network.of(
        made.module,
        _settled(card, made, name),
        chosen,
        rewrite=rewrite,
        name=name,
        architecture=made.architecture,
        encoder=made.encoder,
        sha256=sha256,
        warnings=(*made.warnings, *_doubts(card, sha256, name)),
        assumed=made.assumed,
    )


def card_fields(network: Network) -> dict[str, Any]:
    """The fields of a card that the network itself tells: the checksum of its weights, and what it ends in."""
    fields: dict[str, Any] = {"sha256": network.sha256} if network.sha256 else {}
    if network.output.activation != "none" and "output_activation" not in network.assumed:
        fields["output_activation"] = network.output.activation
    return fields


def save_card(network: Network, checkpoint: str | Path, *, force: bool = False) -> Path:
    """Write a network's card beside its checkpoint, with the checksum of the weights and what is assumed.

    Returns:
        Where it was written.

    Raises:
        SegcamError: if there is a card already and it is not to be replaced, or it cannot be written.
    """
    path = card_path(Path(checkpoint))
    write_card(make_card(card_fields(network), network.card), path, force=force, assumed=network.assumed)
    return path


@dataclass(frozen=True)
class _Made:
    """A module with its weights in it, and what is known of it.

    Attributes:
        module: in eval mode, frozen, on the CPU.
        in_channels: of the image.
        told: what files beside the weights say of feeding and reading it.
    """

    module: nn.Module
    in_channels: int
    architecture: str
    encoder: str = ""
    assumed: Mapping[str, str] = field(default_factory=dict)
    told: ModelCard | None = None
    warnings: tuple[str, ...] = ()


def _recognized(
    checkpoint: Checkpoint,
    card: ModelCard,
    architecture: str | None,
    encoder: str | None,
    options: Mapping[str, Any] | None,
) -> _Made:
    blueprint = recognize(
        checkpoint, architecture or card.architecture, encoder or card.encoder, {**card.options, **(options or {})}
    )
    module = build(blueprint, checkpoint)
    told = blueprint.card
    if told is None and "_model_class" in checkpoint.settings:  # as SMP's folders say
        told = read_preprocessing(checkpoint.path, blueprint.in_channels)
        told = make_card(overlap_from_activation(checkpoint.settings.get("activation"), blueprint.classes), told)
    return _Made(
        module,
        blueprint.in_channels,
        blueprint.title,
        blueprint.encoder,
        blueprint.assumed,
        told,
        (*checkpoint.warnings, *_left_out(module, checkpoint)),
    )


def _pickled(
    checkpoint: Checkpoint,
    card: ModelCard | None,
    architecture: str | None,
    encoder: str | None,
    options: Mapping[str, Any] | None,
) -> _Made:
    """A network that was pickled whole: as it was, or where its classes have changed since, rebuilt."""
    assert checkpoint.pickled_network is not None
    fault: SegcamError | None = None
    if checkpoint.module is not None:
        made = _whole(checkpoint, checkpoint.module, card)
        try:
            dry_run(made.module, made.in_channels, made.module, size=card.size.fixed if card else None)
        except SegcamError as error:
            fault = error
        else:
            return made
    settings = (
        read_settings(checkpoint.pickled_network)
        if checkpoint.pickled_network.name.startswith("segmentation_models_pytorch.")
        else {}
    )
    built_anew = replace(
        checkpoint,
        settings=settings | checkpoint.settings,
        warnings=(*checkpoint.warnings, _REBUILT),
    )
    try:
        made = _recognized(built_anew, card or ModelCard(), architecture, encoder, options)
    except SegcamError as error:
        raise error if fault is None else fault from error
    restore_layer_settings(checkpoint.pickled_network, made.module)
    return made


def _whole(checkpoint: Checkpoint, module: nn.Module, card: ModelCard | None) -> _Made:
    """A network that the file holds whole: nothing needs to be recognized, but it must run."""
    module = prepare_module(module).requires_grad_(False).float()
    in_channels = _told_channels(card) or input_channels_of(module)
    told, assumed = _feeding(module, card)
    notes = (NO_HOOKS_REASON,) if isinstance(module, ScriptedNetwork) else ()
    architecture, encoder = _names(module, checkpoint.form)
    return _Made(
        module,
        in_channels,
        architecture,
        encoder,
        assumed,
        told,
        warnings=(*checkpoint.warnings, *notes),
    )


def _feeding(module: nn.Module, card: ModelCard | None) -> tuple[ModelCard, dict[str, str]]:
    """What a whole network tells of how it is fed, and what of that is assumed."""
    fields: dict[str, Any] = {}
    assumed: dict[str, str] = {}
    if isinstance(module, GraphNetwork | KerasNetwork) and module.image_size is not None:
        height, width = module.image_size
        fields["size"] = {"rule": "resize", "height": height, "width": width}
    if isinstance(module, KerasNetwork):
        fields["normalization"] = module.card_normalization
        if card is None or "normalization" not in card.model_fields_set:
            assumed["normalization"] = module.card_normalization
    return make_card(fields), assumed


def _names(module: nn.Module, form: str) -> tuple[str, str]:
    """What a whole network is called, and its encoder: SMP's networks know theirs."""
    if form != "pickled":
        return _TITLES[form], ""
    is_smp = type(module).__module__.startswith("segmentation_models_pytorch.")
    return type(module).__name__, str(getattr(module, "name", "")).partition("-")[2] if is_smp else ""


def _told_channels(card: ModelCard | None) -> int | None:
    """The channels of the image where the user says so: of a network that nobody knows, that counts more."""
    return card.input_channels if card is not None and "input_channels" in card.model_fields_set else None


def input_channels_of(module: nn.Module) -> int:
    """The channels of the image that a network takes."""
    if isinstance(module, GraphNetwork | KerasNetwork) and module.channels is not None:
        return module.channels
    return find_image_channels(module)


def _made_by_factory(factory: str, checkpoint: Checkpoint | None, card: ModelCard | None) -> _Made:
    module = call_factory(factory).float()
    warnings: tuple[str, ...] = ()
    if checkpoint is not None:
        load_weights(module, checkpoint.weights, f"{checkpoint.path}: the weights do not fit what {factory} made")
        warnings = (*checkpoint.warnings, *_left_out(module, checkpoint))
    module = prepare_module(module)
    architecture = type(module).__name__
    in_channels = _told_channels(card) or input_channels_of(module)
    return _Made(module, in_channels, architecture, warnings=warnings)


def _settled(card: ModelCard | None, made: _Made, name: str) -> ModelCard:
    """The card that holds: what the user gave, then what the files beside the weights say, then what the weights tell.

    Raises:
        SegcamError: if the card contradicts the weights.
    """
    told = make_card({"input_channels": made.in_channels}, made.told)
    if card is None:
        return told
    given = card.model_dump(exclude_unset=True)
    if given.get("input_channels", made.in_channels) != made.in_channels:
        raise SegcamError(
            f"The model card of {name} says {card.input_channels} input channels, but the weights take "
            f"{made.in_channels}. Correct input_channels in the card."
        )
    return make_card(given, told)


def _left_out(module: nn.Module, checkpoint: Checkpoint) -> list[str]:
    return unused_warning(unused_weights(module, checkpoint.weights))


def _doubts(card: ModelCard | None, sha256: str, name: str) -> list[str]:
    if card is None or card.sha256 in (None, sha256):
        return []
    return [f"The model card was written for other weights than those in {name}: check that it still holds."]
