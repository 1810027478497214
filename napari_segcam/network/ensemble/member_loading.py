"""Loading the members of an ensemble, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from napari_segcam.errors import SegcamError
from napari_segcam.files import refuse_no_file
from napari_segcam.network.device import TooLittleMemory
from napari_segcam.network.ensemble.ensemble import Ensemble, weights_of
from napari_segcam.network.ensemble.member_names import unique_names
from napari_segcam.network.ensemble.members import MemberList
from napari_segcam.network.model_card import ModelCard, card_path, find_card, make_card
from napari_segcam.network.network import Network

# Fields of a card that an ensemble's card does not set for its members: they belong to one set of weights.
_OF_WEIGHTS = {"architecture", "encoder", "options", "structure", "verified", "sha256"}

_ON_CPU = "It runs on the CPU, because the memory of the device holds no more members of the ensemble."


def load_members(
    members: MemberList,
    load: Callable[[Path, ModelCard | None, str], Network],
    card: ModelCard | None = None,
    device: str = "auto",
) -> Ensemble:
    """Load an ensemble. A member that does not fit on the device beside those before it runs on the CPU.

    Args:
        members: what it is loaded from.
        load: loads one member with a card, on a device; with None as the card, with the one beside it.
        card: whose fields hold for all members, instead of those of the ensemble's file.
        device: as for ``load_network``.

    Raises:
        SegcamError: as for one network, naming the member; or if they cannot work as one.
    """
    names = unique_names([str(path) for path in members.paths])
    weights = weights_of(members.weights, len(members.paths))
    shared = card or members.card

    def load_where_it_fits(path: Path) -> None:
        own_card = _member_card(shared, path)
        try:
            member = load(path, own_card, device)
        except TooLittleMemory:
            member = load(path, own_card, "cpu")
            member = replace(member, warnings=(*member.warnings, _ON_CPU))
        loaded.append(member)

    loaded: list[Network] = []
    for step in (refuse_no_file, load_where_it_fits):
        for path, name in zip(members.paths, names, strict=True):  # a missing file is refused before others are loaded
            try:
                step(path)
            except SegcamError as error:
                raise SegcamError(f"Member {name} of the ensemble: {error}") from error
    return Ensemble.of_networks(loaded, weights, name=members.name, card=shared, member_names=names)


def _member_card(shared: ModelCard | None, path: Path) -> ModelCard | None:
    """Return the card of a member with the fields that hold for all; None to use the one beside it."""
    if shared is None:
        return None
    own = find_card(path) if card_path(path).is_file() else None
    return make_card(shared.model_dump(exclude=_OF_WEIGHTS, exclude_unset=True), own)
