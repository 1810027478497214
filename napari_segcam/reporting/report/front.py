"""Front page and provenance: what was run, on which data, and how to run it again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from napari_segcam.number_format import counted, score
from napari_segcam.reporting.report.document import RESEARCH_ONLY, Block, Code, Facts, Paragraph, Section
from napari_segcam.reporting.report.finished_run import FinishedRun
from napari_segcam.reporting.report.measures import Case, Distribution, HeatmapKey
from napari_segcam.reporting.report.text import plain, words

_HIDDEN = "left out of an anonymous report"
_FLAGS = ("preview", "autocast")


def front_blocks(run: FinishedRun, cases: Sequence[Case], keys: Sequence[HeatmapKey], written: datetime) -> list[Block]:
    """Return the first page: the warning, the main figures and the model."""
    model, options = run.part("model"), run.part("options")
    blocks: list[Block] = [
        Paragraph(
            f"{RESEARCH_ONLY}. Heatmaps show what a network used, not what is in the image: see “How to read this "
            "report”.",
            warning=True,
        )
    ]
    if run.missing:
        missing = f"{counted(run.missing, 'image')} {'is' if run.missing == 1 else 'are'}"
        blocks.append(Paragraph(f"The run is unfinished: {missing} missing from all figures.", warning=True))
    names = [list(dict.fromkeys(parts)) for parts in zip(*keys, strict=True)] or [[], [], []]
    facts = [
        (
            "Images",
            f"{len(run.images)} explained" + (f", {len(run.failures)} failed" if run.failures else ", none failed"),
        ),
        ("Frames", str(sum(image.frames for image in run.images))),
        ("Truth", _truth(cases)),
        *((title, ", ".join(each)) for title, each in zip(("Classes", "Methods", "Stages"), names, strict=True)),
        *([("Masks", "one per class: a pixel can have several classes")] if model.get("classes_overlap") else []),
        ("Region explained", plain(options.get("region"))),
        *_dice(cases, names[0]),
        ("Model", _model(model)),
        *_checksums(model),
        ("Run started", _time(run.settings.get("started"))),
        ("Report written", written.isoformat(" ", "minutes")),
    ]
    return [*blocks, Facts(tuple(facts))]


def provenance_section(run: FinishedRun, anonymous: bool) -> Section:
    """Return everything that the results depend on, and the command that repeats the run."""
    data = dict(run.part("data"))
    if anonymous:
        data.update({name: _HIDDEN for name in ("source", "truth", "truth_colors") if data.get(name)})
    facts = [
        *_of_model(run.part("model")),
        *(_prefixed("Setting", run.part("options"))),
        *(_prefixed("Evidence", run.part("evidence"))),
        *(_prefixed("Metrics", run.part("metrics"))),
        *(_prefixed("Data", data)),
        *(_prefixed("Output", run.part("outputs"))),
        *(_prefixed("Computing", run.part("compute"))),
        *(_prefixed("Version", run.part("versions"))),
        ("Run made by", f"napari-segcam {plain(run.settings.get('napari_segcam'))}"),
    ]
    again = Paragraph("To repeat the run with the same weights and data:")
    note = Paragraph(
        "On the same machine with the same versions the figures are the same bit for bit; elsewhere the last digits "
        "may differ.",
        note=True,
    )
    blocks: list[Block] = [Facts(tuple(facts)), again, Code(repeat_command(run, anonymous)), note]
    return Section("provenance", "Provenance", blocks)


def repeat_command(run: FinishedRun, anonymous: bool = False) -> str:
    """Return the ``napari-segcam batch`` command that makes such a run."""
    data, options, model = run.part("data"), run.part("options"), run.part("model")
    parts = ["napari-segcam", "batch", "DATA" if anonymous else str(data.get("source") or "DATA")]
    given = dict(run.part("given")) or {"model": model.get("checkpoint") or "CHECKPOINT"}
    arguments = {**given, "truth": "TRUTH" if anonymous and data.get("truth") else data.get("truth")}
    arguments["truth_colors"] = "COLORS.csv" if data.get("truth_colors") else None
    arguments |= {name: value for name, value in options.items() if name not in _FLAGS}
    arguments["tolerance"] = run.part("metrics").get("tolerance")
    arguments |= _evidence_arguments(run.part("evidence"))
    arguments |= {name: data.get(name) for name in ("num_samples", "seed")} | {"image_size": _image_size(model)}
    overlap = arguments.pop("classes_overlap", None)
    models = arguments.pop("model", None)  # several are an ensemble
    for checkpoint in models if isinstance(models, list) else filter(None, [models]):
        parts += ["--model", str(checkpoint)]
    for name, value in arguments.items():
        text = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        if value is not None and text:
            parts += [f"--{name.replace('_', '-')}", text]
    if overlap is not None:
        parts.append("--classes-overlap" if overlap else "--classes-exclusive")
    parts += [f"--{name}" for name in _FLAGS if options.get(name)]
    parts += ["--overlays"] if run.part("outputs").get("overlays") else []
    return shlex.join([*parts, "--out", "RUN"])


def _evidence_arguments(evidence: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of the command line that measure this evidence."""
    measures = evidence.get("measures")
    if not measures:
        return {}
    references = [str(name).replace(" ", "-") for name in evidence.get("references") or ()]
    return {"evidence": measures, "null": evidence.get("draws"), "evidence_references": references}


