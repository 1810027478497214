"""Agreement: whether networks can be averaged, because their outputs mean the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from napari_segcam.errors import SegcamError
from napari_segcam.network.network import Network

_WAYS: tuple[tuple[str, Callable[[Network], object]], ...] = (
    ("gives", lambda network: "a mask" if network.segments else "one score per class for the whole image, no mask"),
    ("has", lambda network: f"{network.classes} class{'es' if network.classes > 1 else ''}"),
    ("has", lambda network: "overlapping classes" if network.classes_overlap else "classes that exclude each other"),
    ("takes images of", lambda network: f"{network.card.input_channels} channels"),
)


def refuse_disagreeing(members: Sequence[Network], names: Sequence[str]) -> None:
    """Refuse members whose outputs or images are not of the same kind.

    Members whose cards do not name the classes agree with any names.

    Args:
        members: of an ensemble.
        names: of the members, for the error.

    Raises:
        SegcamError: naming the member and the difference.
    """
    first, name = members[0], names[0]
    for member, other in zip(members[1:], names[1:], strict=True):
        for verb, describe in _WAYS:
            if describe(member) != describe(first):
                _refuse(f"{other} {verb} {describe(member)}, but {name} {verb} {describe(first)}")
    named = [(label, member) for member, label in zip(members, names, strict=True) if member.card.class_names]
    for label, member in named[1:]:
        if member.class_names != named[0][1].class_names:
            _refuse(
                f"{label} has the classes {', '.join(member.class_names)}, but {named[0][0]} has "
                f"{', '.join(named[0][1].class_names)}"
            )


def _refuse(difference: str) -> None:
    raise SegcamError(
        f"These networks cannot work as one ensemble: {difference}. Leave one out, or correct its model card."
    )
