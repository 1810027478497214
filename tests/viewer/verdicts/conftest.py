"""A session with a review project of one cine and one still, whose log is real."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from napari_segcam.network.network import Network
from napari_segcam.viewer.review.session import ReviewSession
from tests.viewer.verdicts.one_case import Review, review_of_one_case


@pytest.fixture
def opened(
    session: ReviewSession,
    network: Network,
    finish: Callable[[ReviewSession], None],
    tmp_path: Path,
) -> Iterator[Review]:
    """A session with a network and a project that is not open yet"""
    review = review_of_one_case(session, tmp_path, finish)
    session.use(network)
    yield review
    review.project.close()


@pytest.fixture
def read(opened: Review, frames: np.ndarray) -> Review:
    """A reading of a cine of four frames, all of which are explained; nothing is hidden."""
    opened.project.open()
    opened.session.viewer.add_image(frames, name="sweep")
    opened.project.read("c1")
    opened.session.go_to(0)
    opened.run()
    return opened
