"""Hiding: what must not be seen of an image, so it is not computed, and what to compute once it may be seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from napari.layers import Image

from napari_segcam.errors import SegcamError
from napari_segcam.viewer.frames.run_request import RunRequest
from napari_segcam.viewer.frames.schedule import Scope


@dataclass(frozen=True)
class Hidden:
    """What must not be seen of an image now.

    Attributes:
        prediction: the mask, and every figure and heatmap that follows from it.
        heatmaps: the heatmaps alone.
        words: why, and when it comes, in a sentence for the user.
    """

    prediction: bool = False
    heatmaps: bool = False
    words: str = ""


NOTHING = Hidden()


class Hiding:
    """Keeps results from being computed as long as they must not be seen: what does not exist shows nowhere.

    Attributes:
        rule: returns what must not be seen of an image now.
    """

    def __init__(self) -> None:
        self.rule: Callable[[Image], Hidden] = lambda _image: NOTHING
        self._asked: dict[Any, tuple[RunRequest, Scope]] = {}

    def of(self, image: Image | None) -> Hidden:
        """Return what must not be seen of an image now."""
        return NOTHING if image is None else self.rule(image)

    def reason(self, image: Image | None) -> str | None:
        """Return why nothing may be computed of an image now, in words; None if something may."""
        hidden = self.of(image)
        return hidden.words if hidden.prediction else None

    def reason_of_heat(self, image: Image | None) -> str | None:
        """Return why no heatmaps may be computed of an image now, in words; None if they may."""
        hidden = self.of(image)
        return hidden.words if hidden.prediction or hidden.heatmaps else None

    def note(self, image: Image | None, request: RunRequest, scope: Scope) -> RunRequest:
        """Note what the user wants to be computed of an image; return the part of it that may be seen now."""
        hidden = self.of(image)
        if image is None or hidden == NOTHING:
            return request
        self._asked[image.unique_id] = (request, scope)
        return replace(request, stages=None)

    def asked(self, image: Image) -> tuple[RunRequest, Scope] | None:
        """Return what was asked for while part of it was hidden, and forget it; None if nothing was."""
        return self._asked.pop(image.unique_id, None)

    def request_of(self, image: Image) -> RunRequest | None:
        """Return what was asked for while part of it was hidden; None if nothing was."""
        request, _scope = self._asked.get(image.unique_id, (None, ""))
        return request

    def allowed(self, image: Image, request: RunRequest) -> RunRequest:
        """Return what may be computed of a request.

        Raises:
            SegcamError: if nothing may be seen.
        """
        hidden = self.of(image)
        if hidden.prediction:
            raise SegcamError(hidden.words)
        return replace(request, stages=None) if hidden.heatmaps else request
