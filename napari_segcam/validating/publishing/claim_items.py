"""The items of the CLAIM 2024 checklist, by number, with their topics in our own words.

Source: Tejani et al. 2024, Checklist for Artificial Intelligence in Medical Imaging (CLAIM): 2024 update, Radiology:
Artificial Intelligence 6(4): e240300, doi:10.1148/ryai.240300.
"""

from __future__ import annotations

from dataclasses import dataclass

ARTICLE = "Tejani et al. 2024, doi:10.1148/ryai.240300"
NUMBERING = (
    "Numbers and topics were taken from a public summary of the checklist, in our own words, and were not compared "
    "with the article. Fill in the checklist of the article for a journal."
)


@dataclass(frozen=True)
class ClaimItem:
    """One item of the checklist.

    Attributes:
        number: from 1.
        part: of a paper that it is about.
        topic: in our own words.
    """

    number: int
    part: str
    topic: str


_TOPICS = {
    "title and abstract": ("AI and its kind in the title", "structured abstract"),
    "introduction": ("background and clinical role", "aims and hypotheses"),
    "study design": ("prospective or retrospective", "goal of the study"),
    "data": (
        "where the data come from",
        "which cases were included and excluded",
        "processing before the network",
        "parts of the data that were chosen",
        "de-identification",
        "missing data",
        "how the images were acquired",
    ),
    "reference standard": (
        "what the truth is",
        "why this truth",
        "who annotated",
        "how the test set was annotated",
        "variability of the annotations",
    ),
    "data partitions": ("how cases were assigned to partitions", "level at which partitions are disjoint"),
    "testing data": ("intended sample size",),
    "model": ("the model", "software and versions", "initial weights"),
    "training": ("how the model was trained", "how the final model was chosen", "ensembles"),
    "evaluation": (
        "metrics of performance",
        "uncertainty of the figures",
        "robustness",
        "explanations, and how they were tested",
        "testing on internal data",
        "testing on external data",
        "registration of a trial",
    ),
    "results": (
        "numbers of cases included and excluded",
        "who the patients are",
        "performance of the final model",
        "estimates of accuracy with their precision",
        "analysis of failures",
    ),
    "discussion": ("limits of the study", "what it means for practice"),
    "other information": ("full protocol", "availability of software, model and data", "funding"),
}

ITEMS: tuple[ClaimItem, ...] = tuple(
    ClaimItem(number, part, topic)
    for number, (part, topic) in enumerate(
        ((part, topic) for part, topics in _TOPICS.items() for topic in topics), start=1
    )
)
"""All 44 items in their order."""
