"""Explaining a cine from the command line: files in a folder, progress, and an estimate before what takes long."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from napari_segcam.commands.terminal import duration, progress_on, stoppable

if TYPE_CHECKING:
    from napari_segcam.batch.analysis import Analysis
    from napari_segcam.batch.wishes import Wishes
    from napari_segcam.explanation.explainer import Explainer
    from napari_segcam.explanation.explanation import Explanation
    from napari_segcam.imaging.cine import Cine
    from napari_segcam.network.network import Network


def explain_cine(
    network: Network,
    cine: Cine,
    numbers: Sequence[int],
    wishes: Wishes,
    out: Path,
    console: Console,
    truth: Cine | None = None,
) -> bool:
    """Write what was wished of these frames, and the attention figures of all; whether it came to its end.

    Ctrl-C stops between two runs of the network. What is written by then is whole, the attention figures included.

    Raises:
        SegcamError: if a wish does not go with the network or the cine, or the folder cannot be written to.
    """
    from napari_segcam.batch.analysis import Analysis, true_mask
    from napari_segcam.reporting.exports import attention_rows, write_attention, write_explanation

    rows: list[dict[str, Any]] = []
    done = 0
    with stoppable(console) as stop, progress_on(console) as progress:
        task = progress.add_task("Estimating", total=None)
        analysis = Analysis(network, wishes, lambda runs: progress.advance(task, runs), stop.is_set)
        # The first target is refused, if it must be, before anything takes long.
        analysis.target(analysis.classes[0], true_mask(truth, numbers[0], analysis.classes[0], network))
        runs = _announce(analysis, cine, numbers, console)
        progress.reset(task, total=runs * len(numbers) * len(analysis.classes), description="Explaining")
        for number, explanation in analysis.explanations(cine, numbers, truth):
            folder = out
            if len(numbers) > 1:
                folder /= f"frame_{number:04d}"
            if len(wishes.methods) > 1:
                folder /= explanation.method
            if len(analysis.classes) > 1:
                folder /= network.class_names[explanation.target.class_index or 0]
            if done == 0 and explanation.no_mask is not None:
                _print_classes(number, explanation, console)
            write_explanation(folder, cine[number], explanation, cine.value_range)
            rows += attention_rows(number, explanation)
            done += 1
    write_attention(out / "attention.csv", rows)
    if len(numbers) == 1:
        _print_attention(rows, console)
    asked = len(numbers) * len(analysis.classes) * len(wishes.methods)
    stopped = f"Stopped: {done} of {asked} explanations are whole. " if done < asked else ""
    console.print(f"{stopped}Written to {out.resolve()}", soft_wrap=True)
    return done == asked


def _announce(analysis: Analysis, cine: Cine, numbers: Sequence[int], console: Console) -> int:
    """Say beforehand what slow methods will take; runs of the network for each frame and class."""
    from napari_segcam.explanation.perturbation import Perturbation
    from napari_segcam.imaging.scan_region import parse_crop

    runs = 0
    for explainer in analysis.explainers:
        if not isinstance(explainer.method, Perturbation):
            runs += 1
            continue
        cost = explainer.estimate(cine[numbers[0]], cine.value_range, parse_crop(analysis.wishes.crop, cine))
        times = len(numbers) * len(analysis.classes)
        console.print(
            f"{explainer.method.title}{_preview(explainer)}: {cost.forwards * times} runs of the network, "
            f"about {duration(cost.seconds * times)}. Ctrl-C stops it."
        )
        runs += cost.forwards
    return runs


def _preview(explainer: Explainer) -> str:
    return ", preview" if getattr(explainer.method, "has_preview", False) and explainer.patience.preview else ""


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
