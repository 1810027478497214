"""The PACS of the tests itself: it keeps what it is given."""

from __future__ import annotations

from orthanc import Orthanc

from napari_segcam.demo import sample_cine


def test_it_keeps_a_file_over_a_power_cut(pacs: Orthanc) -> None:
    assert pacs.rest("/system")["Name"] == "napari-segcam tests"
    pacs.store(sample_cine())
    (series,) = pacs.rest("/dicom-web/series?includefield=StudyInstanceUID")
    assert series["00080060"]["Value"] == ["US"]
    pacs.kill()
    pacs.start()
    assert len(pacs.rest("/instances")) == 1
