"""Read ``config.json`` of a Hugging Face folder as data: only networks and backbones on a list are built.

Sources: the fields of transformers' configurations. Nothing is taken from the network: names of models on the hub, of
attention kernels there and of code in the folder are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from napari_segcam.errors import SegcamError

# model_type → class of the configuration, and of the network for semantic segmentation.
NETWORKS = {
    "segformer": ("SegformerConfig", "SegformerForSemanticSegmentation"),
    "upernet": ("UperNetConfig", "UperNetForSemanticSegmentation"),
    "dpt": ("DPTConfig", "DPTForSemanticSegmentation"),
    "beit": ("BeitConfig", "BeitForSemanticSegmentation"),
    "data2vec-vision": ("Data2VecVisionConfig", "Data2VecVisionForSemanticSegmentation"),
    "mobilevit": ("MobileViTConfig", "MobileViTForSemanticSegmentation"),
    "mobilevitv2": ("MobileViTV2Config", "MobileViTV2ForSemanticSegmentation"),
    "mobilenet_v2": ("MobileNetV2Config", "MobileNetV2ForSemanticSegmentation"),
    "mask2former": ("Mask2FormerConfig", "Mask2FormerForUniversalSegmentation"),
    "maskformer": ("MaskFormerConfig", "MaskFormerForInstanceSegmentation"),
}

# Networks that classify queries, each with a mask, instead of pixels.
OF_QUERIES = ("mask2former", "maskformer")

# Networks whose positions are learned for one size of the image.
_OF_ONE_SIZE = ("beit", "data2vec-vision", "dpt")

_BACKBONES = (
    *("beit", "bit", "convnext", "convnextv2", "dinov2", "dinov2_with_registers", "focalnet", "hiera"),
    *("maskformer-swin", "pvt_v2", "resnet", "swin", "swinv2"),
)

# Fields that name something to download, or code to run.
_LEFT_OUT = ("auto_map", "_name_or_path", "name_or_path", "custom_pipelines", "torch_dtype", "dtype", "architectures")

_MOST_LAYERS, _LARGEST_NUMBER, _MOST_VALUES, _DEEPEST = 400, 1_000_000, 50_000, 8
_OF_LAYERS = ("layers", "depth", "blocks", "stages")


def network_type(settings: Mapping[str, Any], name: str) -> str:
    """Return the ``model_type`` of a configuration.

    Raises:
        SegcamError: if it is not one of the networks here, or the folder holds another network of that family.
    """
    kind = settings.get("model_type")
    if kind not in NETWORKS:
        raise SegcamError(
            f"{name} is a Hugging Face folder of {kind!r}, which is not among the networks that open here: "
            f"{', '.join(NETWORKS)}. Where it was trained, save it as TorchScript, ONNX or with torch.export."
        )
    expected = NETWORKS[kind][1]
    architectures = settings.get("architectures")
    if isinstance(architectures, list) and architectures and expected not in architectures:
        raise SegcamError(
            f"{name} holds {architectures[0]}, which is no semantic segmentation. {expected} was expected."
        )
    if "quantization_config" in settings:
        raise SegcamError(f"{name} holds quantized weights. Save the network without quantization.")
    return str(kind)


def plain_settings(settings: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the settings without what would be downloaded or run.

    Raises:
        SegcamError: if a backbone is not described in the file or not on the list, or the settings are unreasonable.
    """
    _refuse_unreasonable(settings, name)
    for inner in _inner_settings(settings):
        backbone = inner.get("backbone")
        if isinstance(backbone, str) and not isinstance(inner.get("backbone_config"), Mapping):
            raise SegcamError(
                f"{name}: the backbone {backbone!r} is only named in config.json, not described. Nothing is "
                "downloaded: where the network was trained, save it again with a backbone_config."
            )
        if inner is not settings and inner.get("model_type", "") not in ("", *_BACKBONES):
            raise SegcamError(f"{name}: the backbone {inner['model_type']!r} is not among those that open here.")
    plain: dict[str, Any] = _without(settings)
    return plain


def fixed_side(settings: Mapping[str, Any], kind: str) -> tuple[int, int] | None:
    """Return height and width of the image, if the network takes only one size."""
    side = settings.get("image_size")
    if kind not in _OF_ONE_SIZE or settings.get("backbone_config") is not None:
        return None
    if isinstance(side, int):
        return side, side
    if isinstance(side, list) and len(side) == 2 and all(isinstance(length, int) for length in side):
        return side[0], side[1]
    return None


def class_names(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the classes, in order; none if the file does not name them all."""
    labels = settings.get("id2label")
    if not isinstance(labels, Mapping):
        return ()
    names = {str(number): label for number, label in labels.items()}
    ordered = [names.get(str(number)) for number in range(len(names))]
    if not all(isinstance(label, str) and label.strip() for label in ordered):
        return ()
    if all(label == f"LABEL_{number}" for number, label in enumerate(ordered)):
        return ()
    return tuple(str(label)[:200] for label in ordered)


def _inner_settings(settings: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield settings
    for name, value in settings.items():
        if isinstance(value, Mapping) and name not in ("id2label", "label2id", "decoder_config"):
            yield from _inner_settings(value)


def _without(settings: Mapping[str, Any]) -> dict[str, Any]:
    kept = {
        key: _without(value) if isinstance(value, Mapping) else value
        for key, value in settings.items()
        if key not in _LEFT_OUT and "attn_implementation" not in key
    }
    if "use_pretrained_backbone" in kept:
        kept["use_pretrained_backbone"] = False
    if isinstance(kept.get("backbone"), str):
        kept["backbone"] = None
    return kept


def _refuse_unreasonable(settings: Any, name: str, key: str = "", depth: int = 0) -> int:
    """Refuse numbers that no real network has; return how many values there are."""
    parts = list(settings.items()) if isinstance(settings, Mapping) else []
    if isinstance(settings, list):
        parts = [(key, value) for value in settings]
    count = 1
    most = _MOST_LAYERS if any(word in key for word in _OF_LAYERS) else _LARGEST_NUMBER
    if isinstance(settings, int | float) and not isinstance(settings, bool) and not abs(settings) <= most:
        raise SegcamError(f"{name}: config.json has {key} {settings:g}, which no real network has.")
    for part, value in parts:
        if depth >= _DEEPEST:
            raise SegcamError(f"{name}: config.json is nested too deeply.")
        count += _refuse_unreasonable(value, name, str(part), depth + 1)
        if count > _MOST_VALUES:
            raise SegcamError(f"{name}: config.json holds far more values than any network needs.")
    return count
