"""Algorithm: the network that made an object, as DICOM objects name it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydicom import Dataset

from napari_segcam.dicom_objects.coded_entry import ARTIFICIAL_INTELLIGENCE, PROCESSING_EQUIPMENT
from napari_segcam.dicom_objects.values import LONG_STRING, SHORT_TEXT, fitted

MANUFACTURER = "napari-segcam"
_SHORT_HASH = 12


@dataclass(frozen=True)
class Algorithm:
    """A network, or an ensemble of some.

    Attributes:
        name: file name of the checkpoint without its folder.
        sha256: of the weights, 64 hexadecimal digits.
        parameters: what else decides its results, such as architecture and threshold, in words.
    """

    name: str
    sha256: str
    parameters: tuple[str, ...] = ()

    @classmethod
    def of_provenance(cls, provenance: Mapping[str, Any]) -> Algorithm:
        """Return the network that an explanation was computed with.

        Args:
            provenance: of the explanation.
        """
        words = {
            "architecture": provenance.get("architecture"),
            "encoder": provenance.get("encoder"),
            "threshold": provenance.get("threshold"),
            "crop": provenance.get("crop"),
            "input shape": provenance.get("input_shape"),
            "precision": provenance.get("precision"),
        }
        parameters = [f"{name} {_plain(value)}" for name, value in words.items() if value is not None]
        members = provenance.get("members", ())
        parameters += [f"member {member['checkpoint']}, SHA-256 {member['sha256']}" for member in members]
        return cls(str(provenance["checkpoint"]), str(provenance["sha256"]), tuple(parameters))

    @property
    def version(self) -> str:
        """The beginning of the SHA-256: it changes with every weight, and no other version is known."""
        return self.sha256[:_SHORT_HASH]

    def identification_item(self) -> Dataset:
        """Return an item of the Algorithm Identification macro (PS3.3, section 10.16), with the whole SHA-256."""
        item = Dataset()
        item.AlgorithmFamilyCodeSequence = [ARTIFICIAL_INTELLIGENCE.item()]
        item.AlgorithmName = fitted(self.name, LONG_STRING)
        item.AlgorithmVersion = self.version
        item.AlgorithmParameters = "; ".join([f"SHA-256 of the weights {self.sha256}", *self.parameters])
        item.AlgorithmSource = MANUFACTURER
        return item

    def contributing_equipment(self) -> Dataset:
        """Return an item that names the network and the whole SHA-256 of its weights as contributing equipment."""
        item = Dataset()
        item.PurposeOfReferenceCodeSequence = [PROCESSING_EQUIPMENT.item()]
        item.Manufacturer = MANUFACTURER
        item.ManufacturerModelName = fitted(self.name, LONG_STRING)
        item.SoftwareVersions = self.sha256
        item.ContributionDescription = fitted("; ".join(["Segmentation network", *self.parameters]), SHORT_TEXT)
        return item


def _plain(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return "×".join(_plain(part) for part in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
