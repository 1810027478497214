"""The perturbations that there are, and which of them a text asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from napari_segcam.errors import SegcamError
from napari_segcam.perturbing import echoes, pixels
from napari_segcam.perturbing.movements import Cropping, Rotation
from napari_segcam.perturbing.perturbation import Perturbation
from napari_segcam.perturbing.shares import on_shares

_LOG = f"The display is taken to show {echoes.DYNAMIC_RANGE:g} dB from black to white, as logarithms of the echoes"

PERTURBATIONS: Mapping[str, Perturbation] = {
    one.name: one
    for one in (
        Perturbation(
            "gain",
            "Gain",
            "dB",
            (-3, 3, -6, 6, -12, 12),
            (-60, 60),
            f"All echoes are so many decibels stronger or weaker; black stays black. {_LOG} (Dutt and Greenleaf 1996).",
            on_shares(echoes.gain),
        ),
        Perturbation(
            "contrast",
            "Dynamic range",
            "dB",
            (-10, 10, -20, 20, -30, 30),
            (-55, 120),
            f"The display shows so many decibels more or fewer; white and black stay. {_LOG} (Dutt and Greenleaf "
            "1996).",
            on_shares(echoes.contrast),
        ),
        Perturbation(
            "speckle",
            "Speckle noise",
            "dB SNR",
            (30, 20, 15, 10, 6),
            (echoes.STRONGEST_SPECKLE, 80),
            "The echoes are multiplied by correlated noise of Rayleigh's distribution, mixed with 1 so that its mean "
            "by its standard deviation is so many decibels; 5.6 dB is fully developed speckle (Burckhardt 1978). Less "
            "is stronger.",
            on_shares(echoes.speckle),
            falls=True,
        ),
        Perturbation(
            "blur",
            "Blur",
            "mm",
            (0.5, 1, 2),
            (0, 50),
            "The frame is smoothed by a Gaussian of this standard deviation, in mm, or in px where a frame is not "
            "calibrated.",
            on_shares(pixels.blur),
            other_unit="px",
        ),
        Perturbation(
            "shadow",
            "Shadow",
            "dB",
            (5, 10, 20, 40),
            (0, 60),
            f"{echoes.SHADOW_WIDTH:g} % of the width lose so many decibels from the top to the bottom, with soft "
            "edges, at a random place in the middle.",
            on_shares(echoes.shadow),
        ),
        Perturbation(
            "shadow_width",
            "Width of a shadow",
            "% of the width",
            (5, 10, 20, 40),
            (0, 100),
            f"So much of the width loses {echoes.SHADOW_LOSS:g} dB from the top to the bottom, with soft edges, at a "
            "random place in the middle.",
            on_shares(echoes.shadow_width),
        ),
        Perturbation(
            "rotation",
            "Rotation",
            "°",
            (-5, 5, -10, 10, -20, 20),
            (-180, 180),
            "The frame is turned counterclockwise about its middle; the true mask is turned alike.",
            movement=Rotation(),
        ),
        Perturbation(
            "crop",
            "Crop",
            "% of the sides",
            (5, 10, 20, 40),
            (0, 90),
            "So much of the height and of the width is cut off, half of it on each side; the true mask is cut alike, "
            "and figures are of the remaining pixels.",
            movement=Cropping(),
        ),
        Perturbation(
            "jpeg",
            "JPEG quality",
            "",
            (90, 70, 50, 30, 10),
            (1, 95),
            "The frame is compressed by JPEG of this quality. Less is stronger.",
            on_shares(pixels.jpeg),
            falls=True,
            whole=True,
        ),
        Perturbation(
            "resolution",
            "Resolution",
            "times coarser",
            (2, 3, 4, 8),
            (1, 64),
            "The frame is made so many times smaller and enlarged again.",
            on_shares(pixels.resolution),
        ),
        Perturbation(
            "graphics",
            "Burned-in graphics",
            "marks",
            (1, 2, 4, 8),
            (1, 200),
            "So many white marks, as of calipers, are drawn at random places.",
            pixels.graphics,
            whole=True,
        ),
    )
}
"""By name. Each says what its strengths mean."""


def find_perturbations(
    names: Sequence[str] = (), strengths: Mapping[str, Sequence[float]] | None = None
) -> dict[str, tuple[float, ...]]:
    """Return the strengths of each chosen perturbation, from weak to strong, without 0 and without repetition.

    Args:
        names: of perturbations; empty for those of ``strengths``, or else for all.
        strengths: by name, instead of the usual ones.

    Raises:
        SegcamError: if a name or a strength is unknown, or none remains.
    """
    given = dict(strengths or {})
    chosen = list(dict.fromkeys(names)) or list(given) or list(PERTURBATIONS)
    for name in (*chosen, *given):
        if name not in PERTURBATIONS:
            raise SegcamError(f"There is no perturbation {name!r}. Choose from: {', '.join(PERTURBATIONS)}.")
    if unused := sorted(set(given) - set(chosen)):
        raise SegcamError(f"There are strengths of {unused[0]}, which is not among the chosen perturbations.")
    found = {}
    for name in chosen:
        perturbation = PERTURBATIONS[name]
        wanted = [float(value) for value in dict.fromkeys(given.get(name, perturbation.strengths)) if value != 0]
        for value in wanted:
            perturbation.check(value)
        if not wanted:
            raise SegcamError(f"There is no strength of {name} besides 0, which is no perturbation.")
        found[name] = tuple(sorted(wanted, key=lambda value: (perturbation.damage(value), value)))
    return found


def parse_strengths(text: str) -> dict[str, tuple[float, ...]]:
    """Return the strengths of a text such as ``gain=-6,6;jpeg=50,20``.

    Raises:
        SegcamError: if it is not understood.
    """
    found = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        name, _, numbers = part.partition("=")
        try:
            values = tuple(float(number) for number in numbers.split(","))
        except ValueError:
            values = ()
        if not values or not all(abs(value) < float("inf") for value in values):
            raise SegcamError(
                f"The strengths {part!r} are not understood: give a name and numbers, such as gain=-6,6;jpeg=50,20."
            )
        found[name.strip()] = values
    return found