def _image_size(model: Mapping[str, Any]) -> int | None:
    """Return the side of the square that every frame was resized to; None for any other size rule."""
    card = model.get("model_card")
    size = card.get("size") if isinstance(card, Mapping) else None
    if not isinstance(size, Mapping) or size.get("rule") != "resize" or size.get("height") != size.get("width"):
        return None
    return size.get("height")


def _truth(cases: Sequence[Case]) -> str:
    count = sum(case.image.truth is not None for case in cases)
    if not count:
        return "none: no Dice, IoU or ratio of the truth"
    return "for every image" if count == len(cases) else f"for {count} of {len(cases)} images"


def _dice(cases: Sequence[Case], class_names: Sequence[str]) -> list[tuple[str, str]]:
    facts = []
    for name in class_names:
        dice = Distribution.of(case.findings[name].dice for case in cases if name in case.findings)
        if dice.count:
            quartiles = f"{score(dice.lower_quartile)}–{score(dice.upper_quartile)}"
            label = f"Dice of {name}" if len(class_names) > 1 else "Dice"
            count = counted(dice.count, "image")
            facts.append((label, f"median {score(dice.median)} (quartiles {quartiles}), {count}"))
    return facts


def _model(model: Mapping[str, object]) -> str:
    network = " with ".join(str(model[key]) for key in ("architecture", "encoder") if model.get(key))
    return ", ".join(filter(None, (network, str(model.get("checkpoint") or "")))) or plain(None)


def _checksums(model: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the checksum of the weights; of an ensemble, those of each member."""
    if not model.get("members"):
        return [("Weights (SHA-256)", plain(model.get("sha256")))]
    return [
        (f"Member {number} (SHA-256)", f"{plain(member.get('checkpoint'))}: {plain(member.get('sha256'))}")
        for number, member in enumerate(model["members"], start=1)
    ]


def _of_model(model: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return all that is known of the network, and of each member if it is an ensemble."""
    facts = _prefixed("Model", {name: value for name, value in model.items() if name != "members"})
    for number, member in enumerate(model.get("members") or (), start=1):
        facts += _prefixed(f"Member {number}", member)
    return facts


def _prefixed(prefix: str, part: Mapping[str, object]) -> list[tuple[str, str]]:
    return [(f"{prefix}: {words(str(name))}", plain(value)) for name, value in part.items()]


def _time(started: object) -> str:
    try:
        return datetime.fromisoformat(str(started)).isoformat(" ", "minutes")
    except ValueError:
        return plain(started)
