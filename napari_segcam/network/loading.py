"""Loading: from a checkpoint on disk to a network that is ready."""

from __future__ import annotations

from pathlib import Path

from napari_segcam.errors import SegcamError
from napari_segcam.network.checkpoint import read_checkpoint
from napari_segcam.network.device import choose_device
from napari_segcam.network.model_card import ModelCard, find_card
from napari_segcam.network.network import Network
from napari_segcam.network.recognise import build, recognise


def load_network(
    path: str | Path,
    device: str = "auto",
    *,
    architecture: str | None = None,
    encoder: str | None = None,
    card: ModelCard | None = None,
    rewrite: bool = True,
) -> Network:
    """Load a checkpoint: its architecture is recognised from the weights, its model card read from beside it.

    Args:
        path: a checkpoint file, or a folder written by SMP's ``save_pretrained``.
        device: ``"auto"`` (CUDA, else MPS, else CPU), ``"cuda"``, ``"cuda:1"``, ``"mps"`` or ``"cpu"``.
        architecture: an SMP architecture such as ``"UnetPlusPlus"``, where it cannot be recognised.
        encoder: an SMP encoder such as ``"efficientnet-b5"``, where it cannot be recognised.
        card: used instead of the card beside the checkpoint.
        rewrite: whether to run the network in its inference form, rewritten exactly to save time and memory.

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
    return Network.of(
        build(blueprint, checkpoint),
        found,
        chosen,
        rewrite=rewrite,
        name=path.name,
        architecture=blueprint.architecture,
        encoder=blueprint.encoder,
        sha256=checkpoint.sha256,
        warnings=checkpoint.warnings,
    )
