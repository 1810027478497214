"""Folders of Hugging Face give the output that transformers itself gives, and nothing in them is run or downloaded."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import napari_segcam as sc
from napari_segcam import optional
from napari_segcam.errors import SegcamError
from napari_segcam.imaging.preprocessing import prepare

transformers = pytest.importorskip("transformers")

CLASSES = {0: "background", 1: "organ", 2: "lesion"}


def swin() -> Any:
    return transformers.SwinConfig(
        embed_dim=12,
        depths=[1, 2, 1, 1],
        num_heads=[1, 2, 3, 4],
        window_size=4,
        image_size=64,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )


def segformer(**fields: Any) -> nn.Module:
    settings = {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 2, 1, 1], "num_attention_heads": [1, 2, 2, 4]}
    settings |= {"decoder_hidden_size": 16, "id2label": CLASSES} | fields
    return transformers.SegformerForSemanticSegmentation(transformers.SegformerConfig(**settings))


def upernet() -> nn.Module:
    settings = {"hidden_size": 16, "auxiliary_in_channels": 48, "auxiliary_channels": 8, "pool_scales": [1, 2]}
    config = transformers.UperNetConfig(backbone_config=swin(), id2label=CLASSES, **settings)
    return transformers.UperNetForSemanticSegmentation(config)


VISION = {"hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 2, "intermediate_size": 37}
VISION |= {"image_size": 64, "patch_size": 16, "id2label": CLASSES}


def beit() -> nn.Module:
    config = transformers.BeitConfig(vocab_size=8, out_indices=[1, 2, 3, 4], pool_scales=[1, 2], **VISION)
    return transformers.BeitForSemanticSegmentation(config)


def data2vec() -> nn.Module:
    config = transformers.Data2VecVisionConfig(
        out_indices=[1, 2, 3, 4], pool_scales=[1, 2], use_mask_token=False, **VISION
    )
    return transformers.Data2VecVisionForSemanticSegmentation(config)


def dpt() -> nn.Module:
    settings = {"backbone_out_indices": [0, 1, 2, 3], "neck_hidden_sizes": [8, 8, 16, 16], "fusion_hidden_size": 16}
    return transformers.DPTForSemanticSegmentation(transformers.DPTConfig(**settings, **VISION))


def mobilevit() -> nn.Module:
    settings = {"hidden_sizes": [12, 16, 20], "neck_hidden_sizes": [4, 8, 8, 12, 16, 20, 24], "num_attention_heads": 2}
    settings |= {"image_size": 64, "aspp_out_channels": 16, "atrous_rates": [1, 2, 3], "id2label": CLASSES}
    return transformers.MobileViTForSemanticSegmentation(transformers.MobileViTConfig(**settings))


def mask2former() -> nn.Module:
    settings = {"feature_size": 32, "mask_feature_size": 32, "hidden_dim": 32, "encoder_feedforward_dim": 32}
    settings |= {"encoder_layers": 1, "decoder_layers": 3, "num_attention_heads": 2, "dim_feedforward": 16}
    settings |= {"num_queries": 6, "id2label": CLASSES}
    config = transformers.Mask2FormerConfig(backbone_config=swin(), **settings)
    return transformers.Mask2FormerForUniversalSegmentation(config)


def maskformer() -> nn.Module:
    sizes = {"encoder_layers": 1, "decoder_layers": 2, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
    decoder = transformers.DetrConfig(d_model=32, encoder_ffn_dim=16, decoder_ffn_dim=16, num_queries=6, **sizes)
    config = transformers.MaskFormerConfig(
        backbone_config=swin(), decoder_config=decoder, fpn_feature_size=32, mask_feature_size=32, id2label=CLASSES
    )
    return transformers.MaskFormerForInstanceSegmentation(config)


PIXELS: dict[str, Callable[[], nn.Module]] = {
    "segformer": segformer,
    "upernet": upernet,
    "beit": beit,
    "data2vec": data2vec,
    "dpt": dpt,
    "mobilevit": mobilevit,
}
QUERIES: dict[str, Callable[[], nn.Module]] = {"mask2former": mask2former, "maskformer": maskformer}


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise AssertionError("it opens a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def saved(make: Callable[[], nn.Module], folder: Path, **options: Any) -> nn.Module:
    torch.manual_seed(1)
    module: Any = make().eval()
    module.save_pretrained(folder, **options)
    return module


def change(folder: Path, **fields: Any) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | fields), encoding="utf-8")


def image(side: int = 64) -> torch.Tensor:
    return torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("name", PIXELS)
def test_logits_are_those_of_transformers_at_the_size_of_the_image(name: str, tmp_path: Path) -> None:
    original = saved(PIXELS[name], tmp_path)
    network = sc.load_network(tmp_path, "cpu")
    with torch.no_grad():
        expected = F.interpolate(original(pixel_values=image()).logits, (64, 64), mode="bilinear")
        torch.testing.assert_close(network.module(image()), expected, atol=1e-5, rtol=1e-4)
    assert network.class_names == ("background", "organ", "lesion")
    assert not network.classes_overlap
    assert "classes_overlap" not in network.assumed
    encoder = network.select("encoder")
    assert len(encoder) >= 4
    assert all(stage.layer.startswith("model.") for stage in encoder)
    assert [stage.stride for stage in encoder] == sorted(stage.stride for stage in encoder)


@pytest.mark.parametrize("name", QUERIES)
def test_the_mask_of_queries_is_that_of_transformers(name: str, tmp_path: Path) -> None:
    original = saved(QUERIES[name], tmp_path)
    network = sc.load_network(tmp_path, "cpu")
    x = image(384)  # the size at which Mask2Former's own processing enlarges its masks
    with torch.no_grad():
        output = original(pixel_values=x)
        logits = network.module(x)
    if name == "mask2former":
        processor = transformers.Mask2FormerImageProcessor()
    else:
        processor = transformers.MaskFormerImageProcessor()
    (expected,) = processor.post_process_semantic_segmentation(output, target_sizes=[(384, 384)])
    assert torch.equal(logits[0].argmax(0), expected.to(torch.int64))
    scores = logits.softmax(1)
    assert float(scores.sum(1).sub(1).abs().max()) < 1e-5
    assert len(network.select("encoder")) == 4
    assert network.assumed.keys() <= {"normalization"}


def test_a_heatmap_is_the_gradient_times_the_map_of_the_stage(tmp_path: Path) -> None:
    original: Any = saved(segformer, tmp_path)
    network = sc.load_network(tmp_path, "cpu", card=sc.ModelCard(normalization="none"))
    frame = np.random.default_rng(0).random((64, 96, 3), dtype=np.float32)
    target = sc.Target(class_index=2, region="image")
    found = sc.Explainer(network, stages=["encoder_2"])(frame, target=target).heatmaps["encoder_2"].values
    maps: list[torch.Tensor] = []
    original.segformer.stages[1].register_forward_hook(lambda _m, _i, output: maps.append(output))
    x = torch.from_numpy(frame).permute(2, 0, 1)[None].requires_grad_()
    score = F.interpolate(original(pixel_values=x).logits, (64, 96), mode="bilinear")[0, 2].sum()
    (gradient,) = torch.autograd.grad(score, maps[0])
    expected = (gradient.mean((2, 3), keepdim=True) * maps[0]).sum(1)[0].detach()
    np.testing.assert_allclose(np.maximum(found, 0), expected.clamp_min(0).numpy(), atol=1e-5 * float(expected.max()))


@pytest.mark.parametrize("form", ["shards", "bin", "zip", "file"])
def test_weights_in_other_containers(form: str, tmp_path: Path) -> None:
    folder = tmp_path / "network"
    original = saved(segformer, folder, **({"max_shard_size": "40KB"} if form == "shards" else {}))
    path = folder
    if form == "shards":
        assert len(list(folder.glob("model-*.safetensors"))) > 1
    elif form == "bin":
        (folder / "model.safetensors").unlink()
        torch.save(original.state_dict(), folder / "pytorch_model.bin")
    elif form == "zip":
        path = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path, "network"))
    else:
        path = folder / "model.safetensors"
    network = sc.load_network(path, "cpu")
    with torch.no_grad():
        expected = F.interpolate(original(pixel_values=image()).logits, (64, 64), mode="bilinear")
        torch.testing.assert_close(network.module(image()), expected, atol=1e-5, rtol=1e-4)


def test_the_image_is_prepared_as_transformers_does(tmp_path: Path) -> None:
    saved(segformer, tmp_path)
    processor = transformers.SegformerImageProcessor(
        size={"height": 64, "width": 96}, image_mean=[0.1, 0.2, 0.3], image_std=[0.5, 0.6, 0.7]
    )
    processor.save_pretrained(tmp_path)
    network = sc.load_network(tmp_path, "cpu")
    assert "normalization" not in network.assumed
    assert network.card.size.fixed == (64, 96)
    frame = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    x, _ = prepare(frame, network.card, 32, value_range=(0, 255))
    expected = processor(frame, return_tensors="pt")["pixel_values"]
    torch.testing.assert_close(x, expected, atol=1e-4, rtol=1e-4)


def test_the_order_of_colors_and_sizes_by_shape_are_read(tmp_path: Path) -> None:
    saved(segformer, tmp_path)
    settings = {"do_flip_channel_order": True, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": False}
    settings |= {"do_resize": True, "size": {"shortest_edge": 800, "longest_edge": 1333}}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings), encoding="utf-8")
    network = sc.load_network(tmp_path, "cpu")
    assert (network.card.channel_order, network.card.normalization) == ("bgr", "unit")
    assert any("shortest edge 800" in warning for warning in network.warnings)


# ── what is refused ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_code_and_kernels_that_a_folder_names_are_left_out(tmp_path: Path) -> None:
    saved(segformer, tmp_path)
    (tmp_path / "evil.py").write_text("raise SystemExit('it was run')")
    change(
        tmp_path,
        auto_map={"AutoModel": "evil.Network", "AutoConfig": "evil.Config"},
        _attn_implementation="somebody/kernel",
        attn_implementation="somebody/kernel",
        _name_or_path="somebody/network",
    )
    assert sc.load_network(tmp_path, "cpu").architecture == "Segformer"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"model_type": "llama"}, "folder of 'llama', which is not among the networks"),
        ({"architectures": ["SegformerForImageClassification"]}, "holds SegformerForImageClassification"),
        ({"quantization_config": {"bits": 4}}, "quantized"),
        ({"depths": [1, 10**9, 1, 1]}, "depths"),
        ({"hidden_sizes": [10**12] * 4}, "hidden_sizes"),
        ({"hidden_sizes": [8192] * 4}, "cannot be built|do not fit"),
        ({"hidden_sizes": "many"}, "cannot be built"),
        ({"depths": [1, 1, 1, 1]}, "22 unexpected"),
        ({"depths": [1, 3, 1, 1]}, "22 missing"),
        ({"decoder_hidden_size": 24}, "of another shape"),
    ],
)
def test_folders_that_do_not_fit_are_refused(fields: dict[str, Any], reason: str, tmp_path: Path) -> None:
    saved(segformer, tmp_path)
    change(tmp_path, **fields)
    with pytest.raises(SegcamError, match=reason):
        sc.load_network(tmp_path, "cpu")


def test_a_backbone_that_would_be_downloaded_is_refused(tmp_path: Path) -> None:
    saved(upernet, tmp_path)
    change(tmp_path, backbone="microsoft/swin-tiny", backbone_config=None, use_pretrained_backbone=True)
    with pytest.raises(SegcamError, match="only named in config"):
        sc.load_network(tmp_path, "cpu")


@pytest.mark.parametrize(
    ("index", "reason"),
    [
        ({"weight_map": {"a": "../elsewhere.safetensors"}}, "outside of the package"),
        ({"weight_map": {"a": "/etc/passwd"}}, "outside of the package"),
        ({"weight_map": {"a": "gone.safetensors"}}, "missing: gone"),
        ({"weight_map": {}}, "lists no files"),
        ([], "named fields"),
    ],
)
def test_an_index_that_leads_elsewhere_is_refused(index: object, reason: str, tmp_path: Path) -> None:
    saved(segformer, tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path.parent / "elsewhere.safetensors")
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    with pytest.raises(SegcamError, match=reason):
        sc.load_network(tmp_path, "cpu")


def test_a_missing_library_is_refused_with_how_to_install_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    saved(segformer, tmp_path)
    monkeypatch.setattr(optional, "find_spec", lambda _name: None)
    with pytest.raises(SegcamError, match=r'pip install "napari-segcam\[transformers\]"'):
        sc.load_network(tmp_path, "cpu")
