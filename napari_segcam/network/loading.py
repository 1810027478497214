"""Load a checkpoint from disk as a network that is ready to run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from napari_segcam.errors import SegcamError
from napari_segcam.network.checkpoints.checkpoint import Checkpoint, read_checkpoint
from napari_segcam.network.checkpoints.pickled_settings import read_settings, restore_layer_settings
from napari_segcam.network.checkpoints.saved_preprocessing import read_preprocessing
from napari_segcam.network.checkpoints.state_dict import unused_warning
from napari_segcam.network.checkpoints.structure_request import StructureRequest
from napari_segcam.network.checkpoints.training_settings import settings_card
from napari_segcam.network.class_overlap import overlap_from_activation
from napari_segcam.network.device import choose_device, use_preferred_threads
from napari_segcam.network.ensemble.members import member_list
from napari_segcam.network.families.factory import call_factory
from napari_segcam.network.families.recognition import build, recognize
from napari_segcam.network.families.weight_loading import load_weights, unused_weights
from napari_segcam.network.loaded_module import LoadedModule
from napari_segcam.network.model_card import ModelCard, card_path, find_card, make_card, write_card
from napari_segcam.network.packages.opening import load_from_package, open_package
from napari_segcam.network.reference_pair import read_pair
from napari_segcam.network.running.dry_run import dry_run
from napari_segcam.network.running.image_channels import find_image_channels
from napari_segcam.network.running.module_preparation import prepare_module
from napari_segcam.network.whole_network import WholeNetwork
from napari_segcam.remedies import remedy
from napari_segcam.tuning.model_libraries import import_model_libraries

if TYPE_CHECKING:
    from napari_segcam.network.network import Network

_REBUILT = "Saved as a whole by another version of its library: the network was rebuilt from its weights."

_TITLES = {
    "torchscript": "TorchScript network",
    "exported": "exported program",
    "keras": "Keras network",
    "onnx": "ONNX network",
}


def load_network(
    path: str | Path | Sequence[str | Path] | None = None,
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
    accept_structure: int = 0,
    check: tuple[str | Path, str | Path] | None = None,
) -> Network:
    """Load a checkpoint. The architecture is recognized from the weights, and the model card beside it is read.

    A file that holds a whole network needs no recognition: a pickled network of a known library, TorchScript,
    torch.export, Keras or ONNX.

    Args:
        path: a checkpoint file, a folder written by SMP's ``save_pretrained``, or a package: a folder or zip archive of
            bioimage.io, MONAI, Hugging Face or nnU-Net. It may be None if there is a factory; the network then keeps
            the weights that the factory gave it. Several paths, or a file ``NAME.segcam-ensemble.yaml`` that names
            them, give an ``Ensemble``; the other arguments hold for all of its members.
        device: ``"auto"`` (that of the preferences, else CUDA, else MPS, else CPU), ``"cuda"``, ``"cuda:1"``, ``"mps"``
            or ``"cpu"``.
        architecture: an SMP architecture such as ``"UnetPlusPlus"``, if it cannot be recognized.
        encoder: an SMP encoder such as ``"efficientnet-b5"``, if it cannot be recognized.
        options: arguments of the architecture that do not follow from the weights; see ``Network.assumed``.
        factory: ``"package.module:function"``, which returns your own network. It is imported and called: this runs
            code, and nothing is recognized.
        card: used instead of the card beside the checkpoint.
        classes_overlap: used instead of the field of the card.
        output: used instead of the field of the card: for a network that returns several outputs, the name of the one
            to read.
        weights: for a checkpoint that holds several networks, the key of the one to load, such as ``"teacher"``, or
            the prefix of its tensors' names. For a package with several sets of weights, the name of one, such as
            ``"fold_1"``; ``"all"`` makes an ensemble of all folds.
        rewrite: whether to run the network in its inference form, rewritten exactly to save time and memory.
        accept_structure: whether a network of unknown names is built as its shapes read: True for the best candidate,
            or the number of a candidate, counted from 1; see ``StructureOffered``.
        check: ``.npy`` files with an input as the network takes it and the output that it must give; see
            ``check_reference``. The pair also chooses between the candidates for a network of unknown names.

    Raises:
        StructureOffered: a SegcamError, if the names of the weights are unknown, but their shapes read as a U-Net.
        SegcamError: if the file is not a checkpoint, is not recognized, or does not match, or if this machine does not
            have the device.
    """
    torch_device = choose_device(device)
    use_preferred_threads()
    if (members := member_list(path, weights)) is not None:
        from napari_segcam.network.ensemble.member_loading import load_members

        shared: dict[str, Any] = {
            "architecture": architecture,
            "encoder": encoder,
            "options": options,
            "factory": factory,
            "classes_overlap": classes_overlap,
            "output": output,
            "weights": members.weights_name,
            "rewrite": rewrite,
            "accept_structure": accept_structure,
            "check": check,
        }
        return load_members(members, lambda path, card, at: load_network(path, at, card=card, **shared), card, device)
    assert path is None or isinstance(path, str | Path)
    if path is None and factory is None:
        raise SegcamError(f"There is nothing to load: {remedy('load_network')}")
    card = find_card(Path(path)) if card is None and path is not None else card
    overrides = {"classes_overlap": classes_overlap, "output": output}
    if any(value is not None for value in overrides.values()):
        card = make_card({name: value for name, value in overrides.items() if value is not None}, card)
    pair = reference = None if check is None else read_pair(*check)

    def load(stored: Checkpoint) -> LoadedModule:
        import_model_libraries()  # not earlier: a file that is refused should not pay the time and memory for that
        known = card.structure if card is not None and card.sha256 == stored.sha256 else None
        request = StructureRequest(accept_structure, known, reference)
        return _load_checkpoint(replace(stored, structure=request), card, architecture, encoder, options)

    checkpoint: Checkpoint | None = None
    with open_package(None if factory is not None else path, weights) as package:
        if package is not None:
            reference = pair or package.reference
            checkpoint, loaded = load_from_package(package, weights, load)
        else:
            checkpoint = None if path is None else read_checkpoint(path, weights)
            if factory is not None:
                loaded = _load_from_factory(factory, checkpoint, card)
            else:
                assert checkpoint is not None
                loaded = load(checkpoint)
    import_model_libraries()
    from napari_segcam.network.network import Network

    name = factory or "" if path is None else Path(path).name
    sha256 = "" if checkpoint is None else checkpoint.sha256
    network = Network.of(
        loaded.module,
        loaded.complete_card(card, name),
        torch_device,
        rewrite=rewrite,
        name=name,
        architecture=loaded.architecture,
        encoder=loaded.encoder,
        sha256=sha256,
        warnings=(*loaded.warnings, *_card_warnings(card, sha256, name)),
        assumed=loaded.assumed,
    )
    if reference is None:
        return network
    from napari_segcam.network.reference_check import check_reference, checked_if_possible

    if pair is None:
        return checked_if_possible(network, reference)
    result = check_reference(network, pair)
    if not result.agrees:
        raise SegcamError(f"{name}: {result.text}")
    return result.network


def card_fields(network: Network) -> dict[str, Any]:
    """Return the card fields that follow from the network itself: checksum of the weights and final activation."""
    fields: dict[str, Any] = {"sha256": network.sha256} if network.sha256 else {}
    if network.output.activation != "none" and "output_activation" not in network.assumed:
        fields["output_activation"] = network.output.activation
    return fields


def save_card(network: Network, checkpoint: str | Path, *, force: bool = False) -> Path:
    """Write a network's card beside its checkpoint, with the checksum of the weights and all assumptions.

    Returns:
        The path of the card.

    Raises:
        SegcamError: if there is a card already and ``force`` is False, or the card cannot be written.
    """
    path = card_path(Path(checkpoint))
    write_card(make_card(card_fields(network), network.card), path, force=force, assumed=network.assumed)
    return path


def _load_checkpoint(
    checkpoint: Checkpoint,
    card: ModelCard | None,
    architecture: str | None,
    encoder: str | None,
    options: Mapping[str, Any] | None,
) -> LoadedModule:
    if checkpoint.form == "pickled":
        return _load_pickled(checkpoint, card, architecture, encoder, options)
    if checkpoint.module is not None:
        return _load_whole_network(checkpoint, checkpoint.module, card)
    return _load_recognized(checkpoint, card or ModelCard(), architecture, encoder, options)


def _load_recognized(
    checkpoint: Checkpoint,
    card: ModelCard,
    architecture: str | None,
    encoder: str | None,
    options: Mapping[str, Any] | None,
) -> LoadedModule:
    blueprint = recognize(
        checkpoint, architecture or card.architecture, encoder or card.encoder, {**card.options, **(options or {})}
    )
    module = build(blueprint, checkpoint)
    file_card = blueprint.card
    if file_card is None and "_model_class" in checkpoint.settings:  # the settings come from an SMP folder
        file_card = read_preprocessing(checkpoint.path, blueprint.in_channels)
        overlap_field = overlap_from_activation(checkpoint.settings.get("activation"), blueprint.classes)
        file_card = make_card(overlap_field, file_card)
    settings_note: tuple[str, ...] = ()
    if file_card is None:
        file_card, settings_note = settings_card(checkpoint.extra, blueprint.in_channels, blueprint.classes)
    return LoadedModule(
        module,
        blueprint.in_channels,
        blueprint.title,
        blueprint.encoder,
        {name: value for name, value in blueprint.assumed.items() if name not in card.model_fields_set},
        file_card,
        (*checkpoint.warnings, *_unused_weights_warning(module, checkpoint), *settings_note),
    )


def _load_pickled(
    checkpoint: Checkpoint,
    card: ModelCard | None,
    architecture: str | None,
    encoder: str | None,
    options: Mapping[str, Any] | None,
) -> LoadedModule:
    """Load a network that was pickled as a whole; rebuild it if the classes of its library have changed since."""
    assert checkpoint.pickled_network is not None
    run_error: SegcamError | None = None
    if checkpoint.module is not None:
        loaded = _load_whole_network(checkpoint, checkpoint.module, card)
        try:
            dry_run(loaded.module, loaded.in_channels, loaded.module, size=card.size.fixed if card else None)
        except SegcamError as error:
            run_error = error
        else:
            return loaded
    settings = (
        read_settings(checkpoint.pickled_network)
        if checkpoint.pickled_network.name.startswith("segmentation_models_pytorch.")
        else {}
    )
    rebuilt_checkpoint = replace(
        checkpoint,
        settings=settings | checkpoint.settings,
        warnings=(*checkpoint.warnings, _REBUILT),
    )
    try:
        loaded = _load_recognized(rebuilt_checkpoint, card or ModelCard(), architecture, encoder, options)
    except SegcamError as error:
        raise error if run_error is None else run_error from error
    restore_layer_settings(checkpoint.pickled_network, loaded.module)
    return loaded


def _load_whole_network(checkpoint: Checkpoint, module: nn.Module, card: ModelCard | None) -> LoadedModule:
    """Load a network that the file holds as a whole: nothing needs to be recognized, but it must run."""
    module = prepare_module(module).requires_grad_(False).float()
    in_channels = _card_channels(card) or input_channels_of(module)
    file_card, assumed = _input_fields(module, card)
    file_warnings: tuple[str, ...] = ()
    if isinstance(module, WholeNetwork):
        file_warnings = (*module.notes, *([module.no_hooks_reason] if module.no_hooks_reason else []))
    architecture, encoder = _network_names(module, checkpoint.form)
    return LoadedModule(
        module,
        in_channels,
        architecture,
        encoder,
        assumed,
        file_card,
        warnings=(*checkpoint.warnings, *file_warnings),
    )


def _input_fields(module: nn.Module, card: ModelCard | None) -> tuple[ModelCard, dict[str, str]]:
    """Return a card with what a whole network says about its input, and which of these fields are assumed."""
    if not isinstance(module, WholeNetwork):
        return make_card({}), {}
    fields = dict(module.card_fields)
    if module.image_size is not None:
        height, width = module.image_size
        fields["size"] = {"rule": "resize", "height": height, "width": width}
    set_by_user = set() if card is None else card.model_fields_set
    assumed = {name: str(fields[name]) for name in sorted(module.assumed_fields - set_by_user)}
    return make_card(fields), assumed


def _network_names(module: nn.Module, form: str) -> tuple[str, str]:
    """Return the names of a whole network and of its encoder, which only SMP's networks give."""
    if form != "pickled":
        return _TITLES[form], ""
    is_smp = type(module).__module__.startswith("segmentation_models_pytorch.")
    return type(module).__name__, str(getattr(module, "name", "")).partition("-")[2] if is_smp else ""


