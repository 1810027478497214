"""Exports and runs over folders, from a session and from the Export widget."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageColor
from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QFileDialog
from rich.console import Console

from napari_segcam.batch.options import ExplainOptions
from napari_segcam.batch.run import Batch
from napari_segcam.batch.run_folder import RunFolder
from napari_segcam.commands.explain_cine import explain_cine
from napari_segcam.evidence.attention import attention
from napari_segcam.explanation.explainer import Explainer
from napari_segcam.explanation.targets.target import Target
from napari_segcam.imaging.opening import open_cine
from napari_segcam.network.network import Network
from napari_segcam.network.source import ModelSource
from napari_segcam.reporting.figures import CLASS_COLORS, outline_pixels
from napari_segcam.viewer.frames.run_request import CORRECTED, RunRequest
from napari_segcam.viewer.jobs.export_job import Export
from napari_segcam.viewer.jobs.folder_job import FolderRun
from napari_segcam.viewer.review.outputs import export_frames, run_folder
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.workspace import PLUGIN

Finish = Callable[[ReviewSession], None]
STAGES = ("encoder_4", "encoder_5")


@pytest.fixture
def explained(session: ReviewSession, finish: Finish, network: Network, frames: np.ndarray) -> ReviewSession:
    """Return a session whose first frame is explained."""
    session.viewer.add_image(frames, name="sweep")
    session.viewer.dims.set_current_step(0, 0)
    session.use(network)
    session.run(RunRequest(stages=STAGES), "current")
    finish(session)
    return session


def wait_for_job(qtbot: QtBot, session: ReviewSession) -> None:
    """Wait until the job in the background has ended."""
    qtbot.waitUntil(lambda: session.background.job is None, timeout=60_000)


def test_a_frame_is_written_with_the_numbers_of_the_explainer(
    explained: ReviewSession, qtbot: QtBot, frames: np.ndarray, network: Network, tmp_path: Path
) -> None:
    export_frames(explained, Export(tmp_path / "out", [2]))
    wait_for_job(qtbot, explained)
    expected = Explainer(network, stages=STAGES)(frames[2])
    with np.load(tmp_path / "out" / "heatmaps.npz") as raw:
        for name in STAGES:
            np.testing.assert_array_equal(raw[name], expected.heatmaps[name].values)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out" / "mask.png")), expected.mask)
    with (tmp_path / "out" / "attention.csv").open(newline="") as file:
        rows = {row["stage"]: float(row["mean"]) for row in csv.DictReader(file)}
    assert rows == {name: figures.mean for name, figures in attention(expected).items()}
    progress = explained.background.progress
    assert progress is not None
    assert progress.words == f"Written to {tmp_path / 'out'}"


def test_an_export_uses_the_current_mask_threshold(
    explained: ReviewSession, qtbot: QtBot, frames: np.ndarray, network: Network, tmp_path: Path
) -> None:
    threshold = float(np.median(Explainer(network, stages=())(frames[1]).probabilities))
    explained.set_threshold(threshold)
    export_frames(explained, Export(tmp_path, [1]))
    wait_for_job(qtbot, explained)
    assert json.loads((tmp_path / "explanation.json").read_text())["threshold"] == threshold
    mask = np.asarray(Image.open(tmp_path / "mask.png"))
    np.testing.assert_array_equal(mask, Explainer(network, stages=(), threshold=threshold)(frames[1]).mask)


def test_a_cine_has_a_folder_for_each_frame_and_a_movie(
    explained: ReviewSession, qtbot: QtBot, frames: np.ndarray, tmp_path: Path
) -> None:
    export_frames(explained, Export(tmp_path, range(len(frames)), movies=("encoder_5",)))
    wait_for_job(qtbot, explained)
    assert all((tmp_path / f"frame_{number:04d}" / "encoder_5.png").exists() for number in range(len(frames)))
    (movie,) = (tmp_path / "movies").glob("*encoder_5.mp4")
    assert len(open_cine(movie)) == len(frames)
    progress = explained.background.progress
    assert progress is not None
    assert progress.done == progress.total


def test_a_stopped_export_keeps_what_is_written(
    explained: ReviewSession, qtbot: QtBot, frames: np.ndarray, tmp_path: Path
) -> None:
    explained.background.changed.connect(
        lambda: explained.background.cancel() if (tmp_path / "frame_0000").exists() else None
    )
    export_frames(explained, Export(tmp_path, range(len(frames)), movies=("encoder_5",)))
    wait_for_job(qtbot, explained)
    assert (tmp_path / "attention.csv").exists()
    assert not (tmp_path / f"frame_{len(frames) - 1:04d}").exists()
    assert not (tmp_path / "movies").exists()
    assert explained.background.progress is not None
    assert "stopped" in explained.background.progress.words


def test_a_review_continues_while_a_cine_is_exported(
    explained: ReviewSession, qtbot: QtBot, finish: Finish, frames: np.ndarray, tmp_path: Path
) -> None:
    export_frames(explained, Export(tmp_path, range(len(frames))))
    explained.run(RunRequest(stages=STAGES), "all")
    finish(explained)
    assert explained.progress == (0, 0)
    assert explained.record is not None
    assert set(explained.record.states) == {explained.record.states[0]}
    wait_for_job(qtbot, explained)
    assert (tmp_path / f"frame_{len(frames) - 1:04d}" / "explanation.json").exists()


def test_an_export_of_nothing_and_a_second_job_are_refused_with_a_message(
    session: ReviewSession, messages: list[str], frames: np.ndarray, network: Network, tmp_path: Path
) -> None:
    session.viewer.add_image(frames)
    export_frames(session, Export(tmp_path, [0]))
    assert "run Segmentation or Grad-CAM first" in messages[-1]
    run_folder(session, FolderRun(tmp_path, tmp_path / "out"))
    assert "Load a checkpoint first" in messages[-1]
    session.use(network)
    run_folder(session, FolderRun(tmp_path / "none", tmp_path / "out", with_report=False))
    run_folder(session, FolderRun(tmp_path / "none", tmp_path / "out", with_report=False))
    assert "is still running" in messages[-1]


def test_a_folder_that_cannot_be_written_is_reported_and_the_worker_continues(
    explained: ReviewSession, qtbot: QtBot, messages: list[str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    export_frames(explained, Export(tmp_path / "file" / "out", [0]))
    wait_for_job(qtbot, explained)
    assert "cannot be written" in messages[-1]
    export_frames(explained, Export(tmp_path / "out", [0]))
    wait_for_job(qtbot, explained)
    assert (tmp_path / "out" / "explanation.json").exists()


def test_a_run_over_a_folder_is_the_batch(
    explained: ReviewSession, qtbot: QtBot, frames: np.ndarray, network: Network, tmp_path: Path
) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for number, frame in enumerate(frames[:2]):
        Image.fromarray(frame).save(images / f"image_{number}.png")
    (images / "broken.png").write_bytes(b"not a picture")
    explained.source = ModelSource("somewhere/network.pth", "Unet", "resnet18")
    run_folder(explained, FolderRun(images, tmp_path / "run", with_report=False))
    wait_for_job(qtbot, explained)
    progress = explained.background.progress
    assert progress is not None
    assert progress.words.startswith("2 of 3 images, 1 failed")
    options = ExplainOptions(stages=STAGES, threshold=explained.threshold)
    for _ in Batch(images, tmp_path / "headless", network, options):
        pass
    assert (tmp_path / "run" / "results.csv").read_text() == (tmp_path / "headless" / "results.csv").read_text()
    given = (RunFolder(tmp_path / "run").settings() or {})["given"]
    assert (given["model"], given["architecture"], given["encoder"]) == ("network.pth", "Unet", "resnet18")


def test_a_report_that_cannot_be_written_stops_the_run_at_the_start(
    explained: ReviewSession, qtbot: QtBot, messages: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("L", (64, 64)).save(tmp_path / "image.png")
    monkeypatch.setattr("napari_segcam.optional.find_spec", lambda name: None if name == "reportlab" else name)
    run_folder(explained, FolderRun(tmp_path, tmp_path / "run"))
    wait_for_job(qtbot, explained)
    assert "pip install reportlab" in messages[-1]
    assert not (tmp_path / "run").exists()


def test_a_stopped_run_is_resumed(explained: ReviewSession, qtbot: QtBot, frames: np.ndarray, tmp_path: Path) -> None:
    images, out = tmp_path / "images", tmp_path / "run"
    images.mkdir()
    for number, frame in enumerate(frames):
        Image.fromarray(frame).save(images / f"image_{number}.png")

    def stop() -> None:
        if explained.background.progress is not None and explained.background.progress.done == 1:
            explained.background.cancel()

    explained.background.changed.connect(stop)
    run_folder(explained, FolderRun(images, out, with_report=False))
    wait_for_job(qtbot, explained)
    explained.background.changed.disconnect(stop)
    assert 0 < len(list(out.glob("images/*/record.json"))) < len(frames)
    run_folder(explained, FolderRun(images, out, with_report=False))
    wait_for_job(qtbot, explained)
    assert len(list(out.glob("images/*/record.json"))) == len(frames)


@pytest.mark.slow
def test_the_widget_exports_to_the_chosen_folder(
    make_napari_viewer_proxy: Callable[[], Any],
    messages: list[str],
    qtbot: QtBot,
    finish: Finish,
    network: Network,
    frames: np.ndarray,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    viewer = make_napari_viewer_proxy()
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Export")
    session: ReviewSession = widget.session
    assert not widget.export_frame.isEnabled()
    assert "Load a checkpoint first" in widget.message.text()
    viewer.add_image(frames, name="sweep (1)")
    session.use(network)
    assert "Run Segmentation or Grad-CAM first" in widget.message.text()
    session.run(RunRequest(stages=STAGES), "current")
    finish(session)
    assert widget.export_frame.isEnabled()
    assert [widget.movie.itemData(i) for i in range(widget.movie.count())] == ["", *STAGES]
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    assert widget.colormap.currentData() != "viridis"
    widget.colormap.setCurrentIndex(widget.colormap.findData("viridis"))
    widget.export_frame.click()
    assert widget.stop.isVisibleTo(widget)
    assert not widget.export_all.isEnabled()
    wait_for_job(qtbot, session)
    frame = session.current_frame()
    written = json.loads((tmp_path / f"sweep__1__frame_{frame:04d}" / "explanation.json").read_text())
    assert written["look"]["colormap"] == "viridis"
    assert widget.message.text().startswith("Written to")
    assert not widget.stop.isVisibleTo(widget)
    assert messages == []


def test_nothing_runs_if_the_dialog_is_cancelled(
    make_napari_viewer_proxy: Callable[[], Any], network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer = make_napari_viewer_proxy()
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Export")
    widget.session.use(network)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: "")
    widget.run.click()
    assert widget.session.background.job is None


def test_export_explain_and_batch_give_the_same_numbers(
    explained: ReviewSession, qtbot: QtBot, frames: np.ndarray, network: Network, tmp_path: Path
) -> None:
    (tmp_path / "images").mkdir()
    Image.fromarray(frames[0]).save(tmp_path / "images" / "one.png")
    figures = explained.figures()
    export_frames(explained, Export(tmp_path / "export", [0]))
    wait_for_job(qtbot, explained)
    options = ExplainOptions(stages=STAGES)
    cine = open_cine(tmp_path / "images" / "one.png")
    explain_cine(network, cine, [0], options, tmp_path / "explain", Console(file=StringIO()))
    for _ in Batch(tmp_path / "images", tmp_path / "run", network, options):
        pass

    def rows_of(path: Path) -> list[tuple[str, ...]]:
        names = ("class", "method", "stage", "mean", "std", "inside", "outside", "ratio", "undefined")
        with path.open(encoding="utf-8", newline="") as file:
            return [tuple(row[name] for name in names) for row in csv.DictReader(file)]

    exported = rows_of(tmp_path / "export" / "attention.csv")
    assert exported == rows_of(tmp_path / "explain" / "attention.csv") == rows_of(tmp_path / "run" / "results.csv")
    assert [float(mean) for _, _, _, mean, *_ in exported] == [figures[stage].mean for stage in STAGES]


@pytest.mark.parametrize("is_explained", [False, True])
def test_an_export_has_correction_and_prediction_and_says_which_one_was_explained(
    explained: ReviewSession,
    qtbot: QtBot,
    finish: Finish,
    frames: np.ndarray,
    network: Network,
    tmp_path: Path,
    is_explained: bool,
) -> None:
    explained.run(RunRequest(stages=STAGES, region=CORRECTED if is_explained else "mask"), "all")
    finish(explained)
    layers = explained.layers()
    assert layers is not None
    assert layers.mask is not None
    rows, columns = (axis.ravel() for axis in np.mgrid[2:30, 3:20])
    layers.mask.data_setitem((np.zeros(len(rows), int), rows, columns), 1)
    corrected = layers.corrections.pixels(0)
    assert corrected is not None
    corrected = corrected.copy()
    finish(explained)
    export_frames(explained, Export(tmp_path, [0, 1], ("contour", "side-by-side"), movies=("encoder_5",)))
    layers.corrections.discard(0)  # after the export has started: it still has the correction
    wait_for_job(qtbot, explained)
    target = Target(region=corrected > 0) if is_explained else Target()
    expected = Explainer(network, stages=STAGES)(frames[0], target)
    folder = tmp_path / "frame_0000"
    np.testing.assert_array_equal(np.asarray(Image.open(folder / "mask.png")), expected.mask)
    np.testing.assert_array_equal(np.asarray(Image.open(folder / "correction.png")), corrected)
    record = json.loads((folder / "explanation.json").read_text())
    assert record["explained_mask"] == ("correction" if is_explained else "prediction")
    assert record["correction"]["explained"] is is_explained
    assert record["correction"]["pixels"] == {network.class_names[0]: int(corrected.sum())}
    assert (record["target"]["region"] == "the reader's correction") is is_explained
    with np.load(folder / "heatmaps.npz") as raw:
        np.testing.assert_array_equal(raw["encoder_5"], expected.heatmaps["encoder_5"].values)
    outline = outline_pixels(corrected > 0) if is_explained else outline_pixels(expected.mask > 0)
    drawn = np.asarray(Image.open(folder / "encoder_5.png"))
    color = (255, 255, 255) if is_explained else ImageColor.getrgb(CLASS_COLORS[0])
    assert (drawn[outline] == color).all()
    other = json.loads((tmp_path / "frame_0001" / "explanation.json").read_text())
    assert other["correction"] is None
    assert other["explained_mask"] == "prediction"
    assert not (tmp_path / "frame_0001" / "correction.png").exists()


def test_an_exported_correction_counts_as_saved_until_it_changes(
    explained: ReviewSession, qtbot: QtBot, tmp_path: Path
) -> None:
    layers = explained.layers()
    assert layers is not None
    assert layers.mask is not None
    layers.mask.data_setitem(tuple(np.array([[0], [3], [5]])), 1 - layers.mask.data[0, 3, 5])
    assert layers.corrections.unsaved == {0}
    export_frames(explained, Export(tmp_path / "out", [0]))
    wait_for_job(qtbot, explained)
    assert layers.corrections.unsaved == set()
    assert layers.corrections.layer is not None
    layers.corrections.layer.data_setitem(tuple(np.array([[0], [9], [9]])), 1 - layers.corrections.layer.data[0, 9, 9])
    assert layers.corrections.unsaved == {0}
