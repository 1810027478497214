"""The measures that run the network again with other maps at a stage: influence and faithfulness."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import partial

from napari_segcam.errors import SegcamError, error_text
from napari_segcam.evidence.faithfulness import faithfulness
from napari_segcam.evidence.influence import Influence, influence
from napari_segcam.evidence.null import Measurement
from napari_segcam.evidence.running.references import OtherReferences
from napari_segcam.explanation.explainer import Explainer
from napari_segcam.explanation.explanation import Explanation
from napari_segcam.explanation.frame_replay import FrameReplay
from napari_segcam.explanation.slow_methods.control import Cancelled
from napari_segcam.explanation.targets.frozen_region import is_mask

REPLAYED = frozenset({"influence", "faithfulness"})
_NO_SCORE = "the explained score is 0, so a loss has nothing to be compared with"


@dataclass
class ReplayedMeasures:
    """Influence and faithfulness by stage name, and why a stage has none of them, in words."""

    influences: dict[str, Influence] = field(default_factory=dict)
    faithfulnesses: dict[str, Measurement] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)


def no_replay_reason(explainer: Explainer, explanation: Explanation) -> str:
    """Return why no stage of a network can be replaced for an explanation, in words; empty if it can."""
    if explanation.runs_in_tiles:
        return "a stage cannot be replaced in an image that runs in tiles"
    if explainer.network.no_hooks_reason:
        return "the layers of a TorchScript network cannot be replaced"
    if explainer.method.stage is not None:
        return f"{explainer.method.title} explains the picture itself, and no stage of the network"
    return ""


def measure_by_replay(
    explanation: Explanation,
    explainer: Explainer,
    replay: FrameReplay | None,
    measures: Collection[str],
    references: OtherReferences | None,
    draws: int,
    seed: int,
    report: Callable[[str, int, int], None],
) -> ReplayedMeasures:
    """Take the measures that replace the maps of stages; where this is impossible, say why.

    Args:
        explanation: of the frame.
        explainer: the explainer that made it.
        replay: of the frame; None if no stage can be replaced.
        measures: those to take.
        references: besides the spatial mean, for influence.
        draws: of the null of faithfulness.
        seed: of faithfulness.
        report: called with the measure, the number of its steps done and their total.

    Raises:
        Cancelled: if the user cancels it.
    """
    found = ReplayedMeasures()
    if replay is None:
        reason = no_replay_reason(explainer, explanation)
        found.reasons = dict.fromkeys(explanation.heatmaps, reason)
        found.faithfulnesses = dict.fromkeys(explanation.heatmaps, Measurement(None, undefined=reason))
        return found
    region_is_mask = is_mask(explanation.target.region) and explanation.no_mask is None
    for number, (name, heatmap) in enumerate(explanation.heatmaps.items(), start=1):
        try:
            # Before the network's lock is held: another frame may have to run.
            others = references.of(name) if references and "influence" in measures else {}
            with replay.at(name) as stage_replay:
                if "influence" in measures:
                    measured = influence(stage_replay, region_is_mask=region_is_mask, others=others)
                    found.influences[name] = measured
                    if measured.value is None:
                        found.reasons[name] = _NO_SCORE
                    runs = 1 + len(others)
                    report("influence", number * runs, len(explanation.heatmaps) * runs)
                if "faithfulness" in measures:
                    found.faithfulnesses[name] = faithfulness(
                        stage_replay,
                        heatmap,
                        region_is_mask=region_is_mask,
                        draws=draws,
                        seed=seed,
                        progress=partial(report, f"faithfulness of {name}"),
                    )
        except Cancelled:
            raise
        except Exception as error:  # the network can be anybody's code
            text = str(error) if isinstance(error, SegcamError) else error_text(error)
            reason = f"the network does not run with another map at this stage ({text})"
            found.influences.pop(name, None)
            found.reasons[name] = reason
            found.faithfulnesses[name] = Measurement(None, undefined=reason)
    return found
