"""Sheets: the explanations of a frame at a glance, with the notes that are needed to read them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from napari_segcam.explanation.explanation import Explanation, Heatmap
from napari_segcam.explanation.stage_maps import find_method
from napari_segcam.number_format import percent
from napari_segcam.reporting.correction import Correction, explained_mask
from napari_segcam.reporting.figures import Picture, correction_colors, fit_to_tile, with_heat, with_mask, with_outline
from napari_segcam.reporting.heat_scale import heatmap_scale
from napari_segcam.reporting.layout import Bar, Tile, draw_sheet, in_rows, with_message
from napari_segcam.reporting.overlay_style import OverlayStyle
from napari_segcam.reporting.overlays import RESEARCH_ONLY, SCALE_NOTE, empty_message

_DEFAULT_STYLE = OverlayStyle()


def explanation_sheet(
    picture: Picture,
    explanation: Explanation,
    style: OverlayStyle = _DEFAULT_STYLE,
    *,
    title: str = "",
    correction: Correction | None = None,
) -> Picture:
    """Return a sheet of the frame, its mask, and each stage's heatmap over the frame with the mask's outline.

    Args:
        picture: the frame ``(Y, X, 3)``, as returned by ``display``.
        explanation: of that frame.
        style: colormap and opacity.
        title: of the frame; method and class are added to it.
        correction: of the frame, if a reader painted one.
    """
    tiles = _input_tiles(picture, explanation, correction)
    for name, heatmap in explanation.heatmaps.items():
        tiles.append(
            _stage_tile(f"{name} (stride {heatmap.stage.stride})", picture, explanation, heatmap, style, correction)
        )
    heading = [title, find_method(explanation.method).title, explained_classes(explanation)]
    return draw_sheet(
        in_rows(tiles),
        title=_joined(heading),
        bars=_bars([explanation], style),
        notes=(*_facts(explanation), SCALE_NOTE, RESEARCH_ONLY),
    )


def comparison_sheet(
    picture: Picture,
    explanations: Sequence[Explanation],
    style: OverlayStyle = _DEFAULT_STYLE,
    *,
    title: str = "",
    correction: Correction | None = None,
) -> Picture:
    """Return a sheet of several explanations of one class in one frame.

    Each method is a column and each stage a row; frame and mask are above them. A cell is empty where a method does not
    explain a stage.

    Args:
        picture: the frame ``(Y, X, 3)``, as returned by ``display``.
        explanations: of that frame, one per method.
        style: colormap and opacity.
        title: of the frame; the class is added to it.
        correction: of the frame, if a reader painted one.
    """
    first = explanations[0]
    stages = {name: heatmap.stage for each in explanations for name, heatmap in each.heatmaps.items()}
    rows: list[list[Tile | None]] = [[*_input_tiles(picture, first, correction)]]
    for name in stages:
        rows.append(
            [
                _stage_tile(find_method(each.method).title, picture, each, each.heatmaps[name], style, correction)
                if name in each.heatmaps
                else None
                for each in explanations
            ]
        )
    return draw_sheet(
        rows,
        title=_joined([title, class_name_of(first)]),
        row_captions=["", *(f"{name}\n{stage.kind}, stride {stage.stride}" for name, stage in stages.items())],
        bars=_bars(explanations, style),
        notes=(*_facts(first), SCALE_NOTE, RESEARCH_ONLY),
    )


def class_name_of(explanation: Explanation) -> str:
    """Return the name of the explained class."""
    return explanation.class_names[explanation.target.class_index or 0]


def explained_classes(explanation: Explanation) -> str:
    """Return the name of the explained class, and of those that it is explained against: ``"lesion against cyst"``."""
    others = other_classes(explanation)
    return f"{class_name_of(explanation)} against {others}" if others else class_name_of(explanation)


def other_classes(explanation: Explanation) -> str:
    """Return the names of the classes that a class is explained against; empty where classes are not compared."""
    return " and ".join(explanation.class_names[index] for index in explanation.target.reference_classes)


def class_colors(explanation: Explanation) -> tuple[str, ...]:
    """Return ``#rrggbb`` of the labels 1, 2, … from the model card; empty if it has no colors."""
    colors = tuple(explanation.provenance.get("model_card", {}).get("class_colors") or ())
    return colors[1:] if explanation.has_background else colors  # the background is not drawn


