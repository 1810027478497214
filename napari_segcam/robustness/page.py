"""The page of a run: what it says in words first, then curves, figures, definitions and provenance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from napari_segcam.files import safe_name
from napari_segcam.number_format import UNDEFINED, counted, score
from napari_segcam.perturbing.catalog import PERTURBATIONS
from napari_segcam.reporting.report.document import (
    RESEARCH_ONLY,
    Block,
    Bullets,
    Document,
    Facts,
    Paragraph,
    Plot,
    Section,
    Table,
)
from napari_segcam.reporting.report.text import plain, words
from napari_segcam.robustness.frame_meter import TRUTH
from napari_segcam.robustness.heat_stability import HOTTEST
from napari_segcam.robustness.plots import plot_curve
from napari_segcam.robustness.summary import RULE, StrengthSummary, curves
from napari_segcam.robustness.words import sentences
from napari_segcam.statistics.interval import RESAMPLES, Interval

Plots = Mapping[str, Plot]

_READING = (
    "Each frame is perturbed by known strengths, and the network segments it again. Masks are compared with the true "
    "mask where there is one, and else with the mask of the unperturbed frame. Beside the mask, the heatmap of one "
    "stage is compared with that of the unperturbed frame: by Spearman's rank correlation over all pixels that both "
    f"show, and by the Dice of their hottest {HOTTEST:.0%} of the pixels, which is about {HOTTEST:g} for unrelated "
    "maps. A mask that stays and a heatmap that changes say that the network finds the same by other evidence, or that "
    "the heatmap is not to be relied on. Intervals are 95 % bootstrap intervals over cases: whole cases are drawn "
    f"{RESAMPLES:,} times, never frames. They are not adjusted for the number of perturbations."
)


def plots_of(summaries: Sequence[StrengthSummary]) -> dict[str, Plot]:
    """Return the curve of each class, reference, perturbation and unit, by the name of its file."""
    found: dict[str, Plot] = {}
    groups = curves(summaries)
    classes = {one.class_name for one in summaries}
    for (class_name, against, name, unit), points in groups.items():
        parts = [name]
        if sum(key[0] == class_name and key[2] == name and key[3] != unit for key in groups):
            parts.append(unit)
        if sum(key[0] == class_name and key[2] == name and key[1] != against for key in groups):
            parts.append("truth" if against == TRUTH else "unperturbed")
        if len(classes) > 1:
            parts.append(class_name)
        of_class = f" Class {class_name}." if len(classes) > 1 else ""
        cases = counted(max(one.cases for one in points), "case")
        caption = f"{PERTURBATIONS[name].definition}{of_class} Medians over {cases}; bars are 95 % intervals."
        found[safe_name("-".join(parts))] = plot_curve(name, points, caption)
    return found


def page_of(
    summaries: Sequence[StrengthSummary],
    plots: Plots,
    settings: Mapping[str, Any],
    errors: Mapping[str, str],
    written: datetime,
) -> Document:
    """Return the content of ``robustness.html``.

    Args:
        summaries: of the run.
        plots: its curves.
        settings: as in ``robustness.json``.
        errors: of images that could not be measured, by name.
        written: date and time.
    """
    front: list[Block] = [
        Paragraph(f"{RESEARCH_ONLY}.", warning=True),
        Bullets(tuple(("", sentence) for sentence in sentences(summaries))),
        Facts(_facts(summaries, settings, errors, written)),
    ]
    sections = [
        Section("curves", "Curves", list(plots.values())),
        Section("figures", "Figures", [_table(summaries)]),
        Section("reading", "How to read this", [Paragraph(_READING), Paragraph(RULE), _definitions(settings)]),
    ]
    if errors:
        table = Table(
            ("image", "why"), tuple(errors.items()), frozenset({"image", "why"}), "Images that could not be measured."
        )
        sections.append(Section("errors", "Errors", [table]))
    sections.append(Section("provenance", "Provenance", [_provenance(settings)]))
    return Document("Robustness", plain(settings["model"].get("checkpoint")), front, sections)


def _facts(
    summaries: Sequence[StrengthSummary], settings: Mapping[str, Any], errors: Mapping[str, str], written: datetime
) -> tuple[tuple[str, str], ...]:
    model = settings["model"]
    cases = max((one.cases for one in summaries), default=0)
    network = " with ".join(str(model[key]) for key in ("architecture", "encoder") if model.get(key))
    return (
        ("Network", f"{plain(model.get('checkpoint'))}, {network}, threshold {model['used_threshold']:g}"),
        ("Network (SHA-256)", plain(model.get("sha256"))),
        ("Measured", f"{counted(len(settings['images']), 'image')}; {counted(cases, 'case')}"),
        *((("Failed", counted(len(errors), "image")),) if errors else ()),
        ("Heatmap", f"{settings['method']}, {settings['stage'] or 'the stage that is shown first in each frame'}"),
        ("Seed", str(settings["seed"])),
        ("Written", written.isoformat(" ", "minutes")),
    )


def _table(summaries: Sequence[StrengthSummary]) -> Table:
    classes, references = {one.class_name for one in summaries}, {one.against for one in summaries}
    has_classes, has_references = len(classes) > 1, len(references) > 1  # else these columns take room and say nothing
    columns = (
        *(("class",) if has_classes else ()),
        *("perturbation", "strength", "unit"),
        *(("against",) if has_references else ()),
        *("cases", "Dice", "95 % interval", "change", "95 % interval of the change", "detected", "false masks"),
        *("heatmap correlation", "hottest tenth"),
    )
    rows = tuple(
        (
            *((one.class_name,) if has_classes else ()),
            one.perturbation,
            f"{one.strength:g}",
            one.unit or UNDEFINED,
            *((one.against,) if has_references else ()),
            str(one.cases),
            score(one.dice.value),
            _ends(one.dice),
            UNDEFINED if one.dice_difference.value is None else f"{one.dice_difference.value:+.3f}",
            _ends(one.dice_difference),
            score(one.detected.value),
            score(one.false_masks.value),
            score(one.heatmap_correlation.value),
            score(one.heatmap_overlap.value),
        )
        for one in summaries
    )
    text_columns = frozenset({"class", "perturbation", "unit", "against"})
    caption = "Medians over cases; more is in robustness_summary.csv."
    if not has_references:
        caption = f"Masks beside the {'true' if references == {TRUTH} else 'unperturbed'} ones. {caption}"
    return Table(columns, rows, text_columns, caption, sortable=True)


def _ends(interval: Interval) -> str:
    return UNDEFINED if interval.low is None or interval.high is None else f"{interval.low:.3f} to {interval.high:.3f}"


def _definitions(settings: Mapping[str, Any]) -> Bullets:
    chosen = [PERTURBATIONS[name] for name in settings["perturbations"]]
    return Bullets(tuple((one.title, one.definition) for one in chosen))


def _provenance(settings: Mapping[str, Any]) -> Facts:
    options = {name: value for name, value in settings.items() if name not in ("model", "versions", "images")}
    parts = {"Network": settings["model"], "Option": options, "Version": settings["versions"]}
    return Facts(
        tuple(
            (f"{title}: {words(str(name))}", plain(value))
            for title, part in parts.items()
            for name, value in part.items()
        )
    )
