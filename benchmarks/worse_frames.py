"""Frames made worse, as happens in practice, and frames of other organs, in which a network should find nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hc18_training import HC18, data_path
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter, zoom

import napari_segcam as sc

Frame = NDArray[np.uint8]
Worsen = Callable[[Frame, np.random.Generator], Frame]

CLEAN, OTHER_ORGAN = "as it is", "other organ"


@dataclass(frozen=True, eq=False)
class Case:
    """One frame of the benchmark.

    Attributes:
        frame: ``(Y, X)``.
        truth: its true mask ``(Y, X)``.
        condition: what was done to the frame.
        source: the frame or the clip that it comes from: cases of one source are not independent.
    """

    frame: Frame
    truth: NDArray[np.bool_]
    condition: str
    source: str


def too_little_gain(frame: Frame, rng: np.random.Generator) -> Frame:
    """Darken the frame to 10–35 % of its brightness."""
    return _as_frame(frame * rng.uniform(0.1, 0.35))


def too_much_gain(frame: Frame, rng: np.random.Generator) -> Frame:
    """Brighten the frame two to five times; what is brighter than white is white."""
    return _as_frame(frame * rng.uniform(2.0, 5.0))


def shadow(frame: Frame, rng: np.random.Generator) -> Frame:
    """Darken a sector below a point near the top, as below a bone: 8–20° to each side, 95 % darker, with soft edges."""
    rows, columns = np.indices(frame.shape)
    angles = np.degrees(np.arctan2(columns - rng.uniform(0.25, 0.75) * frame.shape[1], rows + 0.15 * frame.shape[0]))
    distance = np.abs(angles - rng.uniform(-20, 20)) - rng.uniform(8, 20)
    begins = rows > rng.uniform(0.05, 0.4) * frame.shape[0]
    return _as_frame(frame * (1 - 0.95 * begins / (1 + np.exp(distance / 1.5))))


def noise(frame: Frame, rng: np.random.Generator) -> Frame:
    """Multiply the frame by speckle, and add noise of the receiver, with a standard deviation of 15–50 gray values."""
    speckle = gaussian_filter(rng.gamma(1.0, 1.0, frame.shape), 0.8)
    return _as_frame(frame * speckle + rng.normal(0, rng.uniform(15, 50), frame.shape))


def blur(frame: Frame, rng: np.random.Generator) -> Frame:
    """Blur the frame by a Gaussian of 4–10 pixels."""
    return _as_frame(gaussian_filter(frame.astype(np.float32), rng.uniform(4, 10)))


WORSE: dict[str, Worsen] = {
    "too little gain": too_little_gain,
    "too much gain": too_much_gain,
    "shadow": shadow,
    "noise": noise,
    "blur": blur,
}


def cases_of(data: HC18, worse: dict[str, Worsen] = WORSE, share: float = 0.4, seed: int = 0) -> list[Case]:
    """Return each frame as it is, and a share of them made worse in each way."""
    rng = np.random.default_rng(seed)
    cases = []
    for number, (frame, mask, patient) in enumerate(zip(data.images, data.masks, data.patients, strict=True)):
        source, truth = f"patient {patient}", mask.astype(bool)
        cases.append(Case(frame, truth, CLEAN, source))
        for place, (condition, worsen) in enumerate(worse.items()):
            if (number + place / len(worse)) * share % 1 < share:
                cases.append(Case(worsen(frame, rng), truth, condition, source))
    return cases


def other_organs(shape: tuple[int, int] = (256, 384), sweep_frames: int = 20, every: int = 1) -> list[Case]:
    """Return every n-th of 20 frames of nerves and vessels, and frames of a liver, in which there is no head."""
    path = data_path()
    if path is None:
        return []
    nothing, cases = np.zeros(shape, bool), []
    for number, image in enumerate(sorted((path.parents[1] / "usgra/images").glob("*.png"))[::every]):
        gray = np.asarray(Image.open(image).convert("L").resize(shape[::-1], Image.Resampling.BILINEAR))
        cases.append(Case(gray, nothing, OTHER_ORGAN, f"nerve {number}"))
    for frame in _sweep(path.parents[1] / "cine/liver_sweep.mp4", sweep_frames):
        factors = shape[0] / frame.shape[0], shape[1] / frame.shape[1]
        cases.append(Case(_as_frame(zoom(frame.astype(np.float32), factors, order=1)), nothing, OTHER_ORGAN, "liver"))
    return cases


def _sweep(path: Path, frames: int) -> Iterator[NDArray[np.generic]]:
    """Yield frames evenly spread over a cine, as gray ``(Y, X)``."""
    cine = sc.open_cine(path)
    for number in np.linspace(0, len(cine) - 1, frames).round().astype(int):
        frame = np.asarray(cine[int(number)])
        yield frame.mean(2) if frame.ndim == 3 else frame


def _as_frame(values: NDArray[np.floating]) -> Frame:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
