"""The dock with a real Orthanc: found, opened, sent back, found again; wrong passwords and a killed server."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dicom_objects.made_sources import SOURCES
from napari.components import ViewerModel
from napari.layers import Labels
from orthanc import Orthanc, running_orthanc
from pydicom import dcmread
from pytestqt.qtbot import QtBot

from napari_segcam.dicom_objects.new_object import save_object
from napari_segcam.dicom_objects.segmentation.segment import Segment
from napari_segcam.dicom_objects.segmentation.writing import segmentation
from napari_segcam.dicom_objects.source_images import SourceImages
from napari_segcam.imaging.dicomweb.servers import Server, add_server
from napari_segcam.imaging.opening import open_cine
from napari_segcam.viewer.frames.layer_source import LayerSource
from napari_segcam.viewer.pacs.searching import Criteria
from napari_segcam.viewer.widgets.pacs.pacs_widget import PacsWidget


def docked(qtbot: QtBot, server: Server) -> PacsWidget:
    """Return the dock, with this server chosen."""
    add_server(server)
    widget = PacsWidget(ViewerModel())
    qtbot.addWidget(widget)
    widget.show()
    qtbot.waitUntil(lambda: widget.controller.servers.chosen is not None)
    return widget


def found(widget: PacsWidget, qtbot: QtBot, description: str, modality: str = "US") -> int:
    with qtbot.waitSignal(widget.controller.searching.found, timeout=20_000):
        widget.controller.search(Criteria(description=description, modality=modality))
    return len(widget.controller.searching.series)


@pytest.mark.slow
def test_search_open_send_back_find_again_open_again_equal(
    pacs: Orthanc,
    qtbot: QtBot,
    messages: list[str],  # noqa: ARG001
    tmp_path: Path,
) -> None:
    kinds = ("gray_cine", "rgb_cine", "ybr_jpeg_cine", "palette_cine", "still")
    sources = {kind: SOURCES[kind](tmp_path) for kind in kinds}
    for path in sources.values():
        pacs.store(path)
    widget = docked(qtbot, Server("Clinic", pacs.url))
    controller, viewer = widget.controller, widget.session.viewer
    for kind, path in sources.items():
        assert found(widget, qtbot, kind.replace("_", " ")) == 1, kind
        with qtbot.waitSignal(controller.opening.opened, timeout=20_000) as opened:
            controller.open_series(controller.searching.series[0])
        source = LayerSource.from_layer(opened.args[0])
        assert source.path is not None
        assert source.path.read_bytes() == pacs.file_of(str(dcmread(path, stop_before_pixels=True).SOPInstanceUID))
        for number, frame in enumerate(open_cine(path)):
            np.testing.assert_array_equal(source.cine[number], frame)
        assert source.spacing_mm == open_cine(path).spacing_mm
    assert len(viewer.layers) == len(sources)

    images = SourceImages.of(open_cine(sources["gray_cine"]))
    masks = np.zeros((len(open_cine(sources["gray_cine"])), 1, images.rows, images.columns), bool)
    for number, mask in enumerate(masks):
        mask[0, 20 : 40 + number, 30:50] = True
    result = segmentation(images, [Segment("fibroid", "MANUAL")], list(enumerate(masks)), kind="binary")
    save_object(result, tmp_path / "segmentation.dcm")
    widget.send_panel.choose([tmp_path / "segmentation.dcm"])
    qtbot.waitUntil(lambda: not controller.sending.is_busy)
    connect = controller.connect_chosen()
    assert connect is not None
    with qtbot.waitSignal(controller.sending.sent, timeout=20_000) as sent:
        controller.sending.send(connect, [tmp_path / "segmentation.dcm"], "Clinic")
    assert sent.args == ["1 of 1 are on Clinic."]
    assert pacs.file_of(result.SOPInstanceUID) == (tmp_path / "segmentation.dcm").read_bytes()

    for layer in list(viewer.layers)[1:]:
        viewer.layers.remove(layer)
    assert found(widget, qtbot, "", "SEG") == 1
    controller.open_series(controller.searching.series[0])
    qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=20_000)
    labels = viewer.layers[1]
    assert isinstance(labels, Labels)
    np.testing.assert_array_equal(np.asarray(labels.data) > 0, masks[:, 0])
    controller.close()


def test_a_login_that_is_refused_is_one_line(
    qtbot: QtBot,
    messages: list[str],  # noqa: ARG001
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with running_orthanc(tmp_path / "pacs", user="anna", password="right") as server:
        monkeypatch.setenv("NAPARI_SEGCAM_PACS_PASSWORD_CLINIC", "wrong")
        widget = docked(qtbot, Server("Clinic", server.url, user="anna"))
        with qtbot.waitSignal(widget.controller.searching.failed, timeout=20_000):
            widget.controller.search(Criteria())
        assert "401" in widget.message.text()
        assert "wrong" not in widget.message.text()
        assert widget.message.text().count("\n") == 0
        monkeypatch.setenv("NAPARI_SEGCAM_PACS_PASSWORD_CLINIC", "right")
        assert found(widget, qtbot, "") == 0
        widget.controller.close()


def test_a_server_that_is_killed_is_one_line_and_works_again_once_it_is_back(
    qtbot: QtBot,
    messages: list[str],  # noqa: ARG001
    tmp_path: Path,
) -> None:
    with running_orthanc(tmp_path / "pacs") as server:
        server.store(SOURCES["gray_cine"](tmp_path))
        widget = docked(qtbot, Server("Clinic", server.url))
        controller = widget.controller
        assert found(widget, qtbot, "gray cine") == 1
        series = controller.searching.series[0]
        server.kill()
        with qtbot.waitSignal(controller.searching.failed, timeout=20_000):
            controller.open_series(series)
        assert widget.message.text().startswith("⚠ ")
        assert not widget.session.viewer.layers
        server.start()
        with qtbot.waitSignal(controller.opening.opened, timeout=20_000):
            controller.open_series(series)
        assert len(widget.session.viewer.layers) == 1
        controller.close()
