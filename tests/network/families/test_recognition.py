"""A network is recognized by its weights, and rebuilt with the same output to the last bit."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import segmentation_models_pytorch as smp
import torch

from napari_segcam.errors import SegcamError
from napari_segcam.network.checkpoints.checkpoint import Checkpoint, read_checkpoint
from napari_segcam.network.families import encoders
from napari_segcam.network.families.network_spec import NetworkSpec
from napari_segcam.network.families.recognition import build, recognize


def _network(architecture: str, encoder: str, **options: Any) -> torch.nn.Module:
    torch.manual_seed(0)
    with warnings.catch_warnings(action="ignore"):
        network = getattr(smp, architecture)(encoder, encoder_weights=None, **options)
    # Each batch norm gets other numbers: equal ones would hide a mix-up of layers.
    for name, buffer in network.named_buffers():
        if name.endswith("running_mean"):
            buffer.uniform_(-0.3, 0.1)
        elif name.endswith("running_var"):
            buffer.uniform_(0.2, 1.0)
    return network.eval()


def _checkpoint(network: torch.nn.Module, **settings: Any) -> Checkpoint:
    return Checkpoint(Path("model.pth"), dict(network.state_dict()), "", settings)


@torch.no_grad()
def _output(network: torch.nn.Module, in_channels: int = 3, side: int = 64) -> torch.Tensor:
    image = torch.rand(1, in_channels, side, side, generator=torch.Generator().manual_seed(1))
    output = network(image)
    output = output[0] if isinstance(output, tuple) else output
    assert output.std() > 0, "a constant output is the same for every network"
    return output


# Together these cover every architecture, every family of encoders, and every option that the weights show.
NETWORKS: list[tuple[str, str, dict[str, Any]]] = [
    ("Unet", "resnet18", {}),
    ("Unet", "mit_b0", {"classes": 4}),
    ("Unet", "vgg11_bn", {"decoder_attention_type": "scse"}),
    ("Unet", "resnet34", {"encoder_depth": 3, "decoder_channels": (32, 16, 8), "in_channels": 1}),
    ("Unet", "mobileone_s1", {"decoder_use_norm": False, "in_channels": 2}),
    ("Unet", "dpn68", {"decoder_use_norm": {"type": "instancenorm", "affine": True}}),
    ("UnetPlusPlus", "efficientnet-b0", {"aux_params": {"classes": 5}}),
    ("UnetPlusPlus", "timm-efficientnet-b0", {"decoder_channels": (64, 32, 16, 8, 4), "classes": 2}),
    ("UnetPlusPlus", "resnet18", {"encoder_depth": 4, "decoder_channels": (64, 32, 16, 8)}),
    ("MAnet", "mobilenet_v2", {"decoder_pab_channels": 32}),
    ("MAnet", "timm-tf_efficientnet_lite0", {}),
    ("Linknet", "densenet121", {"in_channels": 1}),
    ("Linknet", "timm-skresnet18", {"encoder_depth": 4, "decoder_use_norm": False}),
    ("FPN", "mobilenet_v2", {"classes": 3}),
    ("FPN", "xception", {"decoder_merge_policy": "cat", "decoder_pyramid_channels": 64}),
    ("FPN", "resnet18", {"encoder_depth": 4, "upsampling": 2}),
    ("PSPNet", "se_resnet50", {"psp_out_channels": 64}),
    ("PSPNet", "resnet18", {"encoder_depth": 4, "upsampling": 16}),
    ("DeepLabV3", "resnet18", {"decoder_aspp_separable": True, "decoder_channels": 64}),
    ("DeepLabV3Plus", "resnet18", {"decoder_aspp_separable": False, "decoder_channels": 64}),
    ("DeepLabV3Plus", "mobilenet_v2", {"encoder_depth": 4}),
    ("PAN", "efficientnet-b0", {"encoder_depth": 3}),
    ("UPerNet", "resnet18", {"decoder_channels": 32, "decoder_use_norm": False}),
    ("Segformer", "mit_b0", {"decoder_segmentation_channels": 64}),
    ("Segformer", "resnet18", {"encoder_depth": 3}),
]


@pytest.mark.parametrize(
    ("architecture", "encoder", "options"),
    NETWORKS,
    ids=["-".join([architecture, encoder, *options]) for architecture, encoder, options in NETWORKS],
)
def test_round_trip(architecture: str, encoder: str, options: dict[str, Any]) -> None:
    network = _network(architecture, encoder, **options)
    checkpoint = _checkpoint(network)
    spec = recognize(checkpoint)
    assert (spec.architecture, spec.encoder) == (architecture, encoder)
    assert spec.in_channels == options.get("in_channels", 3)
    assert spec.classes == options.get("classes", 1)
    for name, value in options.items():
        if name in spec.options:
            expected = {False: "identity"}.get(value, value) if isinstance(value, bool) else value
            assert spec.options[name] in (value, expected)
    assert torch.equal(_output(build(spec, checkpoint), spec.in_channels), _output(network, spec.in_channels))


@pytest.mark.parametrize("container", ["torch", "wrapped", "safetensors", "folder"])
def test_round_trip_through_files(container: str, tmp_path: Path) -> None:
    network = _network("UnetPlusPlus", "resnet18", classes=2, decoder_interpolation="bilinear")
    path = tmp_path / "model.pth"
    weights = {f"module.{name}": tensor for name, tensor in network.state_dict().items()}
    if container == "torch":
        torch.save(weights, path)
    elif container == "wrapped":
        torch.save({"state_dict": weights, "epoch": 7}, path)
    elif container == "safetensors":
        safetensors.torch.save_file(weights, path)
    else:
        network.save_pretrained(path)
    checkpoint = read_checkpoint(path)
    rebuilt = build(recognize(checkpoint), checkpoint)
    if container != "folder":  # the weights do not show the interpolation; only SMP's folder has it
        for block in rebuilt.decoder.blocks.values():
            assert block.interpolation_mode == "nearest"
            block.interpolation_mode = "bilinear"
    assert torch.equal(_output(rebuilt), _output(network))


def test_the_network_is_ready_to_be_explained() -> None:
    network = _network("Unet", "resnet18", activation="sigmoid").half()
    settings = {"_model_class": "Unet", "encoder_name": "resnet18", "activation": "sigmoid"}
    checkpoint = _checkpoint(network, **settings)
    rebuilt = build(recognize(checkpoint), checkpoint)
    assert not rebuilt.training
    assert not any(parameter.requires_grad for parameter in rebuilt.parameters())
    assert {parameter.dtype for parameter in rebuilt.parameters()} == {torch.float32}
    assert torch.equal(torch.sigmoid(_output(rebuilt)), _output(network.float())), "the output must be logits"
    assert checkpoint.weights["segmentation_head.0.weight"].dtype == torch.float16


def test_recognition_builds_few_encoders_and_none_twice() -> None:
    checkpoint = _checkpoint(_network("UnetPlusPlus", "efficientnet-b5"))
    encoders.encoder_shapes.cache_clear()
    assert recognize(checkpoint).encoder == "efficientnet-b5"
    builds = encoders.encoder_shapes.cache_info().misses
    assert builds <= 3
    recognize(checkpoint)
    assert encoders.encoder_shapes.cache_info().misses == builds


def test_former_names_of_smp_are_recognized() -> None:
    network = _network("DeepLabV3", "resnet18", decoder_channels=32)
    former = {"decoder.aspp.": "decoder.0.", "decoder.conv.": "decoder.1.", "decoder.bn.": "decoder.2."}
    weights = {}
    for name, tensor in network.state_dict().items():
        for new, old in former.items():
            name = name.replace(new, old)
        weights[name] = tensor
    checkpoint = Checkpoint(Path("old.pth"), weights, "", {})
    spec = recognize(checkpoint)
    assert spec.architecture == "DeepLabV3"
    assert torch.equal(_output(build(spec, checkpoint)), _output(network))


def test_batch_counters_may_be_missing() -> None:
    network = _network("Unet", "resnet18")
    weights = {
        name: tensor for name, tensor in network.state_dict().items() if not name.endswith("num_batches_tracked")
    }
    checkpoint = Checkpoint(Path("converted.pth"), weights, "", {})
    assert torch.equal(_output(build(recognize(checkpoint), checkpoint)), _output(network))


def test_options_that_the_weights_do_not_show_are_assumed_unless_smp_saved_them() -> None:
    network = _network("DeepLabV3Plus", "resnet18", decoder_atrous_rates=(6, 12, 18), decoder_channels=32)
    assumed = recognize(_checkpoint(network)).assumed
    assert assumed == {"encoder_output_stride": "16", "decoder_atrous_rates": "(12, 24, 36)"}
    settings = json.loads(json.dumps(network.config)) | {"_model_class": "DeepLabV3Plus"}
    spec = recognize(_checkpoint(network, **settings))
    assert spec.assumed == {}
    assert tuple(spec.options["decoder_atrous_rates"]) == (6, 12, 18)


def test_only_assumed_options_can_be_set() -> None:
    network = _network("DeepLabV3Plus", "resnet18", decoder_atrous_rates=(6, 12, 18), decoder_channels=32)
    checkpoint = _checkpoint(network)
    spec = recognize(checkpoint, options={"decoder_atrous_rates": [6, 12, 18]})
    assert set(spec.assumed) == {"encoder_output_stride"}
    assert torch.equal(_output(build(spec, checkpoint)), _output(network))
    with pytest.raises(SegcamError, match=r"option 'decoder_channels'.*encoder_output_stride, decoder_atrous_rates"):
        recognize(checkpoint, options={"decoder_channels": 64})
    with pytest.raises(SegcamError, match="cannot be built"):
        build(recognize(checkpoint, options={"encoder_output_stride": "many"}), checkpoint)


def test_metadata_of_other_libraries_is_ignored() -> None:
    settings = {"architecture": "MyNet", "encoder": "resnet-fifty", "upsampling": "4", "_model_class": "Linknet"}
    spec = recognize(_checkpoint(_network("Unet", "resnet18"), **settings))
    assert (spec.architecture, spec.encoder) == ("Unet", "resnet18")
    assert "upsampling" not in spec.options


@pytest.mark.slow
@pytest.mark.parametrize("source", ["user", "settings", "training arguments"])
@pytest.mark.parametrize(
    ("architecture", "encoder"), [("Unet", "tu-regnetx_002"), ("FPN", "tu-convnext_atto"), ("Unet", "tu-resnetblur18")]
)
def test_named_timm_encoders(source: str, architecture: str, encoder: str) -> None:
    network = _network(architecture, encoder, in_channels=1)
    checkpoint = _checkpoint(network, **({"encoder_name": encoder} if source == "settings" else {}))
    if source == "training arguments":
        checkpoint.extra["hyper_parameters"] = {"lr": 0.1, "encoder_name": encoder}
    spec = recognize(checkpoint, encoder=encoder if source == "user" else None)
    assert (spec.encoder, spec.in_channels) == (encoder, 1)
    assert "encoder" not in spec.assumed
    assert torch.equal(_output(build(spec, checkpoint), 1), _output(network, 1))


@pytest.mark.parametrize(
    ("architecture", "encoder", "options"),
    [
        ("Unet", "tu-regnetx_002", {"in_channels": 1}),
        ("Unet", "tu-mobilenetv3_small_050", {"encoder_depth": 4, "decoder_channels": (32, 16, 8, 8)}),
        ("FPN", "tu-convnext_atto", {"in_channels": 7}),
        ("UnetPlusPlus", "tu-tf_efficientnetv2_b0", {}),
    ],
)
def test_timm_encoders_are_recognized_by_the_weights(architecture: str, encoder: str, options: dict[str, Any]) -> None:
    network = _network(architecture, encoder, **options)
    checkpoint = _checkpoint(network)
    spec = recognize(checkpoint)
    assert spec.encoder == encoder
    in_channels = options.get("in_channels", 3)
    assert torch.equal(_output(build(spec, checkpoint), in_channels), _output(network, in_channels))


def test_encoders_whose_weights_have_the_same_shapes_are_all_listed() -> None:
    spec = recognize(_checkpoint(_network("Unet", "tu-resnetblur18")))
    assert spec.encoder == "tu-resnet18"
    assert "tu-resnetblur18" in spec.assumed["encoder"]


def test_dpt() -> None:
    encoder = "tu-vit_tiny_patch16_224"
    network = _network("DPT", encoder, decoder_intermediate_channels=(16, 16, 16, 16), decoder_fusion_channels=16)
    checkpoint = _checkpoint(network)
    spec = recognize(checkpoint)
    assert (spec.architecture, spec.encoder) == ("DPT", encoder)
    assert torch.equal(_output(build(spec, checkpoint), side=224), _output(network, side=224))


def test_former_timm_encoders_of_smp() -> None:
    network = _network("Unet", "tu-regnetx_002")
    weights = {name.replace("encoder.model.", "encoder."): tensor for name, tensor in network.state_dict().items()}
    checkpoint = Checkpoint(Path("old.pth"), weights, "", {})
    spec = recognize(checkpoint, encoder="timm-regnetx_002")
    assert torch.equal(_output(build(spec, checkpoint)), _output(network))


@pytest.fixture(scope="module")
def unet() -> Checkpoint:
    return _checkpoint(_network("Unet", "resnet18"))


@pytest.mark.parametrize("spelling", ["Unet", "unet", "UNet", "u-net"])
def test_the_users_spelling_of_an_architecture(spelling: str, unet: Checkpoint) -> None:
    assert recognize(unet, architecture=spelling, encoder="resnet18").architecture == "Unet"


@pytest.mark.parametrize(
    ("choice", "reason"),
    [
        ({"architecture": "unet+++"}, r"no architecture named 'unet\+\+\+'.*UnetPlusPlus"),
        ({"architecture": "unet++"}, "not those of UnetPlusPlus"),
        ({"encoder": "resnet19"}, "no encoder named 'resnet19'.*resnet18"),
        ({"encoder": "resnet34"}, r"not those of resnet34 \(\d+ of its \d+ tensors are missing"),
        ({"encoder": "resnet50"}, "decoder does not fit resnet50"),
        ({"encoder": "tu-hf-hub:someone/model"}, "no encoder named"),
        ({"encoder": "tu-local-dir:/etc"}, "no encoder named"),
    ],
)
def test_the_users_choice_must_fit(choice: dict[str, str], reason: str, unet: Checkpoint) -> None:
    with pytest.raises(SegcamError, match=reason):
        recognize(unet, **choice)


def _without(checkpoint: Checkpoint, *names: str, **added: torch.Tensor) -> Checkpoint:
    weights = {name: tensor for name, tensor in checkpoint.weights.items() if not name.startswith(names)}
    return Checkpoint(checkpoint.path, weights | added, "", {})


def test_unknown_weights_are_refused_with_what_to_do(unet: Checkpoint) -> None:
    with pytest.raises(SegcamError, match=r"architecture is not recognized.*--architecture.*UnetPlusPlus"):
        recognize(Checkpoint(Path("other.pth"), {"conv.weight": torch.zeros(1)}, "", {}))
    with pytest.raises(SegcamError, match="segmentation head are missing"):
        recognize(_without(unet, "segmentation_head."))
    with pytest.raises(SegcamError, match=r"closest is resnet18 .1 of its 100 tensors are missing.*--encoder"):
        recognize(_without(unet, "encoder.layer1.0.conv1.weight"))
    with pytest.raises(SegcamError, match="the encoder of this Unet is not recognized"):
        recognize(_without(unet, "encoder."))


def test_a_partial_match_is_refused_with_the_counts(unet: Checkpoint) -> None:
    partial = _without(
        unet,
        "decoder.blocks.3.conv2.1.",
        **{"decoder.extra": torch.zeros(1), "decoder.blocks.2.conv2.0.weight": torch.zeros(64, 64, 1, 1)},
    )
    with pytest.raises(SegcamError) as refusal:
        build(recognize(partial), partial)
    message = str(refusal.value)
    assert "4 missing (decoder.blocks.3.conv2.1." in message
    assert "1 unexpected (decoder.extra)" in message
    assert "1 of another shape (decoder.blocks.2.conv2.0.weight)" in message


def test_quantized_weights_are_refused(unet: Checkpoint) -> None:
    name = "encoder.bn1.running_mean"
    changed = _without(unet, name, **{name: unet.weights[name].to(torch.int8)})
    with pytest.raises(SegcamError, match=f"not floating-point numbers .{name}"):
        build(recognize(changed), changed)


def test_a_network_that_smp_cannot_build_is_refused(unet: Checkpoint) -> None:
    with pytest.raises(SegcamError, match="cannot be built"):
        build(NetworkSpec("UnetPlusPlus", "mit_b0", 3, 1), unet)


@pytest.mark.parametrize("shape", [(1,), (0, 0, 0, 0), (10**5, 10**5, 3, 3)])
@pytest.mark.parametrize(
    "name", ["decoder.blocks.0.conv1.0.weight", "encoder.conv1.weight", "segmentation_head.0.weight"]
)
def test_senseless_shapes_are_refused(name: str, shape: tuple[int, ...], unet: Checkpoint) -> None:
    changed = _without(unet, name, **{name: torch.zeros(1).expand(shape)})
    with pytest.raises(SegcamError):
        build(recognize(changed), changed)
