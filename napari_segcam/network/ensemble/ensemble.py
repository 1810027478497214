"""An ensemble: several networks as one, whose probabilities are averaged."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from napari_segcam.budget import ENSEMBLE_MEMBERS
from napari_segcam.errors import SegcamError
from napari_segcam.network.ensemble.agreement import refuse_disagreeing
from napari_segcam.network.ensemble.member_names import ensemble_title, unique_names
from napari_segcam.network.ensemble.shared_stages import shared_layer, shared_stages
from napari_segcam.network.inference import InferenceForm
from napari_segcam.network.model_card import ModelCard, make_card
from napari_segcam.network.network import Network
from napari_segcam.network.stages.stage import Stage

# Fields of a card about one set of weights.
_OF_MEMBERS = {"architecture", "encoder", "options", "structure", "verified", "sha256", "notes"}


class Members(nn.Module):
    """Modules of the members. It holds them; it does not run, since each member prepares the image in its own way."""

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(modules)

    def forward(self, _x: torch.Tensor) -> torch.Tensor:
        raise SegcamError(
            "An ensemble has no module that runs by itself: use the explainer, or the module of one of its members."
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class Ensemble(Network):
    """Several networks as one: its probability is the mean of theirs.

    The other attributes are as for ``Network``: where the members differ, those of the first one, if nothing else is
    said. ``stages`` are those that all members have.

    Attributes:
        members: the networks. They agree in their classes and in the channels of the image.
        weights: of each member in the mean; they add up to 1.
        member_names: short and different for each, to show to users.
    """

    members: tuple[Network, ...] = field(repr=False)
    weights: tuple[float, ...]
    member_names: tuple[str, ...]

    @classmethod
    def of_networks(
        cls,
        members: Sequence[Network],
        weights: Sequence[float] | None = None,
        *,
        name: str = "",
        card: ModelCard | None = None,
        member_names: Sequence[str] = (),
    ) -> Ensemble:
        """Return the ensemble of some networks.

        Args:
            members: at least one; the same network may be there several times.
            weights: of each in the mean; by default all count the same.
            name: to show to users; by default made from the names of the members.
            card: fields that are used instead of those of the members' cards, such as the threshold.
            member_names: short and different for each; by default made from the names of the members.

        Raises:
            SegcamError: if there are no members or too many, they do not agree in their classes or in the channels of
                the image, or a weight is not a positive number.
        """
        members = tuple(members)
        if not members or len(members) > ENSEMBLE_MEMBERS:
            raise SegcamError(f"An ensemble has 1 to {ENSEMBLE_MEMBERS} networks, but {len(members)} are given.")
        if any(isinstance(member, Ensemble) for member in members):
            raise SegcamError("A member of an ensemble is an ensemble itself. Name its own members instead.")
        names = tuple(member_names) or unique_names([member.name for member in members])
        refuse_disagreeing(members, names)
        first = members[0]
        shares = weights_of(weights, len(members))
        module = Members([member.module for member in members])
        return cls(
            module=module,
            form=InferenceForm(module, 0.0, ()),
            card=_card_of(members, card),
            stages=shared_stages(members),
            rewritten={},
            classes=first.classes,
            stride=math.lcm(*(member.stride for member in members)),
            name=name or ensemble_title(names),
            architecture=_counted([member.architecture for member in members]),
            encoder=_counted([member.encoder for member in members if member.encoder], with_count=False),
            sha256=_checksum(members, shares),
            warnings=_merged_warnings(members, names),
            assumed=_merged_assumed(members, names),
            one_frame_at_a_time=True,
            trace=first.trace,
            output=first.output,
            members=members,
            weights=shares,
            member_names=names,
        )

    def with_members(self, members: Sequence[Network], card: ModelCard) -> Ensemble:
        """Return the same ensemble with other members in the place of its own, and with another card."""
        names = self.member_names
        return Ensemble.of_networks(members, self.weights, name=self.name, card=card, member_names=names)

    @property
    def no_hooks_reason(self) -> str:
        """Why hooks on the layers are not possible, to show to users: those of the first member that has a reason."""
        reasons = zip(self.member_names, (member.no_hooks_reason for member in self.members), strict=True)
        return next((f"{name}: {reason}" for name, reason in reasons if reason), "")

    @property
    def members_in_words(self) -> str:
        """How many networks it is, such as ``"3 members"``."""
        return f"{len(self.members)} member{'s' if len(self.members) > 1 else ''}"

    def module_for(self, stages: Sequence[Stage]) -> tuple[nn.Module, tuple[Stage, ...]]:  # noqa: ARG002
        """Refuse, whatever the stages: each member has a module of its own.

        Raises:
            SegcamError: always.
        """
        raise SegcamError("This is not possible for an ensemble as a whole: load one of its members alone.")

    def with_image_size(self, side: int) -> Ensemble:
        """Return the same ensemble, whose members get frames of ``side`` × ``side`` pixels.

        Raises:
            SegcamError: if the size is not a multiple of the stride of each member.
        """
        members = [member.with_image_size(side) for member in self.members]
        return self.with_members(members, self.card.model_copy(update={"size": members[0].card.size}))

    def with_tiles(self, side: int, overlap: float | None = None) -> Ensemble:
        """Return the same ensemble, whose members run on tiles, as ``Network.with_tiles``.

        Args:
            side: of a tile, in pixels.
            overlap: part of the side that neighbors share; by default half.

        Raises:
            SegcamError: if a member cannot.
        """
        members = [member.with_tiles(side, overlap) for member in self.members]
        return self.with_members(members, self.card.model_copy(update={"size": members[0].card.size}))

    def _layer(self, name: str) -> Stage:
        """Return the layer with this dotted name as a stage; the message of an error names a member without it."""
        return shared_layer(self.members, self.member_names, name, [stage.name for stage in self.stages])


def _card_of(members: Sequence[Network], card: ModelCard | None) -> ModelCard:
    """Return the card of an ensemble: some fields, those about the classes from the first member that names them, and
    the others from the first member. Each member prepares the image by its own card."""
    named = next((member.card for member in members if member.card.class_names), members[0].card)
    about_classes = named.model_dump(include={"class_names", "class_colors", "class_values"}, exclude_defaults=True)
    of_first = members[0].card.model_dump(exclude=_OF_MEMBERS, exclude_unset=True)
    return make_card(of_first | about_classes | (card.model_dump(exclude_unset=True) if card is not None else {}))


def weights_of(weights: Sequence[float] | None, count: int) -> tuple[float, ...]:
    """Return the weights of the members of an ensemble, which add up to 1.

    Raises:
        SegcamError: if there are not as many as members, or one is not a positive number.
    """
    if weights is None:
        return (1 / count,) * count
    if len(weights) != count:
        raise SegcamError(f"The ensemble has {count} members, but {len(weights)} weights. Give one for each, or none.")
    if not all(math.isfinite(weight) and weight > 0 for weight in weights):
        raise SegcamError(f"The weights of an ensemble must be positive numbers, but they are {list(weights)}.")
    if len(set(weights)) == 1:
        return (1 / count,) * count
    total = math.fsum(weights)
    return tuple(weight / total for weight in weights)


def _counted(names: Sequence[str], *, with_count: bool = True) -> str:
    """Return what members are, in words: ``"3 × Unet"``, or ``"Unet, FPN"`` where they differ."""
    different = list(dict.fromkeys(names))
    if len(different) == 1 and with_count:
        return f"{len(names)} × {different[0]}"
    return ", ".join(different)


def _checksum(members: Sequence[Network], weights: Sequence[float]) -> str:
    """Return a checksum of the checksums and weights of the members; empty if one has none."""
    if not all(member.sha256 for member in members):
        return ""
    lines = "".join(f"{member.sha256} {weight!r}\n" for member, weight in zip(members, weights, strict=True))
    return hashlib.sha256(lines.encode()).hexdigest()


def _merged_warnings(members: Sequence[Network], names: Sequence[str]) -> tuple[str, ...]:
    """Return each warning once: with the name of its member, unless all members have it."""
    merged: dict[str, None] = {}
    for member, name in zip(members, names, strict=True):
        for warning in member.warnings:
            is_shared = all(warning in other.warnings for other in members)
            merged[warning if is_shared else f"{name}: {warning}"] = None
    return tuple(merged)


def _merged_assumed(members: Sequence[Network], names: Sequence[str]) -> dict[str, str]:
    """Return each assumption once: with the names of its members, unless all members have it."""
    merged: dict[str, str] = {}
    for key in dict.fromkeys(key for member in members for key in member.assumed):
        values = {name: member.assumed.get(key) for name, member in zip(names, members, strict=True)}
        if len(set(values.values())) == 1:
            merged[key] = members[0].assumed[key]
        else:
            merged[key] = ", ".join(f"{value} ({name})" for name, value in values.items() if value is not None)
    return merged
