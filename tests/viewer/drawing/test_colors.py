"""Heat is drawn in uniform colors, words can be read in both themes, and no two states differ in hue alone."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from napari.utils.colormaps import ensure_colormap
from napari.utils.theme import get_theme
from qtpy.QtGui import QColor

from napari_segcam.heat_colormaps import DEFAULT_COLORMAP, OTHER_COLORMAPS, UNIFORM_COLORMAPS
from napari_segcam.reporting.overlay_style import OverlayStyle
from napari_segcam.viewer.drawing.colormaps import COLORMAP_LABELS, COLORMAPS
from napari_segcam.viewer.drawing.theme_colors import HIGHLIGHTS, ON_PLATE, PLATE, QUIET_ON_PLATE, QUIETS
from napari_segcam.viewer.second_checkpoint.second_layers import _COLOR_A, COLOR_B
from napari_segcam.viewer.strip import frame_marks, verdict_row
from napari_segcam.viewer.strip.strip_widget import _COLORS

# Deuteranopia, for linear RGB: Machado, Oliveira and Fernandes (2009), doi:10.1109/TVCG.2009.113, severity 1.0.
DEUTERANOPIA = np.array(
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
)
LEAST_CONTRAST = 4.5  # of text, WCAG 2.1, level AA
VISIBLE = 10.0  # CIELAB ΔE; about 2.3 is just noticeable


def linear(colors: np.ndarray) -> np.ndarray:
    """Return linear RGB of sRGB 0–1 (IEC 61966-2-1)."""
    return np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)


def as_deuteranope(colors: np.ndarray) -> np.ndarray:
    """Return linear RGB as a deuteranope sees it."""
    return np.clip(linear(colors) @ DEUTERANOPIA.T, 0, 1)


def lab(rgb: np.ndarray) -> np.ndarray:
    """Return CIELAB of linear RGB, for the white point D65."""
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    relative = rgb @ to_xyz.T / to_xyz.sum(1)
    f = np.where(relative > (6 / 29) ** 3, np.cbrt(relative), relative / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = np.moveaxis(f, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


def lightness_steps(name: str, *, deuteranope: bool) -> np.ndarray:
    colors = np.array(ensure_colormap(name).map(np.linspace(0, 1, 64)))[:, :3]
    return np.diff(lab(as_deuteranope(colors) if deuteranope else linear(colors))[:, 0])


def parts(color: QColor | str | tuple[int, ...]) -> np.ndarray:
    given = QColor(*color) if isinstance(color, tuple) else QColor(color)
    return np.array([given.redF(), given.greenF(), given.blueF()])


def contrast(first: QColor | str | tuple[int, ...], second: QColor | str | tuple[int, ...]) -> float:
    darker, lighter = sorted(float(linear(parts(each)) @ [0.2126, 0.7152, 0.0722]) for each in (first, second))
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("deuteranope", [False, True])
@pytest.mark.parametrize("name", UNIFORM_COLORMAPS)
def test_lightness_rises_evenly_in_uniform_colormaps(name: str, deuteranope: bool) -> None:
    steps = lightness_steps(name, deuteranope=deuteranope)
    assert steps.min() > 0
    assert steps.max() < 1.7 * steps.mean()
    assert steps.sum() > 70


@pytest.mark.parametrize("name", OTHER_COLORMAPS)
def test_other_colormaps_are_uneven_and_say_so(name: str) -> None:
    steps = lightness_steps(name, deuteranope=False)
    assert steps.min() <= 0 or steps.max() > 1.7 * steps.mean()
    assert (f"{name} (not uniform)", name) in COLORMAP_LABELS


def test_a_uniform_colormap_is_the_default() -> None:
    assert DEFAULT_COLORMAP in UNIFORM_COLORMAPS
    assert COLORMAPS[0] == DEFAULT_COLORMAP == OverlayStyle().colormap


@pytest.mark.parametrize(("theme", "index"), [("dark", 0), ("light", 1)])
def test_words_can_be_read_in_both_themes(theme: str, index: int) -> None:
    background = get_theme(theme).background.as_rgb_tuple()
    field = get_theme(theme).foreground.as_rgb_tuple()
    for color in (HIGHLIGHTS[index], QUIETS[index]):
        assert contrast(color, background) >= LEAST_CONTRAST
        assert contrast(color, field) >= LEAST_CONTRAST
        assert contrast(color, get_theme("light" if theme == "dark" else "dark").background.as_rgb_tuple()) < 3


def test_words_and_curves_on_the_strip_can_be_read() -> None:
    for color in (ON_PLATE, QUIET_ON_PLATE, *_COLORS):
        assert contrast(color, PLATE) >= LEAST_CONTRAST


def test_letters_of_verdicts_can_be_read() -> None:
    for style in verdict_row.STYLES.values():
        assert contrast(verdict_row.letter_color(style), style.color) >= LEAST_CONTRAST


def test_verdicts_differ_in_letter_and_height_too() -> None:
    styles = verdict_row.STYLES.values()
    assert len({style.letter for style in styles}) == len({style.height for style in styles}) == len(styles)


def test_states_of_frames_differ_for_a_deuteranope_and_in_their_shape() -> None:
    styles = list(frame_marks.STYLES.values())
    for first, second in combinations(styles, 2):
        seen = lab(as_deuteranope(np.array([parts(first.color), parts(second.color)])))
        distance = float(np.linalg.norm(seen[0] - seen[1]))
        assert distance > VISIBLE, (first, second, distance)
        assert (first.height, first.gaps) != (second.height, second.gaps)


def test_a_and_b_differ_for_a_deuteranope() -> None:
    seen = lab(as_deuteranope(np.array([parts(_COLOR_A), parts(COLOR_B)])))
    assert np.linalg.norm(seen[0] - seen[1]) > 2 * VISIBLE
