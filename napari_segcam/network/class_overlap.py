"""Decide whether the classes of a network exclude each other or overlap.

The weights are the same either way. What tells is the activation that the network ends in, or a file beside it: a
softmax, or a sigmoid for each class. Where nothing tells, the classes are taken to exclude each other, and that is
said.
"""

from __future__ import annotations

import re
from typing import Any

from napari_segcam.errors import SegcamError
from napari_segcam.network.model_card import ModelCard, make_card
from napari_segcam.network.stages.forward_trace import ForwardTrace

_OVERLAP = {"sigmoid": True, "softmax": False, "softmax2d": False, "logsoftmax": False}
_BACKGROUND = re.compile(r"[\W_]*(back[\W_]*ground|bg|none|nothing)(?![^\W_]).*", re.I)

ASSUMED_WARNING = (
    "Nothing tells whether the {} classes exclude each other or overlap. They are taken to exclude each other, the "
    "first as the background. If each has a sigmoid of its own, set classes_overlap: true in the model card."
)


def overlap_from_activation(name: object, classes: int) -> dict[str, Any]:
    """The fields of a model card that an activation's name tells, as of SMP's ``activation=``; none where it does not.

    Args:
        name: of the activation that the network was made with; other things tell nothing.
        classes: channels of its output.
    """
    overlap = _OVERLAP.get(name) if isinstance(name, str) and classes > 1 else None
    return {} if overlap is None else {"classes_overlap": overlap}


def with_class_overlap(card: ModelCard, seen: ForwardTrace, final_activation: str | None, name: str) -> ModelCard:
    """The card with what the network's last operation tells; what the card says itself comes first.

    Args:
        card: as given.
        seen: of the network.
        final_activation: what the network ends in, which is undone.
        name: of the network, for people.

    Raises:
        SegcamError: if the card contradicts a softmax: without it there is no telling what a class's sigmoid would be.
    """
    told = overlap_from_activation(final_activation, seen.classes)
    if "classes_overlap" not in card.model_fields_set:
        return make_card(told, card) if told else card
    if card.classes_overlap and told.get("classes_overlap") is False:
        raise SegcamError(
            f"The model card says that the classes of {name} overlap, but the network ends in a softmax, which makes "
            "them exclude each other. Correct classes_overlap in the card."
        )
    return card


def assumed_overlap(card: ModelCard, seen: ForwardTrace) -> dict[str, str]:
    """What is assumed of the classes, as ``Network.assumed`` has it; nothing where the card tells.

    A first class that is named as the background tells, too.
    """
    if seen.classes < 2 or "classes_overlap" in card.model_fields_set:
        return {}
    if seen.segments and card.class_names and _BACKGROUND.fullmatch(card.class_names[0]):
        return {}
    background = ", the first is the background" if seen.segments else ""
    return {"classes_overlap": f"no (the {seen.classes} classes exclude each other{background})"}
