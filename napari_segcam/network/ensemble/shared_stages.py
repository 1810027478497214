"""Shared stages: those that all members of an ensemble have, so that their heatmaps can be averaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches

from napari_segcam.errors import SegcamError
from napari_segcam.network.network import Network
from napari_segcam.network.stages.stage import Stage, stage_aliases

_LAST = ("encoder_last", "decoder_last")


def shared_stages(members: Sequence[Network]) -> tuple[Stage, ...]:
    """Return the stages that all members have by name, in the order of the first one.

    Where the last encoder or decoder stages have different names, the aliases ``encoder_last`` and ``decoder_last``
    are stages themselves, at their end.
    """
    names = [{stage.name: stage.kind for stage in member.stages} for member in members]
    shared = [stage for stage in members[0].stages if all(other.get(stage.name) == stage.kind for other in names)]
    aliases = [stage_aliases(member.stages) for member in members]
    for alias in _LAST:
        lasts = {own.get(alias) for own in aliases}
        if len(lasts) > 1 and None not in lasts:
            last = replace(members[0].stage(alias), name=alias)
            same_kind = [number for number, stage in enumerate(shared) if stage.kind == last.kind]
            before_head = sum(stage.kind in ("encoder", last.kind) for stage in shared)
            shared.insert(same_kind[-1] + 1 if same_kind else before_head, last)
    return tuple(shared)


def shared_layer(members: Sequence[Network], names: Sequence[str], layer: str, known: Sequence[str]) -> Stage:
    """Return the stage for a layer, or a stage that is not listed, which all members must have.

    Args:
        members: of an ensemble.
        names: of the members, for the error.
        layer: the dotted name, or the name of a stage.
        known: the names of the stages that all have.

    Raises:
        SegcamError: if one has none of this name; the message names it.
    """
    found: list[Stage] = []
    missing: list[str] = []
    for member, name in zip(members, names, strict=True):
        try:
            found.append(member.stage(layer))
        except SegcamError:
            missing.append(name)
    if not missing:
        return found[0]
    close = ", ".join(get_close_matches(layer, known, n=4, cutoff=0.4) or list(known)[:6])
    if not found:
        raise SegcamError(f"No member of the ensemble has a stage or layer named {layer!r}. All have: {close}.")
    raise SegcamError(
        f"The stage or layer {layer!r} is missing in {', '.join(missing)}, and an ensemble explains what all of its "
        f"members have: {close}. To see it, load one of the others alone."
    )
