"""What failures share: how frequent an attribute is among them, beside all cases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from napari_segcam.reporting.evidence_summary.shares import Share
from napari_segcam.validating.attributes import Grouping
from napari_segcam.validating.failures.sorting import SortedCase
from napari_segcam.validating.rows import Rows

ANY_FAILURE = "any failure"
DOUBT, GRAPHICS, NEAREST = "doubt", "burned-in graphics", "nearest in features"

SHARED_COLUMNS: dict[str, type] = {
    "class": str,
    "kind": str,
    "attribute": str,
    "group": str,
    "failures": int,
    "of_failures": int,
    "cases": int,
    "of_cases": int,
}
"""The columns of ``validation_shared.csv``, with the type of a defined value."""


@dataclass(frozen=True)
class SharedAttribute:
    """How many failures of a kind are in a group of cases, beside how many of all cases are.

    Attributes:
        class_name: of the failures.
        kind: of the failures, or ``ANY_FAILURE``.
        attribute, group: what they share.
        failures: those in the group, of those for which the attribute is known.
        cases: the same of all cases that could be sorted, the failures among them.
    """

    class_name: str
    kind: str
    attribute: str
    group: str
    failures: Share
    cases: Share

    @property
    def excess(self) -> float:
        """The share among the failures minus that among all cases."""
        return (self.failures.value or 0.0) - (self.cases.value or 0.0)


Members = Mapping[str, frozenset[str]]
"""The groups of each case for which an attribute is known."""


def attributes_of_cases(
    found: Sequence[SortedCase],
    groupings: Sequence[Grouping],
    doubts: Mapping[str, float],
    graphics: Mapping[str, bool],
    nearest: Mapping[str, Sequence[SortedCase]],
) -> dict[str, Members]:
    """Return the groups of the cases of one class by attribute.

    Args:
        found: cases of one class.
        groupings: of images, by metadata and by the size of the finding.
        doubts: of cases; those in the highest third are a group.
        graphics: whether the mask of a case hangs on burned-in graphics, where that was measured.
        nearest: the cases that are most alike to the network, where features were kept.
    """
    members: dict[str, Members] = {
        grouping.attribute: {
            one.case: frozenset(grouping.group_of[image, one.class_name] for image in one.images) for one in found
        }
        for grouping in groupings
    }
    known = {one.case: doubts[one.case] for one in found if one.case in doubts}
    if len(set(known.values())) > 1:
        edge = float(np.quantile(list(known.values()), 2 / 3))
        members[DOUBT] = {
            case: frozenset({"highest third" if doubt >= edge else "lower two thirds"}) for case, doubt in known.items()
        }
    hangs = {one.case: graphics[one.case] for one in found if one.case in graphics}
    if hangs:
        members[GRAPHICS] = {
            case: frozenset({"mask hangs on them" if does else "mask does not hang on them"})
            for case, does in hangs.items()
        }
    if nearest:
        members[NEAREST] = {
            case: frozenset({"mostly to failures" if 2 * failed > len(others) else "mostly to fine cases"})
            for case, others in nearest.items()
            for failed in [sum(one.is_failure for one in others)]
        }
    return members


def shared_attributes(found: Sequence[SortedCase], attributes: Mapping[str, Members]) -> list[SharedAttribute]:
    """Return every group that any failure is in, for each kind and for all failures, in the order of ``attributes``.

    No test is made: with many groups, some are frequent among failures by chance.

    Args:
        found: cases of one class.
        attributes: the groups of their cases.
    """
    known = [one for one in found if one.kind is not None]
    failed = [one for one in known if one.is_failure]
    of_kind = {ANY_FAILURE: failed}
    for one in failed:
        of_kind.setdefault(str(one.kind), []).append(one)
    return [
        shared
        for kind, some in of_kind.items()
        for attribute, members in attributes.items()
        for shared in _of_attribute(kind, attribute, some, known, members)
    ]


def shared_rows(shared: Sequence[SharedAttribute]) -> Rows:
    """Return one row for each group that failures share, with the columns of ``SHARED_COLUMNS``."""
    return Rows(
        SHARED_COLUMNS,
        (
            {
                "class": one.class_name,
                "kind": one.kind,
                "attribute": one.attribute,
                "group": one.group,
                "failures": one.failures.count,
                "of_failures": one.failures.total,
                "cases": one.cases.count,
                "of_cases": one.cases.total,
            }
            for one in shared
        ),
    )


def _of_attribute(
    kind: str, attribute: str, failed: Sequence[SortedCase], known: Sequence[SortedCase], members: Members
) -> Iterator[SharedAttribute]:
    groups = dict.fromkeys(group for one in failed for group in sorted(members.get(one.case, ())))
    for group in groups:
        failures, cases = (
            Share.of(group in members[one.case] if one.case in members else None for one in some)
            for some in (failed, known)
        )
        yield SharedAttribute(known[0].class_name, kind, attribute, group, failures, cases)
