"""Stages have the right names, and the layer of a stage is the one that makes its map."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import segmentation_models_pytorch as smp
import torch
from one_pass import run
from torch import nn

from napari_segcam.errors import SegcamError
from napari_segcam.network.model_card import ModelCard
from napari_segcam.network.network import Network
from napari_segcam.network.output import read_output
from napari_segcam.network.stages.forward_trace import logits_of, trace_forward
from napari_segcam.network.stages.stage import main_stages, stage_aliases


def network_of(module: nn.Module) -> Network:
    return Network.from_module(module, device="cpu")


@pytest.fixture(scope="module")
def unet_plus_plus() -> Network:
    return network_of(smp.UnetPlusPlus("resnet18", encoder_weights=None))


@pytest.fixture(scope="module")
def efficient() -> Network:
    return network_of(smp.Unet("efficientnet-b0", encoder_weights=None))


@pytest.fixture(scope="module")
def transformer() -> Network:
    return network_of(smp.Segformer("mit_b0", encoder_weights=None, classes=3))


# ── names, strides, channels, order ─────────────────────────────────────────────────────────────────────────────────


def test_unet_plus_plus_has_its_nodes_under_their_names(unet_plus_plus: Network) -> None:
    summary = [(stage.name, stage.kind, stage.stride, stage.channels) for stage in unet_plus_plus.stages]
    assert summary == [
        ("encoder_1", "encoder", 2, 64),
        ("encoder_2", "encoder", 4, 64),
        ("encoder_3", "encoder", 8, 128),
        ("encoder_4", "encoder", 16, 256),
        ("encoder_5", "encoder", 32, 512),
        ("decoder_x_0_0", "decoder", 16, 256),
        ("decoder_x_1_1", "decoder", 8, 128),
        ("decoder_x_2_2", "decoder", 4, 64),
        ("decoder_x_3_3", "decoder", 2, 64),
        ("decoder_x_0_1", "decoder", 8, 128),
        ("decoder_x_1_2", "decoder", 4, 64),
        ("decoder_x_2_3", "decoder", 2, 64),
        ("decoder_x_0_2", "decoder", 4, 64),
        ("decoder_x_1_3", "decoder", 2, 64),
        ("decoder_x_0_3", "decoder", 2, 32),
        ("decoder_x_0_4", "decoder", 1, 16),
        ("seg_head", "head", 1, 1),
    ]
    assert unet_plus_plus.stride == 32


def test_stages_are_in_order_of_execution(unet_plus_plus: Network) -> None:
    last_run: dict[str, int] = {}
    handles = [
        unet_plus_plus.module.get_submodule(stage.layer).register_forward_hook(
            lambda *_, name=stage.name: last_run.update({name: len(last_run)})
        )
        for stage in unet_plus_plus.stages
    ]
    with torch.no_grad():
        unet_plus_plus.module(torch.zeros(1, 3, 64, 64))
    for handle in handles:
        handle.remove()
    assert sorted(last_run, key=last_run.__getitem__) == [stage.name for stage in unet_plus_plus.stages]


def test_unet_plus_plus_has_ten_main_stages(unet_plus_plus: Network) -> None:
    assert [stage.name for stage in main_stages(unet_plus_plus.stages)] == [
        *(f"encoder_{index}" for index in range(1, 6)),
        *(f"decoder_x_0_{index}" for index in range(5)),
    ]


def test_aliases_name_the_ends_and_the_middle(unet_plus_plus: Network) -> None:
    assert stage_aliases(unet_plus_plus.stages) == {
        "encoder_early": "encoder_1",
        "encoder_mid": "encoder_3",
        "encoder_last": "encoder_5",
        "decoder_last": "decoder_x_0_4",
    }
    assert stage_aliases(()) == {}


# ── the right layer ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("fixture", ["unet_plus_plus", "efficient", "transformer"])
def test_encoder_stages_return_the_outputs_of_the_encoder(fixture: str, request: pytest.FixtureRequest) -> None:
    network: Network = request.getfixturevalue(fixture)
    x = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    stages = network.select("encoder")
    result = run(network.module, x, stages, torch.ones_like)
    with torch.no_grad():
        features = network.module.get_submodule("encoder")(x)
    for stage in stages:
        torch.testing.assert_close(result.activations[stage.name], features[int(stage.name[-1])])
        assert result.activations[stage.name].shape[1:] == (stage.channels, 64 // stage.stride, 64 // stage.stride)
        assert result.gradients[stage.name] is not None


def test_a_layer_that_only_passes_a_map_on_is_not_its_stage(efficient: Network) -> None:
    """The block after an encoder output begins with an ``nn.Identity`` that returns the same tensor."""
    assert {stage.name: stage.layer for stage in efficient.select("encoder")} == {
        "encoder_1": "encoder._swish",
        "encoder_2": "encoder._blocks.2",
        "encoder_3": "encoder._blocks.4",
        "encoder_4": "encoder._blocks.8",
        "encoder_5": "encoder._blocks.15",
    }


def test_an_encoder_that_returns_views_of_its_maps_is_tapped_at_its_outputs(transformer: Network) -> None:
    """Segformer has no map at stride 2, and its maps are made in the forward method of the encoder."""
    encoder = transformer.select("encoder")
    assert [(stage.name, stage.stride, stage.layer, stage.output) for stage in encoder] == [
        ("encoder_2", 4, "encoder", 2),
        ("encoder_3", 8, "encoder", 3),
        ("encoder_4", 16, "encoder", 4),
        ("encoder_5", 32, "encoder", 5),
    ]
    assert transformer.stage("encoder_last").name == "encoder_5"
    assert transformer.classes == 3


class Chain(nn.Module):
    def __init__(self, wrap: Callable[[torch.Tensor], object] = lambda logits: logits) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True))
        self.up = nn.Upsample(scale_factor=2)
        self.head = nn.Conv2d(4, 2, 1)
        self.wrap = wrap

    def forward(self, x: torch.Tensor) -> object:
        return self.wrap(self.head(self.up(self.body(x))))


def test_any_layer_can_be_chosen_by_its_dotted_name() -> None:
    network = network_of(Chain())
    stage = network.stage("body.0")
    assert (stage.name, stage.kind, stage.stride, stage.channels) == ("body.0", "layer", 2, 4)
    assert [network.stage(f"body.{index}").overwritten for index in range(3)] == [False, True, False]


def test_an_unknown_name_is_refused_with_similar_ones(unet_plus_plus: Network) -> None:
    with pytest.raises(SegcamError, match=r"no stage or layer named 'decoder_x_0_5'\. Closest: decoder_x_0_4"):
        unet_plus_plus.stage("decoder_x_0_5")
    with pytest.raises(SegcamError, match=r"'encoder\.layer5'\. Closest: encoder\.layer4"):
        unet_plus_plus.stage("encoder.layer5")
    with pytest.raises(SegcamError, match="Closest: encoder_1"):
        unet_plus_plus.stage("!?")


# ── what networks return ────────────────────────────────────────────────────────────────────────────────────────────


def test_the_mask_of_a_network_that_also_classifies_is_explained() -> None:
    network = network_of(smp.Unet("resnet18", encoder_weights=None, classes=2, aux_params={"classes": 5}))
    assert network.classes == 2
    assert network.stages[-1].name == "seg_head"
    result = run(network.module, torch.rand(1, 3, 64, 64), network.select(["encoder_last"]), torch.ones_like)
    assert result.logits.shape == (1, 2, 64, 64)
    assert result.gradients["encoder_5"] is not None


def test_the_out_entry_of_a_dict_is_explained() -> None:
    network = network_of(Chain(lambda logits: {"aux": logits[:, :1], "out": logits}))
    assert network.classes == 2


@pytest.mark.parametrize(
    ("wrap", "words"),
    [
        (lambda logits: logits.mean(3), r"gave a tensor of shape \(1, 2, 64\)"),
        (lambda _: None, "gave a NoneType"),
        (lambda _: {}, "gave a dict"),
        (lambda _: (), "gave a tuple"),
    ],
    ids=["rows", "none", "empty dict", "empty tuple"],
)
def test_a_network_that_does_not_segment_is_refused(wrap: Callable[[torch.Tensor], object], words: str) -> None:
    with pytest.raises(SegcamError, match=f"returns neither a segmentation nor class scores.*{words}"):
        network_of(Chain(wrap))


def test_class_scores_are_maps_of_one_pixel() -> None:
    scores = torch.arange(6.0).reshape(2, 3)
    assert torch.equal(logits_of(scores), scores.reshape(2, 3, 1, 1))
    classifier = trace_forward(Chain(lambda logits: logits.mean((2, 3))).eval(), 3)
    assert (classifier.segments, classifier.classes) == (False, 2)
    assert trace_forward(Chain().eval(), 3).segments


# ── the dry run ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_dry_run_leaves_no_hook() -> None:
    network = network_of(Chain())
    assert not any(part._forward_hooks for part in network.module.modules())


def test_a_traced_dry_run_shows_what_the_output_depends_on() -> None:
    class Branching(Chain):
        def forward(self, x: torch.Tensor) -> object:
            logits = self.up(self.body(x))
            return {"aux": self.head(logits), "out": logits[:, :2]}

    branching = Branching().eval()
    read_output(branching, ModelCard())
    trace = trace_forward(branching, 3, trace=True)
    assert [layer for layer in trace.layers() if not trace.outputs[layer, None].is_used] == ["head"]
    assert all(output.is_used for output in trace_forward(branching, 3).outputs.values()), "not traced"


def test_the_dry_run_finds_a_size_that_the_network_accepts() -> None:
    class Fixed(Chain):
        def forward(self, x: torch.Tensor) -> object:
            assert x.shape[-1] == 224, "224 only"
            return super().forward(x)

    assert trace_forward(Fixed().eval(), 3).size == (224, 224)


def test_a_network_with_another_number_of_channels_is_refused() -> None:
    with pytest.raises(SegcamError, match="does not run on images with 2 channels of any size from 64 to 512 pixels"):
        trace_forward(Chain().eval(), 2)


class HeadAlone(nn.Module):
    """Has a ``segmentation_head`` like SMP's networks, but no encoder."""

    def __init__(self) -> None:
        super().__init__()
        self.segmentation_head = nn.Conv2d(3, 1, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.segmentation_head(x)


def test_a_network_with_a_head_and_no_encoder_has_the_head_as_its_stage() -> None:
    assert [stage.name for stage in network_of(HeadAlone()).stages] == ["seg_head"]


class ClassifyingHead(nn.Module):
    """A classifier whose last layer has the name of SMP's head, but returns class scores and no map."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.ReLU())
        self.segmentation_head = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.segmentation_head(self.body(x).mean((2, 3)))


def test_a_segmentation_head_that_returns_no_map_is_not_a_stage() -> None:
    network = network_of(ClassifyingHead())
    assert [(stage.name, stage.layer) for stage in network.stages] == [("encoder_1", "body")]
