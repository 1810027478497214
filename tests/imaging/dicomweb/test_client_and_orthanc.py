"""The client and a real PACS: what is sent is found, fetched and opened, equal to what it was."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from orthanc import Orthanc
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.uid import generate_uid

from napari_segcam.demo import sample_cine
from napari_segcam.errors import SegcamError
from napari_segcam.imaging.dicomweb.arriving import ArrivingCine
from napari_segcam.imaging.dicomweb.client import PacsClient
from napari_segcam.imaging.dicomweb.fetching import FetchProgress
from napari_segcam.imaging.dicomweb.servers import Server
from napari_segcam.imaging.opening import open_cine


@pytest.fixture
def client(pacs: Orthanc) -> Iterator[PacsClient]:
    with PacsClient(Server("clinic", pacs.url)) as client:
        yield client


@pytest.fixture(scope="module")
def patients(pacs: Orthanc, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Dataset]:
    """Studies of three patients on the server, by the patients' IDs."""
    folder = tmp_path_factory.mktemp("sent")
    headers = {}
    for number, (patient_id, name, date, description) in enumerate(
        [
            ("A1", "Müller^Änne", "20260131", "Uterus follow-up"),
            ("A2", "Muller^Anna", "20260201", "Liver"),
            ("B 7", "山田^太郎", "20251224", "Thyroid"),
        ]
    ):
        header = dcmread(sample_cine())
        header.SpecificCharacterSet = "ISO_IR 192"
        header.PatientID, header.PatientName, header.StudyDate = patient_id, name, date
        header.StudyTime, header.StudyDescription = "140500", description
        header.SeriesDescription = f"Sweep {number}"
        header.StudyInstanceUID, header.SeriesInstanceUID, header.SOPInstanceUID = (generate_uid() for _ in range(3))
        header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
        header.save_as(folder / f"{number}.dcm")
        pacs.store(folder / f"{number}.dcm")
        headers[patient_id] = header
    return headers


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"patient_id": "A1"}, ["A1"]),
        ({"patient_id": "A*"}, ["A2", "A1"]),
        ({"patient_id": "b 7"}, ["B 7"]),
        ({"patient_name": "Müller"}, ["A1"]),
        ({"patient_name": "müller, Ä"}, ["A1"]),
        ({"patient_name": "Muller"}, ["A2"]),
        ({"patient_name": "Müller^Änne"}, ["A1"]),
        ({"patient_name": "Müller, B"}, []),
        ({"patient_name": "M*ller*"}, ["A2", "A1"]),
        ({"patient_name": "ller"}, ["A2", "A1"]),
        ({"patient_name": "太"}, ["B 7"]),
        ({"date": "2026-01-31"}, ["A1"]),
        ({"date": "2026-01"}, ["A1"]),
        ({"date": "2026"}, ["A2", "A1"]),
        ({"date": "..2026-01-31"}, ["A1", "B 7"]),
        ({"date": "2026-02-01.."}, ["A2"]),
        ({"description": "uterus"}, ["A1"]),
        ({"description": "sweep 1"}, ["A2"]),
        ({"description": "nothing of the kind"}, []),
        ({"modality": "us", "patient_id": "A2"}, ["A2"]),
        ({"modality": "CT"}, []),
    ],
)
def test_a_search_finds_what_matches(
    client: PacsClient, patients: dict[str, Dataset], keys: dict[str, str], expected: list[str]
) -> None:
    found = [series for series in client.search(**keys) if series.patient_id in patients]
    assert [series.patient_id for series in found] == expected
    assert client.notes == []


def test_a_series_says_whose_it_is(client: PacsClient, patients: dict[str, Dataset]) -> None:
    (series,) = client.search(patient_id="A1")
    header = patients["A1"]
    assert (series.study_uid, series.series_uid) == (header.StudyInstanceUID, header.SeriesInstanceUID)
    assert (series.patient_name, series.date, series.time) == ("Müller, Änne", "2026-01-31", "14:05")
    assert (series.study_description, series.series_description) == ("Uterus follow-up", "Sweep 0")
    assert (series.modality, series.instances) == ("US", 1)
    (instance,) = client.instances(series)
    assert (instance.frames, instance.rows, instance.columns) == (60, 256, 320)