def outline_colors(explanation: Explanation, correction: Correction | None) -> tuple[str, ...]:
    """Return ``#rrggbb`` of the labels 1, 2, … of the mask that is outlined."""
    colors = class_colors(explanation)
    if correction is None or not correction.is_explained:
        return colors
    return correction_colors(colors, int(correction.labels.max()))


def _input_tiles(picture: Picture, explanation: Explanation, correction: Correction | None) -> list[Tile]:
    pixel_aspect = explanation.segmentation.geometry.pixel_aspect
    tiles = [Tile("frame", fit_to_tile(picture, pixel_aspect=pixel_aspect))]
    if explanation.no_mask is None:
        masked = with_mask(picture, explanation.display_mask, class_colors(explanation))
        share = np.count_nonzero(explanation.target_mask) / explanation.mask.size
        extent = f"{percent(share)} of the frame" if share else "not found"
        name = "mask" if correction is None else "predicted mask"
        tiles.append(
            Tile(name, fit_to_tile(masked, pixel_aspect=pixel_aspect), f"{class_name_of(explanation)}: {extent}")
        )
    if correction is not None:
        colors = correction_colors(class_colors(explanation), int(correction.labels.max()))
        share = np.count_nonzero(correction.labels) / correction.labels.size
        tiles.append(
            Tile(
                "reader's correction",
                fit_to_tile(with_mask(picture, correction.labels, colors), pixel_aspect=pixel_aspect),
                f"{percent(share)} of the frame, {'explained' if correction.is_explained else 'not explained'}",
            )
        )
    return tiles


def _stage_tile(
    caption: str,
    picture: Picture,
    explanation: Explanation,
    heatmap: Heatmap,
    style: OverlayStyle,
    correction: Correction | None,
) -> Tile:
    mask, colors = explained_mask(explanation, correction), outline_colors(explanation, correction)
    pixel_aspect = heatmap.geometry.pixel_aspect
    if heatmap.reason is not None:
        without_heat = fit_to_tile(with_outline(picture, mask, colors), pixel_aspect=pixel_aspect)
        return Tile(caption, with_message(without_heat, empty_message(heatmap.reason)), "empty")
    heated = with_heat(picture, heatmap.on_frame(), style.colormap, style.opacity, signed=heatmap.signed)
    tile = fit_to_tile(with_outline(heated, mask, colors), pixel_aspect=pixel_aspect)
    return Tile(caption, tile, str(heatmap_scale(heatmap)))


def _bars(explanations: Iterable[Explanation], style: OverlayStyle) -> list[Bar]:
    """Return a color bar for the maps that are never negative, and one for signed maps, as needed."""
    signs = {heatmap.signed for each in explanations for heatmap in each.heatmaps.values() if heatmap.reason is None}
    bars = {
        False: Bar(style.colormap, "least heat of a map", "most"),
        True: Bar(style.colormap, "against the class", "for it (signed methods; no color: neither)", signed=True),
    }
    return [bars[sign] for sign in sorted(signs)]


def _facts(explanation: Explanation) -> list[str]:
    """Return what was explained and by which network, as lines of text."""
    provenance = explanation.provenance
    checkpoint, sha256 = provenance.get("checkpoint"), provenance.get("sha256") or ""
    network = f"{checkpoint} ({provenance.get('architecture')}{', SHA-256 ' + sha256[:12] if sha256 else ''})"
    target = explanation.target.as_dict(explanation.class_names)
    facts = [f"Explained: {target['score']} {target['region']!r}. Network: {network}."]
    if explanation.no_mask is not None:
        probability = explanation.class_probabilities[class_name_of(explanation)]
        facts.append(f"No mask: {explanation.no_mask}. {class_name_of(explanation)}: {percent(probability)}.")
    return facts


def _joined(parts: Sequence[str]) -> str:
    return "  ·  ".join(part for part in parts if part)
