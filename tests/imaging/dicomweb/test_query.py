"""Searches: what a user types, as the keys of DICOM."""

from __future__ import annotations

import datetime

import pytest

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.dicomweb.found import FoundSeries, name_of
from napari_segcam.imaging.dicomweb.query import Search, date_key, loosened, name_key

TODAY = datetime.date(2026, 3, 1)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("", ""),
        ("2026-01-31", "20260131"),
        ("20260131", "20260131"),
        (" 2026-01-31 ", "20260131"),
        ("2024-02", "20240201-20240229"),
        ("2025-12", "20251201-20251231"),
        ("2026", "20260101-20261231"),
        ("2026-01-01..2026-01-31", "20260101-20260131"),
        ("2026-01..2026-02", "20260101-20260228"),
        ("2026-01-05..", "20260105-"),
        ("..2026-01-05", "-20260105"),
        ("20260101-20260131", "20260101-20260131"),
        ("20260101-", "20260101-"),
        ("-20260131", "-20260131"),
        ("today", "20260301"),
        ("Yesterday", "20260228"),
        ("7d", "20260222-20260301"),
        ("1 day", "20260228-20260301"),
    ],
)
def test_dates(text: str, key: str) -> None:
    assert date_key(text, TODAY) == key


@pytest.mark.parametrize(
    "text",
    [
        "31.01.2026",
        "2026-13-01",
        "2026-02-30",
        "2026-02-01..2026-01-01",
        "..",
        "-",
        "soon",
        "202601",
        "٢٠٢٦-٠١-٠١",
        "99999d",
    ],
)
def test_what_is_no_date(text: str) -> None:
    with pytest.raises(SegcamError, match="date"):
        date_key(text, TODAY)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Meyer", "*Meyer*"),
        ("Meyer, Anna", "Meyer^Anna*"),
        ("Meyer ,", "Meyer^*"),
        ("Mey*", "Mey*"),
        ("Meyer, A?na", "Meyer^A?na"),
        ("M" + "u\u0308" + "ller", "*M\u00fcller*"),
        ("", ""),
    ],
)
def test_names(text: str, key: str) -> None:
    assert name_key(text) == key


def test_a_description_is_that_of_the_series_or_the_study() -> None:
    assert Search(description="liver", modality="us", patient_id="A1").filters() == [
        {"PatientID": "A1", "Modality": "US", "SeriesDescription": "*liver*"},
        {"PatientID": "A1", "Modality": "US", "StudyDescription": "*liver*"},
    ]
    assert Search().filters() == [{}]


@pytest.mark.parametrize(
    "keys",
    [
        {"patient_id": "a\\b"},
        {"patient_name": "a\nb"},
        {"description": "x" * 65},
        {"modality": "ultra-sound"},
        {"study_uid": "../1"},
        {"series_uid": "1.2/3"},
        {"study_uid": "1" * 65},
    ],
)
def test_what_cannot_be_searched_for(keys: dict[str, str]) -> None:
    with pytest.raises(SegcamError):
        Search(**keys).filters()


def test_loose_keys_hold_only_what_needs_no_encoding() -> None:
    keys = {"PatientName": "*Mül er*", "StudyDescription": "a b?c", "StudyInstanceUID": "1.2", "StudyDate": "20260101-"}
    assert loosened(keys) == {
        "PatientName": "*M*l*er*",
        "StudyDescription": "a*b?c",
        "StudyInstanceUID": "1.2",
        "StudyDate": "20260101-",
    }
    assert loosened({"PatientName": "*太*"}) == {}


@pytest.mark.parametrize(
    ("keys", "is_alike"),
    [
        ({"patient_name": "müller"}, True),
        ({"patient_name": "Muller"}, False),
        ({"patient_name": "Müller, än"}, True),
        ({"patient_name": "Müller^Änne"}, True),
        ({"patient_name": "Müller, B"}, False),
        ({"patient_name": "[M]*"}, False),
        ({"description": "follow"}, True),
        ({"description": "sweep"}, True),
        ({"description": "sweeps"}, False),
    ],
)
def test_loose_answers_are_sifted(keys: dict[str, str], is_alike: bool) -> None:
    series = FoundSeries(
        "1.2", "1.3", patient_name="Müller, Änne", study_description="Follow-up", series_description="Sweep 1"
    )
    assert Search(**keys).resembles(series) is is_alike


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ({"Alphabetic": "Meyer^Anna^Maria^Dr."}, "Meyer, Anna Maria"),
        ({"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎"}, "Yamada, Tarou · 山田, 太郎"),
        ({"Alphabetic": "Meyer"}, "Meyer"),
        ({"Alphabetic": "^^^"}, ""),
        ("Meyer^Anna=x", "Meyer, Anna"),
        ({"Alphabetic": 5}, ""),
        ({"Alphabetic": "A\x1b[2J^B"}, "A�[2J, B"),
    ],
)
def test_names_as_people_write_them(value: object, name: str) -> None:
    assert name_of({"00100010": {"vr": "PN", "Value": [value]}}, "00100010") == name
