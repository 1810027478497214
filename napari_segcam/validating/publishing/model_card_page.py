"""The model card for readers: what a run says of its network, in parts that a page or a file can show."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from napari_segcam.number_format import UNDEFINED, counted, score
from napari_segcam.reporting.report.document import RESEARCH_ONLY
from napari_segcam.reporting.report.text import plain, printable, words
from napari_segcam.statistics.interval import FEW_CASES
from napari_segcam.validating.criteria.checking import FAIL
from napari_segcam.validating.failures.doubt_curve import doubt_text
from napari_segcam.validating.failures.kinds import kinds
from napari_segcam.validating.figures import reasons_text
from napari_segcam.validating.pages.words import summary_text
from napari_segcam.validating.publishing.material import Material
from napari_segcam.validating.subgroups import worst_of
from napari_segcam.validating.summaries import Summary

TO_WRITE = "To be written by the author."
_NETWORK = ("architecture", "encoder", "checkpoint", "sha256", "classes", "classes_overlap", "precision")
_CARD = ("input_channels", "size", "normalization", "threshold", "class_names", "notes")

Fact = tuple[str, str]


@dataclass(frozen=True)
class CardPart:
    """A part of the card.

    Attributes:
        title: of the part.
        facts: names and values.
    """

    title: str
    facts: tuple[Fact, ...]


def card_parts(material: Material) -> list[CardPart]:
    """Return the parts of the card: network, training, use, data, performance, failures and limits.

    What no run can know is marked ``TO_WRITE``, and nothing is made up for it.

    Args:
        material: the validated run.
    """
    parts = (
        ("Network", _network(material)),
        ("Training", _training(material)),
        ("Intended use", [(name, TO_WRITE) for name in ("Users", "Purpose", "Not to be used for")]),
        ("Data of this validation", _data(material)),
        ("Performance", _performance(material)),
        ("Subgroups", _subgroups(material)),
        ("Failures and doubt", _failures(material)),
        ("Limits", _limits(material)),
        ("Ethics and risks", [("", TO_WRITE)]),
    )
    return [CardPart(title, tuple(facts)) for title, facts in parts]


def card_markdown(parts: Sequence[CardPart], name: str) -> str:
    """Return the card as Markdown.

    Args:
        parts: of the card.
        name: of the network.
    """
    lines = [f"# Model card: {_escaped(name)}", "", f"{RESEARCH_ONLY}.", ""]
    for part in parts:
        lines += [f"## {part.title}", ""]
        lines += [f"- {f'**{_escaped(title)}**: ' if title else ''}{_escaped(text)}" for title, text in part.facts]
        lines.append("")
    return "\n".join(lines)


def network_name(material: Material) -> str:
    """Return what the network is called: the name of its checkpoint."""
    return plain(material.model.get("checkpoint"))


def _network(material: Material) -> Iterator[Fact]:
    for name in _NETWORK:
        if material.model.get(name) is not None:
            yield words(name).capitalize().replace("Sha256", "Weights (SHA-256)"), plain(material.model[name])
    if material.members:
        yield "Members", counted(material.members, "network")
    card = material.model.get("model_card")
    for name in _CARD:
        if isinstance(card, dict) and plain(card.get(name)) != UNDEFINED:
            yield words(name).capitalize(), plain(card[name])
    made = plain(material.run.settings.get("napari_segcam"))
    yield "Run made by", f"napari-segcam {made}, {plain(material.run.settings.get('started'))}"


def _training(material: Material) -> Iterator[Fact]:
    files = "weights of its members" if material.members else "weights of the network"
    yield "", f"The run has the {files}, and not how they were trained."
    for name in ("Training data", "Partitions", "Augmentation and settings", "Choice of the final weights"):
        yield name, TO_WRITE


def _data(material: Material) -> Iterator[Fact]:
    run, assigned = material.run, material.validation.assigned
    source = run.part("data").get("source")
    if source and not material.anonymous:
        yield "Read from", plain(source)
    frames = sum(image.frames for image in run.images)
    truths = sum(image.truth is not None for image in run.images)
    failed = f"; {len(run.failures)} could not be explained" if run.failures else ""
    yield "Images", f"{counted(len(run.images), 'image')}, {counted(frames, 'frame')}{failed}"
    yield "Cases", f"{counted(len(assigned.names), 'case')}. {assigned.how}"
    yield "Truth", f"for {truths} of {counted(len(run.images), 'image')}"
    if material.attributes:
        yield "Known of the cases", ", ".join(material.attributes)
    for name in ("Origin, dates and eligibility", "Patients", "Reference standard"):
        yield name, TO_WRITE


def _performance(material: Material) -> Iterator[Fact]:
    several = len({one.class_name for one in material.measured}) > 1
    for one in material.measured:
        without = f"; undefined: {reasons_text(one.undefined)}" if one.undefined else ""
        yield _title(one, several), f"{summary_text(one)}{without}"
    if not material.measured:
        yield "", "Nothing was compared with a true mask, so no performance is known."
    for row in material.validation.criteria:
        yield f"Criterion {row['criterion']}", str(row["outcome"])


def _subgroups(material: Material) -> Iterator[Fact]:
    several = len({one.class_name for one in material.measured}) > 1
    found = False
    for one in material.measured:
        worst = worst_of(material.validation.groups, one.metric.name, one.class_name)
        if worst is not None:
            found = True
            yield f"Worst, {_title(one, several)}", f"{worst.name}: {summary_text(worst.summary)}"
    if not found:
        yield "", "No subgroups with enough cases, or none that differ."


def _failures(material: Material) -> Iterator[Fact]:
    analysis = material.analysis
    for name in analysis.classes:
        cases = [one for one in analysis.of_class(name) if one.kind is not None]
        counts = [(kind.title.lower(), sum(one.kind == kind.name for one in cases)) for kind in kinds(analysis.limits)]
        listed = ", ".join(f"{count} {title}" for title, count in counts if count)
        yield f"Cases of {name}", f"{counted(len(cases), 'case')}: {listed}" if cases else "nobody can say"
    for curve in material.curves:
        yield f"Doubt, {curve.class_name}", doubt_text(curve)
    if not material.curves:
        yield "Doubt", "Not measured, or in too few cases with a Dice."
    for row in material.validation.shortcuts:
        if material.anonymous:
            break
        effect = score(row["overlay_effect"])
        yield "Burned-in graphics", f"change the mask of {row['class']} in {row['case']} by {effect} (1 − Dice)"


def _limits(material: Material) -> Iterator[Fact]:
    assigned = material.validation.assigned
    yield "", f"{RESEARCH_ONLY}. The figures are of these cases, and say nothing of others."
    yield "", "Whether these cases are apart from those of the training is not known to the run."
    if assigned.assumed:
        yield (
            "Cases",
            "If a patient has several files, the intervals are too narrow: nothing says which belong together.",
        )
    if assigned.duplicates:
        yield "Duplicates", "Identical images are in several cases, so some patients may count more than once."
    if assigned.missing:
        yield "Missing cases", f"{counted(len(assigned.missing), 'case')} of the list without an image in the run"
    few = [one.metric.title for one in material.measured if one.cases < FEW_CASES]
    if few:
        yield "Few cases", f"fewer than {FEW_CASES} cases have: {', '.join(dict.fromkeys(few))}"
    failed = [str(row["criterion"]) for row in material.validation.criteria if row["outcome"] == FAIL]
    if failed:
        yield "Criteria that fail", "; ".join(failed)
    if not material.attributes:
        yield "Subgroups", "Nothing is known of scanners or patients, so no difference between them can be seen."
    yield "Limits of the study", TO_WRITE


def _title(one: Summary, several: bool) -> str:
    return f"{one.metric.title} of {one.class_name}" if several else one.metric.title


def _escaped(text: str) -> str:
    """Return a text whose signs mean nothing in Markdown, on one line."""
    return re.sub(r"([\\`*_\[\]<>#|])", r"\\\1", printable(" ".join(text.split())))
