from __future__ import annotations

import numpy as np
from made_explanations import SHAPE, explanation, heatmap, ramp

from napari_segcam.explanation.emptiness import Reason
from napari_segcam.reporting.figures import display, fit_to_tile, with_heat, with_outline
from napari_segcam.reporting.layout import Tile, draw_sheet
from napari_segcam.reporting.sheets import class_colors, comparison_sheet, explanation_sheet

PICTURE = display(np.random.default_rng(0).integers(0, 255, SHAPE, dtype=np.uint8))


def holds(sheet: np.ndarray, picture: np.ndarray) -> bool:
    """Whether a picture stands somewhere in a sheet, pixel for pixel."""
    height, width = picture.shape[:2]
    windows = np.lib.stride_tricks.sliding_window_view(sheet[..., 0], (1, width))[: sheet.shape[0] - height + 1]
    rows, columns = np.nonzero((windows[:, :, 0] == picture[0, :, 0]).all(-1))
    return any(
        np.array_equal(sheet[y : y + height, x : x + width], picture) for y, x in zip(rows, columns, strict=True)
    )


def test_a_sheet_shows_frame_and_every_stage() -> None:
    found = explanation({"encoder_5": heatmap(ramp()), "x": heatmap(ramp(6, 8), name="x")})
    drawn = explanation_sheet(PICTURE, found, title="clip.dcm, frame 3")
    assert holds(drawn, fit_to_tile(PICTURE))
    for one in found.heatmaps.values():
        assert holds(drawn, fit_to_tile(with_outline(with_heat(PICTURE, one.on_frame()), found.mask)))


def test_a_comparison_has_methods_across_and_stages_down() -> None:
    several = [
        explanation({"encoder_5": heatmap(ramp(highest=h)), "x": heatmap(ramp(6, 8), name="x")}, method=method)
        for h, method in ((2, "gradcam"), (3, "layercam"), (4, "hirescam"))
    ]
    one, three = comparison_sheet(PICTURE, several[:1]), comparison_sheet(PICTURE, several)
    tile = draw_sheet([[Tile("", fit_to_tile(PICTURE))]]).shape
    assert three.shape[0] > 3 * (tile[0] - 40), "frame and mask, and two stages"
    assert three.shape[1] > one.shape[1]


def test_an_empty_map_is_words_on_a_dimmed_frame() -> None:
    empty = heatmap(np.zeros((3, 4)), reason=Reason.EMPTY_REGION)
    found = explanation({"encoder_5": empty})
    assert not holds(explanation_sheet(PICTURE, found), fit_to_tile(with_outline(PICTURE, found.mask)))


def test_a_method_may_lack_a_stage() -> None:
    both = [
        explanation({"encoder_5": heatmap(ramp())}),
        explanation({"input": heatmap(ramp(6, 8), name="input")}, method="occlusion"),
    ]
    assert comparison_sheet(PICTURE, both).shape[0] > comparison_sheet(PICTURE, both[:1]).shape[0]


def test_colors_are_those_of_the_card_without_the_background() -> None:
    maps = {"encoder_5": heatmap(ramp())}
    assert class_colors(explanation(maps, class_colors=("#ff0000",))) == ("#ff0000",)
    two = explanation(maps, class_names=("background", "lesion"), class_colors=("#000000", "#00ff00"), class_index=1)
    assert class_colors(two) == ("#00ff00",)
    assert class_colors(explanation(maps)) == ()
