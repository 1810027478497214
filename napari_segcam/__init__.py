"""napari-segcam: where a segmentation network looked, stage by stage, on ultrasound stills and cines.

Importing this package imports neither torch, Qt nor napari: each name below loads its own room when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from napari_segcam.deprecated import PUBLIC_NAMES, warn_renamed
from napari_segcam.version import __version__

if TYPE_CHECKING:
    from napari_segcam.batch.options import ExplainOptions as ExplainOptions
    from napari_segcam.batch.run import Batch as Batch
    from napari_segcam.batch.run import run_batch as run_batch
    from napari_segcam.comparing.compare_checkpoints import compare_checkpoints as compare_checkpoints
    from napari_segcam.comparing.comparing import CompareOptions as CompareOptions
    from napari_segcam.deidentifying.options import DeidentifyOptions as DeidentifyOptions
    from napari_segcam.deidentifying.run import deidentify as deidentify
    from napari_segcam.dicom_objects.export import DicomExport as DicomExport
    from napari_segcam.dicom_objects.exporting.options import DicomOptions as DicomOptions
    from napari_segcam.dicom_objects.parametric_map.reading import read_parametric_map as read_parametric_map
    from napari_segcam.dicom_objects.segmentation.reading import read_segmentation as read_segmentation
    from napari_segcam.dicom_objects.source_images import SourceImages as SourceImages
    from napari_segcam.errors import SegcamError as SegcamError
    from napari_segcam.evidence.attention import attention as attention
    from napari_segcam.evidence.doubt.measures import DOUBT_MEASURES as DOUBT_MEASURES
    from napari_segcam.evidence.doubt.measuring import Doubt as Doubt
    from napari_segcam.evidence.doubt.measuring import doubt as doubt
    from napari_segcam.evidence.doubt.pixel_map import doubt_map as doubt_map
    from napari_segcam.evidence.estimating import estimate_evidence as estimate_evidence
    from napari_segcam.evidence.measuring import MEASURES as MEASURES
    from napari_segcam.evidence.measuring import measure_evidence as measure_evidence
    from napari_segcam.evidence.overlay_effect import overlay_effect as overlay_effect
    from napari_segcam.explanation.crosscheck import cross_check as cross_check
    from napari_segcam.explanation.explainer import Explainer as Explainer
    from napari_segcam.explanation.targets.target import Target as Target
    from napari_segcam.imaging.burned_in.calipers import paste_calipers as paste_calipers
    from napari_segcam.imaging.burned_in.finding import find_graphics as find_graphics
    from napari_segcam.imaging.burned_in.inpainting import inpaint as inpaint
    from napari_segcam.imaging.dicomweb.client import PacsClient as PacsClient
    from napari_segcam.imaging.dicomweb.servers import find_server as find_server
    from napari_segcam.imaging.opening import open_cine as open_cine
    from napari_segcam.measuring.finding_size import measure_finding as measure_finding
    from napari_segcam.measuring.volume import ellipsoid_volume as ellipsoid_volume
    from napari_segcam.network.ensemble.ensemble import Ensemble as Ensemble
    from napari_segcam.network.loading import load_network as load_network
    from napari_segcam.network.model_card import ModelCard as ModelCard
    from napari_segcam.network.network import Network as Network
    from napari_segcam.review.creating import create_project as create_project
    from napari_segcam.review.export.api import export_review as export_review
    from napari_segcam.review.project import open_project as open_project
    from napari_segcam.review.report.review_numbers import review_report as review_report
    from napari_segcam.robustness.measure_robustness import measure_robustness as measure_robustness
    from napari_segcam.robustness.options import RobustnessOptions as RobustnessOptions
    from napari_segcam.validating.validate import Validation as Validation
    from napari_segcam.validating.validate import validate as validate
    from napari_segcam.viewer.functions.explaining import explain as explain
    from napari_segcam.viewer.functions.segmenting import segment as segment

_ROOMS = {
    "DOUBT_MEASURES": "evidence.doubt.measures",
    "Batch": "batch.run",
    "Doubt": "evidence.doubt.measuring",
    "Ensemble": "network.ensemble.ensemble",
    "Explainer": "explanation.explainer",
    "ModelCard": "network.model_card",
    "Network": "network.network",
    "PacsClient": "imaging.dicomweb.client",
    "SegcamError": "errors",
    "Target": "explanation.targets.target",
    "DeidentifyOptions": "deidentifying.options",
    "DicomExport": "dicom_objects.export",
    "DicomOptions": "dicom_objects.exporting.options",
    "SourceImages": "dicom_objects.source_images",
    "ExplainOptions": "batch.options",
    "attention": "evidence.attention",
    "CompareOptions": "comparing.comparing",
    "compare_checkpoints": "comparing.compare_checkpoints",
    "cross_check": "explanation.crosscheck",
    "deidentify": "deidentifying.run",
    "doubt": "evidence.doubt.measuring",
    "doubt_map": "evidence.doubt.pixel_map",
    "ellipsoid_volume": "measuring.volume",
    "explain": "viewer.functions.explaining",
    "estimate_evidence": "evidence.estimating",
    "export_review": "review.export.api",
    "find_server": "imaging.dicomweb.servers",
    "find_graphics": "imaging.burned_in.finding",
    "inpaint": "imaging.burned_in.inpainting",
    "load_network": "network.loading",
    "MEASURES": "evidence.measuring",
    "measure_evidence": "evidence.measuring",
    "measure_finding": "measuring.finding_size",
    "measure_robustness": "robustness.measure_robustness",
    "RobustnessOptions": "robustness.options",
    "open_cine": "imaging.opening",
    "overlay_effect": "evidence.overlay_effect",
    "paste_calipers": "imaging.burned_in.calipers",
    "create_project": "review.creating",
    "open_project": "review.project",
    "read_parametric_map": "dicom_objects.parametric_map.reading",
    "read_segmentation": "dicom_objects.segmentation.reading",
    "review_report": "review.report.review_numbers",
    "run_batch": "batch.run",
    "segment": "viewer.functions.segmenting",
    "validate": "validating.validate",
    "Validation": "validating.validate",
}
__all__ = [*_ROOMS, "__version__"]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return getattr(importlib.import_module(f"{__name__}.{_ROOMS[name]}"), name)
    if name in PUBLIC_NAMES:
        warn_renamed(name, PUBLIC_NAMES[name])
        return __getattr__(PUBLIC_NAMES[name])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
