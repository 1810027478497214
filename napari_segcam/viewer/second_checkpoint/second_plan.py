"""The plan of B: what A computes of a frame, by the second network, for the class that belongs to A's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from napari_segcam.errors import SegcamError
from napari_segcam.viewer.frames.plan import Plan

if TYPE_CHECKING:  # torch comes with it: it is imported where the work is done
    from napari_segcam.network.network import Network


def second_plan(plan: Plan, network: Network, threshold: float, *, with_maps: bool) -> Plan:
    """Return the plan by which B computes the frames of A.

    Args:
        plan: of A.
        network: B.
        threshold: of B's masks.
        with_maps: whether to compute heatmaps too; a slow method computes none.

    Raises:
        SegcamError: if no class of B belongs to the explained class of A.
    """
    from napari_segcam.comparing.class_pairs import pair_classes

    pairs = pair_classes(plan.network, network).pairs
    pair = next((pair for pair in pairs if pair.index_a == plan.class_index), None)
    if pair is None:
        raise SegcamError(
            f"B has no class {plan.network.class_names[plan.class_index]}: its classes are "
            f"{', '.join(network.class_names)}."
        )
    stages = shared_stages(plan.stages, network) if with_maps and not plan.is_slow else ()
    request = replace(plan.request, stages=stages or None, class_index=pair.index_b, against=None, member=None)
    return replace(plan, network=network, request=request, threshold=threshold)


def shared_stages(stages: tuple[str, ...], network: Network) -> tuple[str, ...]:
    """Return the stages of A that B has too, by name; if there are none, B's main stages."""
    if not stages or network.no_hooks_reason:
        return ()
    names = {stage.name for stage in network.stages}
    shared = tuple(stage for stage in stages if stage in names)
    return shared or tuple(stage.name for stage in network.select("main"))
