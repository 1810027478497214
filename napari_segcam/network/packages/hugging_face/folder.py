"""Open a Hugging Face folder: read the weights as data, and build the network that ``config.json`` describes."""

from __future__ import annotations

import hashlib
import importlib
import math
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from napari_segcam.errors import SegcamError, error_text
from napari_segcam.network.checkpoints.checkpoint import Checkpoint, read_checkpoint
from napari_segcam.network.checkpoints.state_dict import list_names
from napari_segcam.network.families.encoders import empty_weights
from napari_segcam.network.loaded_module import LoadedModule
from napari_segcam.network.model_card import make_card
from napari_segcam.network.packages.hugging_face.image_processor import processor_fields
from napari_segcam.network.packages.hugging_face.semantic_network import QueryNetwork, SemanticNetwork
from napari_segcam.network.packages.hugging_face.settings import (
    NETWORKS,
    OF_QUERIES,
    class_names,
    fixed_side,
    network_type,
    plain_settings,
)
from napari_segcam.network.packages.hugging_face.stage_layers import stage_layers
from napari_segcam.network.packages.kinds import HUGGING_FACE_WEIGHTS
from napari_segcam.network.packages.package import Package, PackageWeights
from napari_segcam.network.packages.unpacking import file_in, read_description
from napari_segcam.optional import needed

_MOST_SHARDS = 200

# Weights that earlier versions saved and that are computed now, and those of training.
_NOT_NEEDED = re.compile(
    r"(^|\.)(relative_position_index|position_ids|num_batches_tracked|attn_mask)$|(^|\.)(auxiliary_head|criterion)\."
)


def open_folder(root: Path, _choice: str) -> Package:
    """Return the folder as a package.

    Raises:
        SegcamError: if the network is not among those that open here, or transformers is not installed.
    """
    settings = read_description(root / "config.json")
    kind = network_type(settings, str(root))
    needed("transformers", f"{root} is a Hugging Face folder of {kind}", extra="transformers")
    entry = PackageWeights("weights", partial(_read, root), partial(_build, root, settings, kind))
    return Package("Hugging Face folder", (entry,))


def _read(root: Path, weights: str | None) -> Checkpoint:
    """Read the weights, which may be in several files that an index lists."""
    name = next(name for name in HUGGING_FACE_WEIGHTS if (root / name).is_file())
    if not name.endswith(".index.json"):
        return read_checkpoint(root / name, weights)
    index = read_description(root / name).get("weight_map")
    if not isinstance(index, dict) or not index:
        raise SegcamError(f"{root / name} lists no files with weights.")
    names = sorted({str(file) for file in index.values()})
    if len(names) > _MOST_SHARDS:
        raise SegcamError(f"{root / name} lists {len(names)} files, far more than any network has.")
    shards = [read_checkpoint(file_in(root, shard, "a file with weights"), weights) for shard in names]
    merged = {key: tensor for shard in shards for key, tensor in shard.weights.items()}
    if missing := [key for key in index if key not in merged]:
        raise SegcamError(f"{root}: {len(missing)} weights that {name} lists are missing ({list_names(missing)}).")
    sha256 = hashlib.sha256("".join(shard.sha256 for shard in shards).encode()).hexdigest()
    warnings = tuple(dict.fromkeys(warning for shard in shards for warning in shard.warnings))
    return Checkpoint(root, merged, sha256, {}, warnings)


def _build(root: Path, settings: Mapping[str, Any], kind: str, checkpoint: Checkpoint) -> LoadedModule:
    transformers = importlib.import_module("transformers")
    config_class, network_class = (getattr(transformers, name) for name in NETWORKS[kind])
    plain = plain_settings(settings, str(root))
    try:
        config = config_class.from_dict(plain)
        with empty_weights():
            size = sum(math.prod(tensor.shape) for tensor in network_class(config).state_dict().values())
    except SegcamError:
        raise
    except Exception as error:  # transformers raises many kinds for wrong settings
        raise SegcamError(f"{root}: {NETWORKS[kind][1]} cannot be built: {error_text(error)}.") from error
    stored = sum(tensor.numel() for tensor in checkpoint.weights.values())
    if size > 2 * stored + 1_000_000:
        raise SegcamError(
            f"{root}: the weights do not fit {NETWORKS[kind][1]}: it has {size:,} numbers, the file {stored:,}."
        )
    model = _with_weights(network_class, config, checkpoint, f"{root}: the weights do not fit {NETWORKS[kind][1]}")
    layers = stage_layers(model, settings)
    module: nn.Module = (
        QueryNetwork(model, layers, enlarges_masks=kind == "mask2former")
        if kind in OF_QUERIES
        else SemanticNetwork(model, layers)
    )
    channels = _channels(settings)
    fields, warnings = processor_fields(root, channels)
    if side := fixed_side(settings, kind):
        fields["size"] = {"rule": "resize", "height": side[0], "width": side[1]}
    if kind in OF_QUERIES:
        fields["output_activation"] = "none"  # the logarithm makes logits
    classes = settings.get("num_labels", len(settings.get("id2label") or {}) or 2)
    if classes != 1:
        fields["classes_overlap"] = False  # transformers takes the likeliest class of each pixel
    if names := class_names(settings):
        fields["class_names"] = names
    return LoadedModule(
        module.eval().requires_grad_(False),
        channels,
        NETWORKS[kind][1].partition("For")[0],
        str((settings.get("backbone_config") or {}).get("model_type", "")),
        {},
        make_card({"input_channels": channels, **fields}),
        (*checkpoint.warnings, *warnings),
    )


def _channels(settings: Mapping[str, Any]) -> int:
    backbone = settings.get("backbone_config")
    for source in (settings, backbone if isinstance(backbone, Mapping) else {}):
        if isinstance(source.get("num_channels"), int):
            return int(source["num_channels"])
    return 3


def _with_weights(network_class: Any, config: Any, checkpoint: Checkpoint, error_prefix: str) -> nn.Module:
    """Build a network of transformers with weights that are read already; names of earlier versions are translated.

    Raises:
        SegcamError: if any weight is missing, of another shape, or does not belong to the network.
    """
    logging = importlib.import_module("transformers.utils.logging")
    verbosity, shows_progress = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        model, info = network_class.from_pretrained(
            None,
            config=config,
            state_dict=dict(checkpoint.weights),
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            local_files_only=True,
            dtype=torch.float32,
        )
    except Exception as error:  # as above
        raise SegcamError(f"{error_prefix}: {error_text(error)}.") from error
    finally:
        logging.set_verbosity(verbosity)
        if shows_progress:
            logging.enable_progress_bar()
    mismatched = [name if isinstance(name, str) else str(name[0]) for name in info["mismatched_keys"]]
    groups = {
        "missing": [name for name in info["missing_keys"] if not _NOT_NEEDED.search(name)],
        "unexpected": [name for name in info["unexpected_keys"] if not _NOT_NEEDED.search(name)],
        "of another shape": mismatched,
    }
    if any(groups.values()):
        counts = (f"{len(names)} {kind} ({list_names(sorted(names))})" for kind, names in groups.items() if names)
        raise SegcamError(f"{error_prefix}: {', '.join(counts)}.")
    network: nn.Module = model
    return network
