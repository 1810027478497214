"""Stage evidence: how trustworthy the heatmap of one stage is, in numbers and in one line of words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from napari_segcam.evidence.echo import ECHO
from napari_segcam.evidence.in_out import InOut
from napari_segcam.evidence.influence import Influence
from napari_segcam.evidence.null import Measurement
from napari_segcam.evidence.off_scan import OffScan
from napari_segcam.evidence.sanity import SANITY
from napari_segcam.network.stages.stage import Stage

MATTERS = 0.05  # largest p at which hot places matter
_MUCH_OFF_SCAN = 0.5

NO_ENCODER_STAGE = "no encoder stage takes part in this mask"


@dataclass(frozen=True)
class StageEvidence:
    """Evidence of one stage in one frame; None for measures that were not taken or are undefined.

    Attributes:
        stage: the measured stage.
        influence: whether it takes part.
        faithfulness: whether its hot places matter more than others, with the null.
        in_out: how much of the heat is inside the region, with the null.
        echo: Spearman's correlation with the probability.
        sanity: Spearman's correlation with the maps of networks that have learned nothing.
        stability: Spearman's correlation with the maps of slightly different views.
        off_scan: heat where there is no tissue.
        undefined: why a measure that was taken gives no figure, in words, by its name; those with a null hold their
            reason themselves.
    """

    stage: Stage
    influence: Influence | None = None
    faithfulness: Measurement | None = None
    in_out: InOut | None = None
    echo: float | None = None
    sanity: float | None = None
    stability: float | None = None
    off_scan: OffScan | None = None
    undefined: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def takes_part(self) -> bool | None:
        """Whether the mask changes when the stage is hidden; None where this is unknown or unclear."""
        return None if self.influence is None else self.influence.takes_part

    @property
    def hot_places_matter(self) -> bool | None:
        """Whether hiding the hot cells costs more than hiding others, p ≤ 0.05; None where this is unknown.

        With fewer than 19 draws of the null, p cannot become that small.
        """
        p = None if self.faithfulness is None else self.faithfulness.p
        return None if p is None or self._has_too_few_draws else p <= MATTERS

    @property
    def _has_too_few_draws(self) -> bool:
        null = self.faithfulness.null if self.faithfulness else ()
        return bool(null) and MATTERS * (len(null) + 1) < 1 - 1e-9

    @property
    def repeats_the_mask(self) -> bool:
        """Whether the map is an echo of the mask."""
        return self.echo is not None and self.echo >= ECHO

    @property
    def statement(self) -> str:
        """One line of words about the map; empty where nothing is known.

        Such as "hiding it costs the mask 83 %; its hot places matter more than others (0.83 against 0.08)".
        """
        return "; ".join(part for part in (self._influence_words(), self._hot_places_words(), *self._flags()) if part)

    def _influence_words(self) -> str:
        influence = self.influence
        if influence is None or influence.value is None:
            return ""
        explained = "mask" if influence.region_is_mask else "score"
        if influence.is_unclear:
            mask = influence.region_is_mask
            *losses, last = [f"{value:.0%}" if mask else f"{-value:+.0%}" for value in influence.values]
            change = f"{'costs the mask' if mask else 'changes the score by'} {', '.join(losses)} or {last}"
            return f"unclear whether it takes part: hiding it {change}, by what replaces it".replace("%", " %")
        if not influence.takes_part:
            return f"takes no part in this {explained}"
        if influence.value < 0:
            return f"hiding it raises the {explained} by {-influence.value:.0%}".replace("%", " %")
        return f"hiding it costs the {explained} {influence.value:.0%}".replace("%", " %")

    def _hot_places_words(self) -> str:
        if self.takes_part is False:
            return ""  # if the stage takes no part, no place matters
        if self._has_too_few_draws:
            return "too few draws to tell whether its hot places matter"
        if self.hot_places_matter is None:
            return ""
        if not self.hot_places_matter:
            return "its hot places matter no more than others"
        assert self.faithfulness is not None
        value, expected = self.faithfulness.value, self.faithfulness.expected
        return f"its hot places matter more than others ({value:.2f} against {expected:.2f})"

    def _flags(self) -> list[str]:
        flags = []
        if self.repeats_the_mask:
            flags.append("repeats the mask")
        if self.off_scan is not None and (self.off_scan.outside or 0) >= _MUCH_OFF_SCAN:
            flags.append(f"{self.off_scan.outside:.0%} of the heat is off the scan".replace("%", " %"))
        if self.sanity is not None and self.sanity >= SANITY:
            flags.append("much the same in a network that has learned nothing")
        return flags


@dataclass(frozen=True)
class FirstStage:
    """The stage to show first.

    Attributes:
        name: of the stage; None where no stage is known to take part.
        why: the reason, in words.
    """

    name: str | None
    why: str


def first_stage(evidence: Sequence[StageEvidence] | Mapping[str, StageEvidence]) -> FirstStage:
    """Return the stage to show first: not simply the deepest one, but one that takes part.

    It is the deepest encoder stage that takes part and whose hot places matter; else the deepest encoder stage that
    takes part; else the earliest decoder stage that does.

    Args:
        evidence: of the stages, in the network's order.
    """
    stages = list(evidence.values()) if isinstance(evidence, Mapping) else list(evidence)
    active = [stage for stage in stages if stage.takes_part]
    encoders = [stage for stage in active if stage.stage.kind == "encoder"]
    faithful = [stage for stage in encoders if stage.hot_places_matter]
    if faithful:
        return FirstStage(_deepest(faithful), "the deepest encoder stage that takes part and whose hot places matter")
    if encoders:
        return FirstStage(_deepest(encoders), "the deepest encoder stage that takes part")
    others = [stage for stage in active if stage.stage.kind != "encoder"]
    if others:
        return FirstStage(others[0].stage.name, NO_ENCODER_STAGE)
    return FirstStage(None, "no stage is known to take part in this mask")


def _deepest(stages: Sequence[StageEvidence]) -> str:
    """Return the name of the stage with the largest stride; of several, the last."""
    return max(enumerate(stages), key=lambda numbered: (numbered[1].stage.stride, numbered[0]))[1].stage.name
