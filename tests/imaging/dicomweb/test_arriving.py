"""A cine on its way: its frames can be read one by one, before all of it is there."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from dicom_objects.made_sources import SOURCES
from hostile_server import HostileServer, Request, as_files, says
from pydicom import dcmread

from napari_segcam.demo import sample_cine
from napari_segcam.errors import SegcamError
from napari_segcam.imaging.dicomweb.arriving import ArrivingCine, NotArrivedError
from napari_segcam.imaging.dicomweb.client import PacsClient
from napari_segcam.imaging.dicomweb.found import FoundInstance
from napari_segcam.imaging.dicomweb.servers import Server
from napari_segcam.imaging.opening import open_cine


def native_cine(folder: Path) -> Path:
    """Write an uncompressed cine of 60 frames."""
    header = dcmread(sample_cine())
    header.decompress()
    header.save_as(folder / "native.dcm")
    return folder / "native.dcm"


def instance_of(path: Path) -> FoundInstance:
    header = dcmread(path, stop_before_pixels=True)
    return FoundInstance(header.StudyInstanceUID, header.SeriesInstanceUID, header.SOPInstanceUID)


def stops_halfway(data: bytes, goes_on: threading.Event) -> Callable[[socket.socket, Request], None]:
    """Send the first half, and the rest when the event is set."""

    def behave(connection: socket.socket, _request: Request) -> None:
        connection.sendall(data[: len(data) // 2])
        goes_on.wait(30)
        connection.sendall(data[len(data) // 2 :])

    return behave


@pytest.mark.parametrize("make", [native_cine, lambda _folder: sample_cine()], ids=["native", "compressed"])
def test_the_first_frames_are_read_while_the_others_are_on_their_way(
    make: Callable[[Path], Path], tmp_path: Path
) -> None:
    source = make(tmp_path)
    expected, goes_on = open_cine(source), threading.Event()
    cine = None
    slow = stops_halfway(as_files(source.read_bytes()), goes_on)
    with HostileServer(slow) as server, PacsClient(Server("ward", server.url)) as client:
        for arrival in client.stream(instance_of(source), tmp_path / "out"):
            cine = arrival.cine
            if isinstance(cine, ArrivingCine) and 1 <= cine.arrived < 60 and not goes_on.is_set():
                assert arrival.path is None
                assert (len(cine), arrival.total) == (60, 60)
                for number in range(cine.arrived):
                    np.testing.assert_array_equal(cine[number], expected[number])
                assert not cine.has(59)
                with pytest.raises(NotArrivedError, match=r"Frame 59 of .* has not come yet: \d+ of 60 are here"):
                    cine[59]
                assert cine.frame_rate == expected.frame_rate
                assert cine.spacing_mm == expected.spacing_mm
                assert cine.notes == expected.notes  # not that it is cut short
                assert cine.path.name.startswith(".")
                goes_on.set()
        assert goes_on.is_set()
    assert isinstance(cine, ArrivingCine)
    assert cine.is_complete
    assert cine.path == arrival.path
    assert cine.path.read_bytes() == source.read_bytes()
    for number in range(60):
        np.testing.assert_array_equal(cine[number], expected[number])
    assert cine.value_range == expected.value_range


def test_a_cine_that_is_closed_halfway_leaves_nothing(tmp_path: Path) -> None:
    source, never = native_cine(tmp_path), threading.Event()
    with HostileServer(stops_halfway(as_files(source.read_bytes()), never)) as server:
        with PacsClient(Server("ward", server.url)) as client:
            arrivals = client.stream(instance_of(source), tmp_path / "out")
            cine = next(arrival.cine for arrival in arrivals if arrival.cine is not None)
            assert cine[0].shape == (256, 320)
            arrivals.close()  # type: ignore[attr-defined]
            with pytest.raises(SegcamError, match="closed before it came"):
                cine[0]
        never.set()
    assert list((tmp_path / "out").iterdir()) == []


def test_a_cine_that_is_cut_short_on_the_server_says_so(tmp_path: Path) -> None:
    source = native_cine(tmp_path)
    cut = tmp_path / "cut.dcm"
    cut.write_bytes(source.read_bytes()[: -30 * 256 * 320])
    with HostileServer(says(as_files(cut.read_bytes()))) as server, PacsClient(Server("ward", server.url)) as client:
        *_, last = client.stream(instance_of(source), tmp_path / "out")
    assert last.cine is not None
    assert len(last.cine) == len(open_cine(cut))
    assert "cut short" in last.cine.notes[0]
    assert last.cine.notes == open_cine(cut).notes


@pytest.mark.parametrize("kind", [kind for kind in SOURCES if kind != "folder_of_stills"])
def test_each_kind_of_source_comes_as_it_is(kind: str, tmp_path: Path) -> None:
    source = SOURCES[kind](tmp_path)
    with HostileServer(says(as_files(source.read_bytes()))) as server, PacsClient(Server("ward", server.url)) as client:
        *_, last = client.stream(instance_of(source), tmp_path / "out")
    expected = open_cine(source)
    assert last.cine is not None
    assert len(last.cine) == len(expected) == last.frames == last.total
    assert (last.cine.region, last.cine.value_range) == (expected.region, expected.value_range)
    for frame, wanted in zip(last.cine, expected, strict=True):
        np.testing.assert_array_equal(frame, wanted)
