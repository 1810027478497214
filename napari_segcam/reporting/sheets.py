"""Sheets: a frame's explanations at a glance, with what one must know to read them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from napari_segcam.explanation.explanation import Explanation, Heatmap
from napari_segcam.explanation.stage_maps import find_method
from napari_segcam.reporting.correction import Correction, outlined
from napari_segcam.reporting.figures import Picture, correction_colors, fitted, with_heat, with_mask, with_outline
from napari_segcam.reporting.heat_scale import own_scale
from napari_segcam.reporting.layout import Bar, Tile, in_rows, lay_out, with_words
from napari_segcam.reporting.overlay_style import OverlayStyle
from napari_segcam.reporting.overlays import OWN_SCALE, RESEARCH_ONLY, empty_words

_DEFAULT_LOOK = OverlayStyle()


def explanation_sheet(
    picture: Picture,
    explanation: Explanation,
    look: OverlayStyle = _DEFAULT_LOOK,
    *,
    title: str = "",
    correction: Correction | None = None,
) -> Picture:
    """The frame, its mask, and every stage's heatmap over the frame with the mask's outline.

    Args:
        picture: the frame ``(Y, X, 3)``, as ``display`` gives it.
        explanation: of that frame.
        look: its colormap and opacity.
        title: what to call the frame; method and class are said anyway.
        correction: of the frame, where a reader has painted one.
    """
    tiles = _input_tiles(picture, explanation, correction)
    for name, heatmap in explanation.heatmaps.items():
        tiles.append(
            _stage_tile(f"{name} (stride {heatmap.stage.stride})", picture, explanation, heatmap, look, correction)
        )
    heading = [title, find_method(explanation.method).title, class_of(explanation)]
    return lay_out(
        in_rows(tiles),
        title=_joined(heading),
        bars=_bars([explanation], look),
        notes=(*_facts(explanation), OWN_SCALE, RESEARCH_ONLY),
    )


def comparison_sheet(
    picture: Picture,
    explanations: Sequence[Explanation],
    look: OverlayStyle = _DEFAULT_LOOK,
    *,
    title: str = "",
    correction: Correction | None = None,
) -> Picture:
    """Several explanations of one class in one frame: methods across, stages down, above them frame and mask.

    A place stays free where a method does not explain a stage.

    Args:
        picture: the frame ``(Y, X, 3)``, as ``display`` gives it.
        explanations: of that frame, one per method.
        look: its colormap and opacity.
        title: what to call the frame; the class is said anyway.
        correction: of the frame, where a reader has painted one.
    """
    first = explanations[0]
    stages = {name: heatmap.stage for one in explanations for name, heatmap in one.heatmaps.items()}
    rows: list[list[Tile | None]] = [[*_input_tiles(picture, first, correction)]]
    for name in stages:
        rows.append(
            [
                _stage_tile(find_method(one.method).title, picture, one, one.heatmaps[name], look, correction)
                if name in one.heatmaps
                else None
                for one in explanations
            ]
        )
    return lay_out(
        rows,
        title=_joined([title, class_of(first)]),
        row_captions=["", *(f"{name}\n{stage.kind}, stride {stage.stride}" for name, stage in stages.items())],
        bars=_bars(explanations, look),
        notes=(*_facts(first), OWN_SCALE, RESEARCH_ONLY),
    )


def class_of(explanation: Explanation) -> str:
    """The name of the explained class."""
    return explanation.class_names[explanation.target.class_index or 0]


def class_colors_of(explanation: Explanation) -> tuple[str, ...]:
    """``#rrggbb`` for the labels 1, 2, … that are drawn, as the model card gives them; empty where it gives none."""
    given = tuple(explanation.provenance.get("model_card", {}).get("class_colors") or ())
    return given[1:] if explanation.has_background else given  # the background is not drawn


def outline_colors(explanation: Explanation, correction: Correction | None) -> tuple[str, ...]:
    """``#rrggbb`` for the labels 1, 2, … of the mask that is outlined."""
    colors = class_colors_of(explanation)
    if correction is None or not correction.is_explained:
        return colors
    return correction_colors(colors, int(correction.labels.max()))


def _input_tiles(picture: Picture, explanation: Explanation, correction: Correction | None) -> list[Tile]:
    pixel_aspect = explanation.segmentation.geometry.pixel_aspect
    tiles = [Tile("frame", fitted(picture, pixel_aspect=pixel_aspect))]
    if explanation.no_mask is None:
        found = with_mask(picture, explanation.display_mask, class_colors_of(explanation))
        share = np.count_nonzero(explanation.target_mask) / explanation.mask.size
        extent = f"{share:.1%} of the frame" if share else "not found"
        name = "mask" if correction is None else "predicted mask"
        tiles.append(Tile(name, fitted(found, pixel_aspect=pixel_aspect), f"{class_of(explanation)}: {extent}"))
    if correction is not None:
        colors = correction_colors(class_colors_of(explanation), int(correction.labels.max()))
        share = np.count_nonzero(correction.labels) / correction.labels.size
        tiles.append(
            Tile(
                "reader's correction",
                fitted(with_mask(picture, correction.labels, colors), pixel_aspect=pixel_aspect),
                f"{share:.1%} of the frame, {'explained' if correction.is_explained else 'not explained'}",
            )
        )
    return tiles


def _stage_tile(
    caption: str,
    picture: Picture,
    explanation: Explanation,
    heatmap: Heatmap,
    look: OverlayStyle,
    correction: Correction | None,
) -> Tile:
    mask, colors = outlined(explanation, correction), outline_colors(explanation, correction)
    pixel_aspect = heatmap.geometry.pixel_aspect
    if heatmap.reason is not None:
        shown = fitted(with_outline(picture, mask, colors), pixel_aspect=pixel_aspect)
        return Tile(caption, with_words(shown, empty_words(heatmap.reason)), "empty")
    heated = with_heat(picture, heatmap.on_frame(), look.colormap, look.opacity, signed=heatmap.signed)
    shown = fitted(with_outline(heated, mask, colors), pixel_aspect=pixel_aspect)
    return Tile(caption, shown, str(own_scale(heatmap)))


def _bars(explanations: Iterable[Explanation], look: OverlayStyle) -> list[Bar]:
    """A color bar for the maps that have one sign, another for those that have two."""
    signs = {heatmap.signed for one in explanations for heatmap in one.heatmaps.values() if heatmap.reason is None}
    bars = {
        False: Bar(look.colormap, "least heat of a map", "most"),
        True: Bar(look.colormap, "against the class", "for it (signed methods; no color: neither)", signed=True),
    }
    return [bars[sign] for sign in sorted(signs)]


def _facts(explanation: Explanation) -> list[str]:
    """What was explained and by which network, in a line."""
    described = explanation.provenance
    checkpoint, sha256 = described.get("checkpoint"), described.get("sha256") or ""
    network = f"{checkpoint} ({described.get('architecture')}{', SHA-256 ' + sha256[:12] if sha256 else ''})"
    target = explanation.target.as_dict()
    facts = [f"Explained: {target['score']} {target['region']!r}. Network: {network}."]
    if explanation.no_mask is not None:
        likelihood = explanation.class_probabilities[class_of(explanation)]
        facts.append(f"No mask: {explanation.no_mask}. {class_of(explanation)}: {likelihood:.1%}.")
    return facts


def _joined(parts: Sequence[str]) -> str:
    return "  ·  ".join(part for part in parts if part)
