"""Definitions: what each number of the report is, and its source."""

from __future__ import annotations

from napari_segcam.reporting.report.document import Bullets, Facts, Section
from napari_segcam.review.report.review_numbers import ReviewNumbers
from napari_segcam.version import __version__


def definitions_section() -> Section:
    """Return how each number is computed."""
    return Section("definitions", "How the numbers are computed", [Bullets(_DEFINITIONS)])


def provenance_section(numbers: ReviewNumbers) -> Section:
    """Return everything that the numbers depend on."""
    project = numbers.review.project
    facts = [("Project", str(project.folder)), ("Program", f"napari-segcam {__version__}")]
    for point in project.checkpoints:
        facts.append((f"Checkpoint {point.name}, SHA-256", ", ".join(point.sha256)))
    for name, value in project.settings.model_dump(mode="json").items():
        facts.append((f"Setting: {name.replace('_', ' ')}", _plain(value)))
    for work in numbers.review.raters:
        events = sum(1 for row in numbers.verdicts if row["rater"] == work.rater)
        facts.append((f"Log of {work.rater}", f"raters/{work.rater}/log.jsonl, {events} verdicts, grades and notes"))
    facts.append(("Bootstrap", f"{numbers.bootstrap.resamples} resamples of cases, seed {numbers.bootstrap.seed}"))
    return Section("provenance", "Provenance", [Facts(tuple(facts))])


def literature_section() -> Section:
    """Return the sources."""
    return Section("literature", "Literature", [Bullets(tuple(("", source) for source in _LITERATURE))])


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "–"
    return "–" if value is None or value == "" else str(value)


_DEFINITIONS = (
    (
        "Which readings count",
        "The first reading of each case by each rater. Second readings, which a project mixes in, count only for the "
        "agreement within a rater, for the progress and for the effect of heatmaps.",
    ),
    (
        "The verdict on a case",
        "The one that was given to the whole case. Where there is none, but every frame was rated and all frames have "
        "the same verdict, it is that one. Otherwise the case has no verdict, and cases.csv says why. A verdict that "
        "was replaced, taken back or undone does not count.",
    ),
    (
        "Shares and their intervals",
        "Of independent cases: Wilson's interval (Wilson 1927). Of frames or findings: whole cases are drawn again "
        "with replacement, and the interval is between the 2.5th and the 97.5th percentile of the resulting shares "
        "(Efron 1979). Frames of one cine resemble each other: drawing them would give intervals that are too narrow.",
    ),
    (
        "Cohen's κ",
        "How much more often two raters agree than they would if each gave the same shares of verdicts at random "
        "(Cohen 1960): 1 − observed disagreement / disagreement by chance. For grades, a disagreement counts by the "
        "square of its distance (Cohen 1968). κ depends on how common each verdict is: where nearly all masks are "
        "accepted it can be low although raters agree nearly always, so the share of the same rating stands beside it.",
    ),
    (
        "Fleiss' κ and Krippendorff's α",
        "For more than two raters. κ needs a rating by every rater, so it leaves out units that miss one (Fleiss "
        "1971). α uses all units with two ratings or more (Krippendorff 2011); for grades it is the ordinal one. Their "
        "difference shows whether missing ratings matter.",
    ),
    (
        "Undefined",
        "A number without a basis is not 0 or 1 but undefined, with the reason: nothing was rated by both, or only one "
        "category was used, so that chance alone explains full agreement.",
    ),
    (
        "Dice",
        "2 |A ∩ B| / (|A| + |B|) (Dice 1945), for each class and frame, then the mean over the frames of a case, then "
        "over cases. The prediction is the mask that a correction began with. Where both raters took the prediction as "
        "it is, their masks are equal by construction: such frames are counted apart. A frame in which one accepted a "
        "prediction at another threshold than the other corrected is left out.",
    ),
    (
        "Whether heatmaps changed verdicts",
        "A verdict given while the reader had not seen a heatmap in that reading is compared with the verdict that "
        "holds after one was visible. One not given again counts as kept. This needs the setting that hides heatmaps "
        "until the first verdict.",
    ),
    (
        "Time",
        "Seconds in which the case was in view and the rater did something, summed over all visits. The interval of "
        "the median is between two of the values, by order statistics (Conover 1999).",
    ),
)

_LITERATURE = (
    "Cohen J. A coefficient of agreement for nominal scales. Educ Psychol Meas 1960;20:37–46.",
    "Cohen J. Weighted kappa: nominal scale agreement with provision for scaled disagreement or partial credit. "
    "Psychol Bull 1968;70:213–220.",
    "Conover WJ. Practical nonparametric statistics. 3rd ed. Wiley, 1999.",
    "Dice LR. Measures of the amount of ecologic association between species. Ecology 1945;26:297–302.",
    "Efron B. Bootstrap methods: another look at the jackknife. Ann Stat 1979;7:1–26.",
    "Fleiss JL. Measuring nominal scale agreement among many raters. Psychol Bull 1971;76:378–382.",
    "Krippendorff K. Computing Krippendorff's alpha-reliability. University of Pennsylvania, 2011.",
    "Wilson EB. Probable inference, the law of succession, and statistical inference. J Am Stat Assoc 1927;22:209–212.",
)
