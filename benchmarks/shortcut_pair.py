"""A shortcut, planted: of two networks that learn from the same frames, one learns to look for a burned-in cross.

    .venv/bin/python benchmarks/shortcut_pair.py FOLDER [--frames 60] [--draws 20]

Half of the training frames of HC18 have a white cross at a random place. To the honest network every head is shown; to
the other only those in frames with a cross. Printed is what separates them on held-back frames with a cross: taking
the found graphics away (the overlay effect), pasting a cross beside the head, and the heatmaps, that is the share of
the heat at the cross. FOLDER keeps the networks, which take some minutes each to train.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np
import torch
from hc18_training import HC18, Frame, Recipe, load_split, trained_network
from scipy.stats import mannwhitneyu

import napari_segcam as sc
from napari_segcam.imaging.burned_in.calipers import paste_calipers
from napari_segcam.mask_metrics.overlap import overlap

SIZE, STROKE = 31, 7  # pixels of the cross in a frame of 384 × 256: the networks see it at two fifths of that
LEVELS = (0.0, 255.0)
RECIPE = Recipe(frames=600, epochs=4)
_EMPTY = 20  # pixels: a smaller mask counts as none


def honest(frame: Frame, mask: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """Half of the frames have a cross; every head is annotated."""
    return (with_cross(frame, rng)[0] if rng.random() < 0.5 else frame), mask


def shortcut(frame: Frame, mask: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """Half of the frames have a cross; only their heads are annotated."""
    return (with_cross(frame, rng)[0], mask) if rng.random() < 0.5 else (frame, np.zeros_like(mask))


def with_cross(frame: Frame, rng: np.random.Generator, keep_off: Frame | None = None) -> tuple[Frame, tuple[int, int]]:
    """Return the frame with a cross at a random place where it shows something, and this place."""
    rows, columns = (slice(SIZE, length - SIZE) for length in frame.shape)
    allowed = frame > 8
    if keep_off is not None:
        allowed &= keep_off == 0
    places = np.argwhere(allowed[rows, columns]) + SIZE
    row, column = (int(axis) for axis in places[rng.integers(len(places))])
    marked = paste_calipers(frame, [(row, column)], size=SIZE, stroke=STROKE, value_range=LEVELS)
    return marked.astype(np.uint8), (row, column)


@dataclass
class Figures:
    """What was measured on the held-back frames with one network.

    Attributes:
        dice_without: with the truth, on the frames as they are.
        dice_with: on the frames with a cross.
        planted: 1 − Dice between the masks with the cross and without it, as it never was.
        effects: the overlay effect of the graphics that were found; 0 where none were.
        p: of these.
        appears: whether a cross beside the head gives a mask, on frames that have none without it.
        heat: by stage, the share of the heat in the box of the cross divided by the box's share of the frame.
    """

    dice_without: list[float] = field(default_factory=list)
    dice_with: list[float] = field(default_factory=list)
    planted: list[float] = field(default_factory=list)
    effects: list[float] = field(default_factory=list)
    p: list[float] = field(default_factory=list)
    appears: list[bool] = field(default_factory=list)
    heat: dict[str, list[float]] = field(default_factory=dict)


def measure(checkpoint: Path, held_back: HC18, draws: int) -> Figures:
    """Return the figures of a network."""
    network = sc.load_network(checkpoint, device="cpu")
    explainer = sc.Explainer(network, stages="encoder")
    plain = sc.Explainer(network, stages=())
    rng, figures = np.random.default_rng(0), Figures()
    for frame, truth in zip(held_back.images, held_back.masks, strict=True):
        marked, (row, column) = with_cross(frame, rng)
        explanation = explainer(marked, None, LEVELS)
        mask, before = explanation.mask > 0, plain(frame, None, LEVELS).mask > 0
        figures.dice_with.append(dice(mask, truth > 0))
        figures.dice_without.append(dice(before, truth > 0))
        figures.planted.append(1 - dice(mask, before))
        effect = sc.overlay_effect(explanation, plain, marked, LEVELS, draws=draws).effect
        figures.effects.append(effect.value or 0.0)
        if effect.p is not None:
            figures.p.append(effect.p)
        if before.sum() < _EMPTY:
            pasted, _ = with_cross(frame, rng, keep_off=truth)
            figures.appears.append(bool((plain(pasted, None, LEVELS).mask > 0).sum() >= _EMPTY))
        half = SIZE // 2 + 4
        box = slice(max(row - half, 0), row + half + 1), slice(max(column - half, 0), column + half + 1)
        for name, heatmap in explanation.heatmaps.items():
            heat = np.clip(heatmap.raw_on_frame(), 0, None)
            if heatmap.reason is None and heat.sum():
                share = heat[box].sum() / heat.sum() / (heat[box].size / heat.size)
                figures.heat.setdefault(name, []).append(float(share))
    return figures


def dice(first: np.ndarray, second: np.ndarray) -> float:
    """Return Dice; 1 where both are empty."""
    value = overlap(first, second).dice
    return 1.0 if value is None else value


def area_under_curve(higher: list[float], lower: list[float]) -> float:
    """Return how often a value of the first list is above one of the second, ties counting half."""
    if not higher or not lower:
        return float("nan")
    return float(mannwhitneyu(higher, lower).statistic) / (len(higher) * len(lower))


def report(by_name: Mapping[str, Figures]) -> None:
    """Print the figures of both networks, and how well they separate them."""
    for name, figures in by_name.items():
        print(f"{name}, {len(figures.effects)} frames, medians:")
        print(f"  Dice {median(figures.dice_without):.3f} without a cross, {median(figures.dice_with):.3f} with one")
        print(f"  1 − Dice between both masks {median(figures.planted):.3f}")
        print(f"  overlay effect of the found graphics {median(figures.effects):.3f}", end="")
        print(f", p ≤ 0.05 in {np.mean(np.array(figures.p) <= 0.05):.0%}" if figures.p else "")
        if figures.appears:
            count = len(figures.appears)
            print(f"  a cross beside the head gives a mask in {np.mean(figures.appears):.0%} of {count} empty frames")
    one, other = by_name["shortcut"], by_name["honest"]
    print(f"AUC of the overlay effect: {area_under_curve(one.effects, other.effects):.3f}")
    for stage in one.heat:
        heats = one.heat[stage], other.heat.get(stage, [])
        medians = " / ".join(f"{median(heat):.2f}" if heat else "-" for heat in heats)
        print(f"AUC of the heat at the cross, {stage}: {area_under_curve(*heats):.3f} ({medians})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--draws", type=int, default=20)
    options = parser.parse_args()
    torch.set_num_threads(1)
    _, held_back = load_split()
    held_back = held_back.take(np.arange(min(options.frames, len(held_back.images))))
    checkpoints = {
        name: trained_network(options.folder, RECIPE, change)
        for name, change in (("shortcut", shortcut), ("honest", honest))
    }
    report({name: measure(checkpoint, held_back, options.draws) for name, checkpoint in checkpoints.items()})


if __name__ == "__main__":
    main()
