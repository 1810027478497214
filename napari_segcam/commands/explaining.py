"""Explaining a cine from the command line: files in a folder, progress, and an estimate before what takes long."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from napari_segcam.commands.terminal import duration, progress_on, stoppable
from napari_segcam.errors import SegcamError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_segcam.explanation.explainer import Explainer
    from napari_segcam.explanation.explanation import Explanation
    from napari_segcam.explanation.target import Score, Target
    from napari_segcam.imaging.cine import Cine
    from napari_segcam.imaging.geometry import Crop
    from napari_segcam.network.network import Network


@dataclass(frozen=True)
class Wishes:
    """What the user wants to see of every frame.

    Attributes:
        methods: names of CAM methods.
        stages: as for ``Explainer``.
        classes: names or numbers; an empty name is the first class that is not the background.
        region: as for ``parse_region``.
        score: as for ``Target``.
        truth: true masks, one per frame of the cine, or one for all.
        crop: that the network sees.
        preview: of slow methods that have one.
        autocast: as for ``Explainer``.
    """

    methods: Sequence[str] = ("gradcam",)
    stages: str | Sequence[str] = "main"
    classes: Sequence[str] = ("",)
    region: str = "mask"
    score: str = "logit"
    truth: Cine | None = None
    crop: Crop | None = None
    preview: bool = False
    autocast: bool = False


def explain_cine(
    network: Network, cine: Cine, numbers: Sequence[int], wishes: Wishes, out: Path, console: Console
) -> bool:
    """Write what was wished of these frames, and the attention figures of all; whether it came to its end.

    Ctrl-C stops between two runs of the network. What is written by then is whole, the attention figures included.

    Raises:
        SegcamError: if a wish does not go with the network or the cine, or the folder cannot be written to.
    """
    from napari_segcam.reporting.exports import attention_rows, write_attention, write_explanation

    indices = [_class_index(network, name) for name in wishes.classes]
    rows: list[dict[str, Any]] = []
    done = 0
    with stoppable(console) as stop:
        work = _Work(network, wishes, stop)
        # The first target is refused, if it must be, before anything takes long.
        work.target(numbers[0], indices[0])
        runs = work.announce(cine, numbers, len(indices), console)
        with progress_on(console) as progress:
            work.show(progress, progress.add_task("Explaining", total=runs * len(numbers) * len(indices)))
            for number, explanation in work.explanations(cine, numbers, indices):
                folder = out
                if len(numbers) > 1:
                    folder /= f"frame_{number:04d}"
                if len(wishes.methods) > 1:
                    folder /= explanation.method
                if len(indices) > 1:
                    folder /= network.class_names[explanation.target.class_index or 0]
                if done == 0 and explanation.no_mask is not None:
                    _print_classes(number, explanation, console)
                write_explanation(folder, cine[number], explanation, cine.value_range)
                rows += attention_rows(number, explanation)
                done += 1
    write_attention(out / "attention.csv", rows)
    if len(numbers) == 1:
        _print_attention(rows, console)
    asked = len(numbers) * len(indices) * len(wishes.methods)
    stopped = f"Stopped: {done} of {asked} explanations are whole. " if done < asked else ""
    console.print(f"{stopped}Written to {out.resolve()}", soft_wrap=True)
    return done == asked


class _Work:
    """The explainers, one per method, and how far they are."""

    def __init__(self, network: Network, wishes: Wishes, stop: threading.Event) -> None:
        from napari_segcam.explanation.explainer import Explainer
        from napari_segcam.explanation.stage_maps import Patience

        patience = Patience(wishes.preview, self._on_progress, stop.is_set)
        self._explainers = [
            Explainer(network, method, wishes.stages, patience=patience, autocast=wishes.autocast)
            for method in wishes.methods
        ]
        self._network, self._wishes, self._stop = network, wishes, stop
        self._shown: tuple[Progress, TaskID] | None = None
        self._seen = 0

    def target(self, number: int, index: int | None) -> Target:
        """What is explained of a frame."""
        from napari_segcam.explanation.region_words import parse_region
        from napari_segcam.explanation.target import Target

        region = parse_region(self._wishes.region, _true_mask(self._wishes.truth, number, index, self._network))
        return Target(index, region, cast("Score", self._wishes.score))  # which refuses others

    def announce(self, cine: Cine, numbers: Sequence[int], targets: int, console: Console) -> int:
        """Say beforehand what slow methods will take; runs of the network for each frame and class."""
        from napari_segcam.explanation.perturbation import Perturbation

        runs = 0
        for explainer in self._explainers:
            if not isinstance(explainer.method, Perturbation):
                runs += 1
                continue
            with console.status(f"Estimating {explainer.method.title} …"):
                cost = explainer.estimate(cine[numbers[0]], cine.value_range, self._wishes.crop)
            times = len(numbers) * targets
            console.print(
                f"{explainer.method.title}{_preview(explainer)}: {cost.forwards * times} runs of the network, "
                f"about {duration(cost.seconds * times)}. Ctrl-C stops it."
            )
            runs += cost.forwards
        return runs

    def show(self, progress: Progress, task: TaskID) -> None:
        """Where to tell how far the work is."""
        self._shown = progress, task

    def explanations(
        self, cine: Cine, numbers: Sequence[int], indices: Sequence[int | None]
    ) -> Iterator[tuple[int, Explanation]]:
        """Frame number and explanation, until all are made or the user stops."""
        from napari_segcam.explanation.perturbation import Cancelled

        with suppress(Cancelled):
            for number in numbers:
                frame = cine[number]
                for explainer in self._explainers:
                    for index in indices:
                        if self._stop.is_set():
                            return
                        target = self.target(number, index)
                        explanation = explainer(frame, target, cine.value_range, self._wishes.crop)
                        self._advance(1)
                        yield number, explanation

    def _on_progress(self, _stage: str, done: int, total: int) -> None:
        self._advance(done - self._seen)
        self._seen = done % total  # the next stage begins at nought

    def _advance(self, runs: int) -> None:
        if self._shown is not None:
            progress, task = self._shown
            progress.advance(task, runs)


def _preview(explainer: Explainer) -> str:
    return ", preview" if getattr(explainer.method, "has_preview", False) and explainer.patience.preview else ""


def _class_index(network: Network, name: str) -> int | None:
    """The output channel of a class given by name or number; None for the likeliest of a network that classifies."""
    if not name and not network.segments:
        return None
    return network.class_index(int(name) if name.isdigit() else name or None)


def _true_mask(truth: Cine | None, number: int, index: int | None, network: Network) -> NDArray[Any] | None:
    """The true mask of a class; in a file for several classes pixels hold the class's number, for one anything."""
    if truth is None:
        return None
    if len(truth) > 1 and number >= len(truth):
        raise SegcamError(f"The truth {truth.name} has {len(truth)} frames: there is none for frame {number}.")
    mask: NDArray[Any] = truth[number if len(truth) > 1 else 0]
    if network.classes > 1:
        if mask.ndim == 3:
            raise SegcamError(f"The truth {truth.name} is a colour image: its pixels must hold the classes' numbers.")
        return np.asarray(mask == index)
    return np.asarray((mask > 0).any(-1) if mask.ndim == 3 else mask > 0)


def _print_classes(number: int, explanation: Explanation, console: Console) -> None:
    """The three likeliest classes of a frame that a network classified, which gives no mask to look at."""
    likeliest = sorted(explanation.class_probabilities.items(), key=lambda item: -item[1])[:3]
    console.print(f"Frame {number}: {', '.join(f'{name} {share:.1%}' for name, share in likeliest)}", markup=False)
    console.print(f"No mask: {explanation.no_mask}.")


def _print_attention(rows: Sequence[dict[str, Any]], console: Console) -> None:
    table = Table("class", "method", "stage", "mean", "std", "in / out", title="Attention (raw heat)")
    for row in rows:
        ratio = row["ratio"]
        in_out = f"{ratio:.2f}" if isinstance(ratio, float) else f"undefined: {row['undefined']}"
        table.add_row(
            *(str(row[key]) for key in ("class", "method", "stage")), f"{row['mean']:.3g}", f"{row['std']:.3g}", in_out
        )
    console.print(table)
