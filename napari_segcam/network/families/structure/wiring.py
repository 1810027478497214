"""How the parts of a network are connected: an encoder, a decoder and the skips between them, as a list of steps."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from napari_segcam.network.families.structure.layers import Form
from napari_segcam.network.families.structure.parts import Part

StepKind = Literal["part", "pool", "up", "up_part", "up_transposed", "concat", "add", "no_skip", "head"]


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        kind: ``part`` runs a part; ``pool`` keeps the map as a skip and halves it; ``up`` doubles the map, alone, or
            with the part after it or as a transposed convolution; ``concat``, ``add`` and ``no_skip`` say what becomes
            of the skip of the level that is reached; ``head`` runs the last part.
        part: its index, where one is run; for ``concat`` and ``add`` the index of the gate of the skip.
        form: of the part.
    """

    kind: StepKind
    part: int | None = None
    form: Form | None = None


@dataclass(frozen=True)
class Wiring:
    """A network: its parts, how they are connected, and how unusual that is.

    Attributes:
        parts: of the network.
        steps: in the order of running; all parts are used, or are further heads.
        cost: 0 for a network whose parts are in the usual order at the usual places.
        further_heads: parts that make further outputs, with the number of the step whose map they take.
        final_level: at the end, the map is still halved this many times.
    """

    parts: tuple[Part, ...]
    steps: tuple[Step, ...]
    cost: float
    further_heads: tuple[tuple[int, int], ...] = ()
    final_level: int = 0

    @property
    def levels(self) -> int:
        """How many sizes the maps have."""
        return 1 + sum(step.kind == "pool" for step in self.steps)

    @property
    def in_channels(self) -> int:
        return next(step.form.inputs for step in self.steps if step.form is not None)

    @property
    def classes(self) -> int:
        return next(step.form.outputs for step in reversed(self.steps) if step.form is not None)

    @property
    def output_step(self) -> int:
        """The number of the step that makes the output."""
        return max(number for number, step in enumerate(self.steps) if step.part is not None and step.form is not None)

    @property
    def joins(self) -> tuple[StepKind, ...]:
        """What becomes of the skips, the deepest first."""
        return tuple(step.kind for step in self.steps if step.kind in ("concat", "add", "no_skip"))

    @property
    def ups(self) -> tuple[StepKind, ...]:
        return tuple(step.kind for step in self.steps if step.kind in ("up", "up_part", "up_transposed"))

    def without_added_skips(self) -> Wiring:
        """Return the same network without the skips that are added, which the shapes cannot show."""
        steps = tuple(Step("no_skip") if step.kind == "add" and step.part is None else step for step in self.steps)
        return replace(self, steps=steps)

    @property
    def digest(self) -> str:
        """Eight hexadecimal digits that are the same for the same layers and steps."""
        words = [
            f"{step.kind} {_name(self.parts, step.part)} {step.form and step.form.operation}" for step in self.steps
        ]
        kinds = [f"{part.kind} {part.units[0].layer.name}" for part in self.parts]
        return hashlib.sha256("\n".join([*kinds, *words]).encode()).hexdigest()[:8]

    def describe(self) -> str:
        """Return the wiring in words, for a sentence: levels, channels, blocks, kinds of skips and classes."""
        widths = self._widths()
        skips = "skips" if "no_skip" not in self.joins else f"{sum(j != 'no_skip' for j in self.joins)} skips"
        if set(self.joins) == {"no_skip"}:
            skips = "no skips"
        elif "add" in self.joins and "concat" not in self.joins:
            skips = "added skips"
        blocks = "residual blocks" if any(part.kind == "residual" for part in self.parts) else "convolution blocks"
        gates = " and attention gates" if any(part.kind == "gate" for part in self.parts) else ""
        return (
            f"a U-Net of {self.levels} levels ({'-'.join(map(str, widths))} channels) with {blocks}{gates}, {skips}, "
            f"{self.in_channels} input channel{'s' if self.in_channels != 1 else ''} and {self.classes} "
            f"output{'s' if self.classes != 1 else ''}"
        )

    def _widths(self) -> list[int]:
        """Channels at the end of each level of the encoder."""
        widths: list[int] = []
        channels = 0
        for step in self.steps:
            if step.kind in ("up", "up_part", "up_transposed"):
                break
            if step.kind == "pool":
                widths.append(channels)
            elif step.form is not None:
                channels = step.form.outputs
        return [*widths, channels]


def _name(parts: Sequence[Part], index: int | None) -> str:
    return "" if index is None else parts[index].units[0].layer.name
