from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from made_explanations import SHAPE, explanation, heatmap, overlapping, ramp

from napari_segcam.errors import SegcamError
from napari_segcam.explanation.emptiness import Reason
from napari_segcam.imaging.cine import ArrayCine
from napari_segcam.imaging.opening import open_cine
from napari_segcam.reporting import movie
from napari_segcam.reporting.clip import Clip
from napari_segcam.reporting.movie import write_movie
from napari_segcam.reporting.overlay_style import OverlayStyle

pytest.importorskip("av")

COLORS = [(200, 30, 30), (30, 160, 40), (40, 40, 210)]


def pictures(shape: tuple[int, int] = (64, 96)) -> Iterator[np.ndarray]:
    for color in COLORS:
        yield np.full((*shape, 3), color, np.uint8)


@pytest.mark.parametrize("encoder", ["libx264", "mpeg4"])
def test_a_movie_reads_back_as_it_was_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoder: str) -> None:
    monkeypatch.setattr(movie, "_ENCODERS", {encoder: movie._ENCODERS[encoder]})
    list(write_movie(tmp_path / "m.mp4", pictures(), 12.5))
    read = open_cine(tmp_path / "m.mp4")
    assert (len(read), read.frame_rate, read.frame_shape) == (3, 12.5, (64, 96, 3))
    for frame, color in zip(read, COLORS, strict=True):
        assert np.abs(frame.astype(int) - color).mean() < 12


def test_odd_sizes_grow_by_a_pixel(tmp_path: Path) -> None:
    list(write_movie(tmp_path / "m.mp4", pictures((63, 95)), 10))
    assert open_cine(tmp_path / "m.mp4").frame_shape == (64, 96, 3)


def test_pictures_are_drawn_as_they_are_needed(tmp_path: Path) -> None:
    drawn: list[int] = []

    def counted() -> Iterator[np.ndarray]:
        for number in range(1000):
            drawn.append(number)
            yield np.zeros((16, 16, 3), np.uint8)
            if number == 5:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(write_movie(tmp_path / "m.mp4", counted(), 10))
    assert len(drawn) == 6
    assert not list(tmp_path.iterdir()), "a stopped movie leaves nothing"


def test_a_movie_that_is_stopped_leaves_the_one_before(tmp_path: Path) -> None:
    list(write_movie(tmp_path / "m.mp4", pictures(), 10))
    before = (tmp_path / "m.mp4").read_bytes()
    with pytest.raises(SegcamError, match="of one size"):
        list(write_movie(tmp_path / "m.mp4", [*pictures(), *pictures((32, 32))], 10))
    assert (tmp_path / "m.mp4").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["m.mp4"]


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path, shown, rate, said in (
        (tmp_path / "m.mp4", [], 10.0, "no pictures"),
        (tmp_path / "m.mp4", pictures(), 0.0, "more than 0"),
        (tmp_path / "file" / "m.mp4", pictures(), 10.0, "cannot be written"),
    ):
        with pytest.raises(SegcamError, match=said):
            list(write_movie(path, shown, rate))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.fixture
def cine() -> ArrayCine:
    return ArrayCine(np.full((3, *SHAPE), 60, np.uint8), frame_rate=24)


def entered(*maps: object) -> Clip:
    clip = Clip("encoder_last")
    for number, one in enumerate(maps):
        clip.add_frame(number, explanation({"encoder_5": one}))  # type: ignore[dict-item]
    return clip


def test_a_clip_is_one_movie_on_one_scale(tmp_path: Path, cine: ArrayCine) -> None:
    clip = entered(heatmap(ramp(highest=1)), heatmap(ramp(highest=10)), heatmap(ramp(highest=10)))
    faint, strong, same = clip.draw_frames(cine, OverlayStyle(("heat",)))
    corner = (SHAPE[0] - 1, SHAPE[1] - 1)
    changed = [np.abs(one[corner].astype(int) - 60).sum() for one in (faint, strong, same)]
    assert changed[0] < changed[1] / 2
    assert changed[1] == changed[2]
    assert list(clip.write(tmp_path, cine, OverlayStyle())) == [1, 2, 3]
    (path,) = tmp_path.iterdir()
    assert path.name == "gradcam_lesion_encoder_5.mp4"
    assert (len(open_cine(path)), open_cine(path).frame_rate) == (3, 24)


@pytest.mark.parametrize("kind", ["heat", "contour", "side-by-side"])
def test_a_frame_without_heat_is_of_the_same_size(cine: ArrayCine, kind: str) -> None:
    empty = heatmap(np.zeros((1, 1)), reason=Reason.NOT_CONNECTED)
    shapes = {one.shape for one in entered(heatmap(ramp()), empty).draw_frames(cine, OverlayStyle((kind,)))}
    assert len(shapes) == 1


def test_a_movie_that_is_given_up_leaves_no_file(tmp_path: Path, cine: ArrayCine) -> None:
    writing = entered(heatmap(ramp()), heatmap(ramp())).write(tmp_path, cine, OverlayStyle())
    assert next(writing) == 1
    writing.close()
    assert not list(tmp_path.iterdir())


def test_a_clip_keeps_classes_that_overlap_apart() -> None:
    colors = ("#0000ff", "#00ff00")
    clip = Clip("encoder_5")
    clip.add_frame(0, overlapping(class_colors=colors))
    (picture,) = clip.draw_frames(ArrayCine(np.zeros(SHAPE, np.uint8)), OverlayStyle())
    for color in ((0, 0, 255), (0, 255, 0)):
        assert (picture == color).all(-1).sum() > 60, "an outline of two pixels"
