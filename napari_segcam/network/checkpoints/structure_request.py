"""What the user says about a checkpoint whose network may have to be read by its structure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from napari_segcam.network.reference_pair import ReferencePair


@dataclass(frozen=True)
class StructureRequest:
    """Which structure may be used for weights of unknown names.

    Attributes:
        accept: which candidate is accepted, counted from 1; 0 for none.
        settings: those of the candidate that the model card says was accepted for these weights.
        pair: a saved input and output, which choose and prove the candidate.
    """

    accept: int = 0
    settings: Mapping[str, Any] | None = None
    pair: ReferencePair | None = None
