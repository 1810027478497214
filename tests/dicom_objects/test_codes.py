"""Codes of classes: those of the standard's own tables, or of a private scheme."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydicom.sr._concepts_dict import concepts

from napari_segcam.dicom_objects import codes
from napari_segcam.dicom_objects.coded_entry import CodedEntry
from napari_segcam.dicom_objects.codes import class_codes, local_code


def _table_entries() -> Iterator[CodedEntry]:
    for table in (codes._ORGANS, codes._TISSUES, codes._OBJECTS):
        yield from table.values()
    for kind, region in codes._ABNORMAL.values():
        yield kind
        if region is not None:
            yield region
    yield from (codes.ANATOMY, codes.ABNORMAL, codes.TISSUE, codes.PHYSICAL_OBJECT, codes.SPATIAL)


def test_every_clinical_code_has_the_meaning_of_the_standard() -> None:
    known = {(value, meaning) for terms in concepts["SCT"].values() for value, (meaning, _) in terms.items()}
    wrong = [entry for entry in _table_entries() if entry.scheme != "SCT" or (entry.value, entry.meaning) not in known]
    assert wrong == []


def test_a_known_class_has_a_clinical_code() -> None:
    found = class_codes("Uterine_Fibroid")
    assert (found.category.meaning, found.type.meaning) == ("Morphologically Abnormal Structure", "Leiomyoma")
    assert found.region is not None
    assert found.region.meaning == "Uterus"


@pytest.mark.parametrize("name", ["fetal head", "left", "structure 1", "Lésion", "fibroid core", "子宫肌瘤", "x" * 200])
def test_an_unknown_class_has_a_code_of_its_own_scheme(name: str) -> None:
    found = class_codes(name)
    assert (found.type.scheme, found.region) == ("99SEGCAM", None)
    assert 1 <= len(found.type.value) <= 16
    assert found.type.value.isascii()
    assert found.type.meaning == name or len(name) > 64


def test_local_codes_are_stable_and_differ() -> None:
    assert local_code("Fetal head").value == local_code("fetal_head").value == "fetal_head"
    names = ["layer number one of many", "layer number two of many", "子宫", "肌瘤"]
    assert len({local_code(name).value for name in names}) == len(names)
