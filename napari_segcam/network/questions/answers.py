"""Answers to questions about a network: the same weights, fed or read in another way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from napari_segcam.errors import SegcamError
from napari_segcam.network.class_overlap import ASSUMED_WARNING, assumed_overlap, with_class_overlap
from napari_segcam.network.ensemble.ensemble import Ensemble
from napari_segcam.network.model_card import STATISTICS, ModelCard, make_card
from napari_segcam.network.network import Network
from napari_segcam.network.running.module_preparation import copy_module

_OF_THE_MODULE = frozenset({"architecture", "encoder", "options", "input_channels", "sha256"})
_OF_THE_OUTPUT = frozenset({"output", "output_activation"})


def with_answer(network: Network, fields: Mapping[str, Any], *, rewrite: bool = False) -> Network:
    """Return a network with other fields of its model card. The weights are shared, not copied, wherever possible.

    Args:
        network: is not changed.
        fields: of the card, as ``Option.fields``; they count as stated and no longer as assumed.
        rewrite: as for ``load_network``, where another output is read. It takes time, and pays for many frames.

    Raises:
        SegcamError: if a field does not fit the network, or can change only when the network is built.
    """
    if unfit := _OF_THE_MODULE & fields.keys():
        raise SegcamError(f"{', '.join(sorted(unfit))} cannot change in a network that is loaded: load it again.")
    if isinstance(network, Ensemble):
        members = [with_answer(member, fields, rewrite=rewrite) for member in network.members]
        return network.with_members(members, make_card(_with_statistics(fields, network.card), network.card))
    card = make_card(_with_statistics(fields, network.card), network.card)
    if card.class_names and len(card.class_names) != network.classes:
        raise SegcamError(
            f"There are {len(card.class_names)} class names, but {network.name} has {network.classes} classes."
        )
    if fields.keys() & _OF_THE_OUTPUT:
        return _read_again(network, card, rewrite=rewrite)
    card = with_class_overlap(card, network.trace, network.output.final_activation, network.name)
    stated = set(fields)
    warnings = network.warnings
    if not assumed_overlap(card, network.trace):  # also where the first class is called background
        stated.add("classes_overlap")
        warnings = tuple(words for words in warnings if words != ASSUMED_WARNING.format(network.classes))
    assumed = {name: value for name, value in network.assumed.items() if name not in stated}
    return replace(network, card=card, assumed=assumed, warnings=warnings)


def _with_statistics(fields: Mapping[str, Any], card: ModelCard) -> dict[str, Any]:
    """Return the fields; another normalization takes the mean, deviation, percentiles and limits of the card away."""
    if "normalization" not in fields or fields["normalization"] == card.normalization == "custom":
        return dict(fields)
    return {name: value for name, value in STATISTICS.items() if name in card.model_fields_set} | dict(fields)


def _read_again(network: Network, card: ModelCard, *, rewrite: bool) -> Network:
    """Return the network with its output read as another card says, from a copy of its module."""
    overlap_warning = ASSUMED_WARNING.format(network.classes)
    kept_warnings = [words for words in network.warnings if words not in (*network.output.warnings, overlap_warning)]
    read = {*network.output.assumed, "classes_overlap", "normalization"}
    again = Network.of(
        copy_module(network.module).cpu(),
        card,
        network.device,
        rewrite=rewrite,
        name=network.name,
        architecture=network.architecture,
        encoder=network.encoder,
        sha256=network.sha256,
        assumed={name: value for name, value in network.assumed.items() if name not in read},
    )
    return replace(again, warnings=tuple(dict.fromkeys((*kept_warnings, *again.warnings))))