def _card_channels(card: ModelCard | None) -> int | None:
    """Return the channels of the image if the card gives them. For an unknown network, the card comes first."""
    return card.input_channels if card is not None and "input_channels" in card.model_fields_set else None


def input_channels_of(module: nn.Module) -> int:
    """Return the number of image channels that a network takes."""
    if isinstance(module, WholeNetwork) and module.channels is not None:
        return module.channels
    return find_image_channels(module)


def _load_from_factory(factory: str, checkpoint: Checkpoint | None, card: ModelCard | None) -> LoadedModule:
    module = call_factory(factory).float()
    warnings: tuple[str, ...] = ()
    if checkpoint is not None:
        load_weights(
            module, checkpoint.weights, f"{checkpoint.path}: the weights do not fit the network from {factory}"
        )
        warnings = (*checkpoint.warnings, *_unused_weights_warning(module, checkpoint))
    module = prepare_module(module)
    architecture = type(module).__name__
    in_channels = _card_channels(card) or input_channels_of(module)
    return LoadedModule(module, in_channels, architecture, warnings=warnings)


def _unused_weights_warning(module: nn.Module, checkpoint: Checkpoint) -> list[str]:
    return unused_warning(unused_weights(module, checkpoint.weights))


def _card_warnings(card: ModelCard | None, sha256: str, name: str) -> list[str]:
    if card is None or card.sha256 in (None, sha256):
        return []
    return [f"The model card was written for other weights than those in {name}. Check that it is still correct."]