def test_more_than_the_limit_is_said(client: PacsClient, patients: dict[str, Dataset]) -> None:
    assert len(patients) > 2
    assert len(client.search(limit=2)) == 2
    assert "More than 2 series match" in client.notes[0]


def test_what_is_sent_is_fetched_bit_for_bit(client: PacsClient, tmp_path: Path) -> None:
    shutil.copy(sample_cine(), tmp_path / "cine.dcm")
    (sent,) = client.send([tmp_path / "cine.dcm"])
    assert sent.state == "stored"
    (again,) = client.send([tmp_path / "cine.dcm"])
    assert (again.state, again.reason) == ("present", "PACS clinic has it already.")
    steps: list[FetchProgress] = []
    for _ in range(2):
        (path,) = client.fetch(client.find(sent.uid), tmp_path / "fetched", steps.append)
        assert path.read_bytes() == sample_cine().read_bytes()
    assert max(step.received for step in steps) == sample_cine().stat().st_size
    assert steps[-1].received == 0  # the second time, it is there already
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_thumbnail_is_small_and_in_shape(client: PacsClient, patients: dict[str, Dataset]) -> None:
    (instance,) = client.find(patients["A1"].SOPInstanceUID)
    small = client.thumbnail(instance, 64)
    assert small.shape == (51, 64, 3)
    middle = open_cine(sample_cine())[30]
    expected = np.asarray(Image.fromarray(np.asarray(middle, np.uint8)).resize((64, 51)))
    first = np.asarray(Image.fromarray(np.asarray(open_cine(sample_cine())[0], np.uint8)).resize((64, 51)))
    alike, unlike = (np.corrcoef(small[..., 0].ravel(), other.ravel())[0, 1] for other in (expected, first))
    assert alike > 0.95
    assert alike > unlike


def _encapsulated(path: Path) -> Path:
    header = dcmread(sample_cine())
    rng = np.random.default_rng(0)
    header.compress("1.2.840.10008.1.2.5", rng.integers(0, 255, (60, 256, 320), np.uint8))
    header.SOPInstanceUID = header.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    header.save_as(path)
    return path


@pytest.mark.parametrize("is_compressed", [False, True], ids=["uncompressed", "RLE"])
def test_a_cine_opens_frame_by_frame_as_it_comes(client: PacsClient, tmp_path: Path, is_compressed: bool) -> None:
    source = _encapsulated(tmp_path / "rle.dcm") if is_compressed else sample_cine()
    client.send([source])
    expected = open_cine(source)
    (instance,) = client.find(str(dcmread(source, stop_before_pixels=True).SOPInstanceUID))
    cine, last, seen = None, None, 0
    for arrival in client.stream(instance, tmp_path / "cache"):
        last = arrival
        if arrival.cine is None:
            continue
        assert cine is None or cine is arrival.cine
        cine = arrival.cine
        assert len(cine) == 60
        if arrival.frames:
            np.testing.assert_array_equal(cine[arrival.frames - 1], expected[arrival.frames - 1])
        seen = max(seen, arrival.frames)
    assert last is not None
    assert last.path is not None
    assert last.path.read_bytes() == source.read_bytes()
    assert isinstance(cine, ArrivingCine)
    assert cine.is_complete
    assert cine.path == last.path
    assert cine.notes == open_cine(last.path).notes
    for index in range(60):
        np.testing.assert_array_equal(cine[index], expected[index])


def test_a_password_is_asked_for_and_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from orthanc import running_orthanc

    with running_orthanc(tmp_path, user="anna", password="geh:eim") as server:
        with PacsClient(Server("ward", server.url)) as client, pytest.raises(SegcamError, match="asks for a user"):
            client.search()
        monkeypatch.setenv("NAPARI_SEGCAM_PACS_PASSWORD_WARD", "wrong")
        ward = Server("ward", server.url, user="anna")
        with PacsClient(ward) as client, pytest.raises(SegcamError, match="does not accept the password") as refused:
            client.search()
        assert "wrong" not in str(refused.value)
        monkeypatch.setenv("NAPARI_SEGCAM_PACS_PASSWORD_WARD", "geh:eim")
        with PacsClient(ward) as client:
            assert client.search() == []
