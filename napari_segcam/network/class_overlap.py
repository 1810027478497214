"""Decide whether the classes of a network exclude each other or overlap.

The weights are the same in both cases. The final activation of the network, or a file beside it, decides: a softmax,
or a sigmoid for each class. If neither is known, the classes are assumed to exclude each other, with a warning.
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
    "It is not known whether the {} classes exclude each other or overlap. They are assumed to exclude each other, and "
    "the first to be the background. If each class has its own sigmoid, set classes_overlap: true in the model card."
)


def overlap_from_activation(name: object, classes: int) -> dict[str, Any]:
    """Return the card fields that follow from the name of an activation, such as SMP's ``activation=``; often none.

    Args:
        name: name of the network's activation. No fields follow from other objects, or from other names.
        classes: channels of the network's output.
    """
    overlap = _OVERLAP.get(name) if isinstance(name, str) and classes > 1 else None
    return {} if overlap is None else {"classes_overlap": overlap}


def with_class_overlap(card: ModelCard, trace: ForwardTrace, final_activation: str | None, name: str) -> ModelCard:
    """Return the card, completed with what the network's last operation says. Fields of the card itself come first.

    Args:
        card: the card so far.
        trace: trace of the network.
        final_activation: the network's last operation, which is undone.
        name: name of the network, to show to users.

    Raises:
        SegcamError: if the card contradicts a softmax. The sigmoid of a class cannot be computed from a softmax.
    """
    overlap_field = overlap_from_activation(final_activation, trace.classes)
    if "classes_overlap" not in card.model_fields_set:
        return make_card(overlap_field, card) if overlap_field else card
    if card.classes_overlap and overlap_field.get("classes_overlap") is False:
        raise SegcamError(
            f"The model card says that the classes of {name} overlap, but the network ends in a softmax, which makes "
            "them exclude each other. Correct classes_overlap in the card."
        )
    return card


def assumed_overlap(card: ModelCard, trace: ForwardTrace) -> dict[str, str]:
    """Return the assumption about the classes for ``Network.assumed``; nothing if the card decides.

    A first class with a name such as "background" decides, too.
    """
    if trace.classes < 2 or "classes_overlap" in card.model_fields_set:
        return {}
    if trace.segments and card.class_names and _BACKGROUND.fullmatch(card.class_names[0]):
        return {}
    background = ", the first is the background" if trace.segments else ""
    return {"classes_overlap": f"no (the {trace.classes} classes exclude each other{background})"}
