"""The round trip with a real PACS: send, find, open, explain, send back, find again; all is as it was."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from dicom_objects.made_sources import SOURCES
from orthanc import Orthanc
from pydicom import dcmread

from napari_segcam import cli
from napari_segcam.demo import demo_checkpoint, sample_cine
from napari_segcam.imaging.dicomweb.client import PacsClient
from napari_segcam.imaging.dicomweb.servers import Server
from napari_segcam.imaging.opening import open_cine


@pytest.fixture
def client(pacs: Orthanc) -> Iterator[PacsClient]:
    with PacsClient(Server("clinic", pacs.url)) as client:
        yield client


@pytest.mark.parametrize("kind", SOURCES)
def test_a_source_of_each_kind(kind: str, client: PacsClient, tmp_path: Path) -> None:
    source = SOURCES[kind](tmp_path)
    files = sorted(source.iterdir()) if source.is_dir() else [source]
    assert {sent.state for sent in client.send(files)} <= {"stored", "present"}
    header = dcmread(files[0], stop_before_pixels=True)
    (series,) = client.search(patient_id=str(header.PatientID), modality="US", study_uid=header.StudyInstanceUID)
    assert (series.study_uid, series.series_uid) == (header.StudyInstanceUID, header.SeriesInstanceUID)
    instances = client.instances(series)
    fetched = client.fetch(instances, tmp_path / "fetched")
    assert sorted(path.read_bytes() for path in fetched) == sorted(path.read_bytes() for path in files)
    expected = open_cine(source)
    opened = open_cine(tmp_path / "fetched" if len(fetched) > 1 else fetched[0])
    assert (len(opened), opened.spacing_mm, opened.frame_rate) == (
        len(expected),
        expected.spacing_mm,
        expected.frame_rate,
    )
    for frame, wanted in zip(opened, expected, strict=True):
        np.testing.assert_array_equal(frame, wanted)
    for arrival in client.stream(instances[0], tmp_path / "streamed"):
        last = arrival
    assert last.cine is not None
    np.testing.assert_array_equal(last.cine[last.frames - 1], open_cine(fetched[0])[last.frames - 1])
    assert max(client.thumbnail(instances[0], 64).shape[:2]) == 64


@pytest.mark.slow
def test_results_come_back_as_they_were_sent(
    client: PacsClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.send([sample_cine()])
    uid = str(dcmread(sample_cine(), stop_before_pixels=True).SOPInstanceUID)
    (source,) = client.fetch(client.find(uid), tmp_path / "fetched")
    arguments = [source, "--model", demo_checkpoint(), "--frames", "29,30", "--stages", "decoder_last", "--dicom"]
    monkeypatch.setattr(
        sys, "argv", ["napari-segcam", "explain", *map(str, arguments), "--out", str(tmp_path / "made")]
    )
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code
    made = {
        str(dcmread(path, stop_before_pixels=True).SOPInstanceUID): path for path in (tmp_path / "made").rglob("*.dcm")
    }
    assert {path.name for path in made.values()} >= {"segmentation.dcm", "overlay.dcm", "report.dcm"}
    assert [sent.state for sent in client.send(list(made.values()))] == ["stored"] * len(made)
    study = dcmread(source, stop_before_pixels=True).StudyInstanceUID
    found = [instance for series in client.search(study_uid=study) for instance in client.instances(series)]
    assert {instance.uid for instance in found} == {uid, *made}
    for path in client.fetch(found, tmp_path / "again"):
        assert path.read_bytes() == made.get(path.stem, source).read_bytes()
    masks = {series.modality for series in client.search(study_uid=study)}
    assert masks >= {"US", "SEG", "SR"}
