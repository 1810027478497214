"""Of several outputs, the segmentation is chosen by evidence or by name; if that fails, the network is refused."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import nn

import napari_segcam as sc
from napari_segcam.errors import SegcamError
from napari_segcam.network.model_card import ModelCard
from napari_segcam.network.network import Network


@dataclass
class ModelOutput:
    loss: torch.Tensor | None
    hidden_states: tuple[torch.Tensor, ...]
    logits: torch.Tensor


Pair = namedtuple("Pair", "aux seg")


@dataclass
class Maps:
    """Outputs of a small U-Net: features and heads at two sizes, and scores of the whole image."""

    fine: torch.Tensor
    coarse: torch.Tensor
    features: torch.Tensor
    deep: torch.Tensor
    scores: torch.Tensor
    size: tuple[int, int]

    def enlarged(self) -> torch.Tensor:
        return F.interpolate(self.coarse, self.size, mode="bilinear")


class Net(nn.Module):
    def __init__(self, choose: Callable[[Maps], Any], classes: int = 1) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.down = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(inplace=True))
        self.bottom = nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(4, 8, 3, padding=1), nn.ReLU(inplace=True))
        self.up = nn.Sequential(
            nn.Conv2d(12, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU()
        )
        self.head, self.coarse, self.classify = nn.Conv2d(4, classes, 1), nn.Conv2d(8, classes, 1), nn.Linear(8, 2)
        self.choose = choose

    def maps(self, x: torch.Tensor) -> Maps:
        first = self.down(x)
        deep = self.bottom(first)
        features = self.up(torch.cat([F.interpolate(deep, scale_factor=2.0), first], 1))
        size = (x.shape[-2], x.shape[-1])
        scores = self.classify(deep.mean((2, 3)))
        return Maps(self.head(features), self.coarse(deep), features, deep, scores, size)

    def forward(self, x: torch.Tensor) -> Any:
        return self.choose(self.maps(x))


def image() -> torch.Tensor:
    return torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(1))


def read(module: nn.Module, **card: Any) -> Network:
    return Network.from_module(module, ModelCard(normalization="unit", **card), device="cpu")


OUTPUTS: dict[str, tuple[Callable[[Maps], Any], str]] = {  # the returned outputs, and the name of the fine map in them
    "alone": (lambda m: m.fine, ""),
    "alone in a list": (lambda m: [m.fine], "0"),
    "coarse first": (lambda m: [m.enlarged(), m.fine], "1"),
    "fine first": (lambda m: (m.fine, m.enlarged()), "0"),
    "coarse and smaller": (lambda m: (m.coarse, m.fine), "1"),
    "stacked": (lambda m: torch.stack([m.enlarged(), m.fine], 1), "1"),
    "stacked before the batch": (lambda m: torch.stack([m.fine, m.enlarged()]), "0"),
    "features first": (lambda m: (m.features, m.fine), "1"),
    "deep features first": (lambda m: (m.deep, m.fine), "1"),
    "scores first": (lambda m: (m.scores, m.fine), "1"),
    "no loss": (lambda m: {"loss": None, "logits": m.fine}, "logits"),
    "a loss": (lambda m: {"loss": m.fine.mean(), "logits": m.fine}, "logits"),
    "by name": (lambda m: {"aux": m.fine + 1, "seg": m.fine}, "seg"),
    "in a dictionary": (lambda m: {"scores": m.scores, "decoder": {"out": m.fine, "aux": m.enlarged()}}, "decoder.out"),
    "in a tuple": (lambda m: (m.scores, [m.enlarged(), m.fine]), "1.1"),
    "a named tuple": (lambda m: Pair(m.fine + 1, m.fine), "seg"),
    "a dataclass": (lambda m: ModelOutput(None, (m.features, m.features), m.fine), "logits"),
    "an object": (lambda m: SimpleNamespace(features=m.features, mask=m.fine), "mask"),
    "with its probabilities": (lambda m: {"probs": m.fine.sigmoid(), "logits": m.fine}, "logits"),
    "with its labels": (lambda m: ((m.fine > 0).long(), m.fine), "1"),
    "squeezed": (lambda m: m.fine.squeeze(1), ""),
    "squeezed in every dimension": (lambda m: m.fine.squeeze(), ""),
    "refined": (lambda m: (m.fine, m.fine.tanh() * 2 - m.fine), "1"),
    "all from one decoder": (lambda m: (m.enlarged() + 0 * m.fine, m.fine), "1"),
}


@pytest.mark.parametrize("name", sorted(OUTPUTS.keys() - {"all from one decoder", "refined"}))
def test_the_segmentation_is_found(name: str) -> None:
    choose, output_name = OUTPUTS[name]
    module = Net(choose).eval()
    network = read(module)
    with torch.no_grad():
        torch.testing.assert_close(network.module(image()), module.maps(image()).fine)
        torch.testing.assert_close(network.form.module(image()), module.maps(image()).fine, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(network.module(image()[:1]), module.maps(image()[:1]).fine)
    assert (network.output.name, network.classes, network.segments) == (output_name, 1, True)
    assert ("output" in network.assumed) == (len(network.output.choices) > 1)


def test_the_choice_and_the_other_outputs_are_reported() -> None:
    network = read(Net(OUTPUTS["coarse first"][0]))
    assert network.output.choices == ("0", "1")
    assert network.assumed["output"] == "1, not 0: drawn from the finest map"


def test_a_nested_decoder_is_read_at_its_last_head() -> None:
    """All heads have the size of the image, so the head of the last block in the chain is read."""

    class Nested(Net):
        def __init__(self) -> None:
            super().__init__(lambda m: m)
            self.first = nn.Conv2d(4, 1, 1)

        def forward(self, x: torch.Tensor) -> Any:
            return {"b": self.first(self.down(x)), "a": self.maps(x).fine}

    assert read(Nested()).output.name == "a"


def test_the_card_names_the_output() -> None:
    module = Net(lambda m: {"aux": m.enlarged(), "seg": m.fine}).eval()
    network = read(module, output="aux")
    with torch.no_grad():
        torch.testing.assert_close(network.module(image()), module.maps(image()).enlarged())
    assert "output" not in network.assumed
    assert read(Net(lambda m: (m.scores, m.fine)), output="0").segments is False


def test_the_message_about_an_unknown_output_lists_the_choices() -> None:
    with pytest.raises(SegcamError) as refusal:
        read(Net(lambda m: {"aux": m.coarse, "seg": m.fine}), output="segm")
    assert "no output named 'segm' (did you mean seg?)" in str(refusal.value)
    assert "aux (1 channel, 32×32 pixels), seg (1 channel, 64×64 pixels)" in str(refusal.value)
    with pytest.raises(SegcamError, match="one output, which needs no name"):
        read(Net(lambda m: m.fine), output="seg")


def test_the_number_of_classes_in_the_card_decides() -> None:
    choose = lambda m: (torch.cat([m.fine, m.fine], 1), torch.cat([m.fine, m.fine, m.fine], 1))  # noqa: E731
    assert read(Net(choose), class_names=("background", "a", "b")).output.name == "1"
    assert read(Net(choose), class_names=("background", "a")).output.name == "0"


def test_a_network_without_a_clear_choice_is_refused_with_the_choices() -> None:
    class TwoHeads(Net):
        def __init__(self) -> None:
            super().__init__(lambda m: m)
            self.organ = nn.Conv2d(4, 1, 1)

        def forward(self, x: torch.Tensor) -> Any:
            maps = self.maps(x)
            return {"lesion": maps.fine, "organ": self.organ(maps.features)}

    with pytest.raises(SegcamError, match=r"it is not clear which .* lesion \(1 channel.*organ .*--output"):
        read(TwoHeads())
    assert read(TwoHeads(), output="organ").output.name == "organ"
    with pytest.raises(SegcamError, match="it is not clear which"):  # two classes of one head
        read(Net(lambda m: m.fine.chunk(2, 1), classes=2))


def test_a_map_computed_from_the_probabilities_is_not_taken_for_them() -> None:
    """A variance or an entropy follows from the probabilities, and is also between 0 and 1."""
    variance = lambda p: p * (1 - p)  # noqa: E731
    entropy = lambda p: -(p * p.clamp_min(1e-6).log())  # noqa: E731
    for derived in (variance, entropy):
        with pytest.raises(SegcamError, match="it is not clear which"):
            read(Net(lambda m, derived=derived: (m.fine.sigmoid(), derived(m.fine.sigmoid()))))
    assert read(Net(lambda m: (m.enlarged(), m.fine, (m.enlarged() + m.fine) / 2))).output.name == "2"


def test_maps_of_objects_are_not_taken_for_classes() -> None:
    """DETR, MaskFormer and Mask2Former return a map and class scores for each of several queries."""
    for name in ("pred_masks", "masks_queries_logits"):
        choose = lambda m, name=name: {"scores": m.scores[:, None].expand(-1, 3, -1), name: m.fine}  # noqa: E731
        with pytest.raises(SegcamError, match="a map for each object, not for each class"):
            read(Net(choose, classes=3))


def test_stages_follow_the_chosen_output() -> None:
    by_name = {name: read(Net(lambda m: {"a": m.fine, "b": m.enlarged()}), output=name).stages for name in "ab"}
    assert "up" in {stage.layer for stage in by_name["a"]}
    assert "up" not in {stage.layer for stage in by_name["b"]}, "the coarse output does not depend on it"


def test_smaller_logits_are_found_by_name_and_by_dependence() -> None:
    choose = lambda m: {"hidden_states": (m.features, m.deep), "logits": m.coarse}  # noqa: E731
    assert read(Net(choose)).output.name == "logits"
    assert read(Net(lambda m: (m.deep, m.coarse))).output.name == "1"

    class Classifier(Net):
        def forward(self, x: torch.Tensor) -> Any:
            deep = self.bottom(self.down(x))
            return deep, self.classify(deep.mean((2, 3)))

    network = read(Classifier(lambda m: m))
    assert (network.output.name, network.segments) == ("1", False)


@pytest.mark.slow
def test_the_main_output_of_a_known_library_is_read() -> None:
    network = torchvision.models.segmentation.fcn_resnet50(
        weights=None, weights_backbone=None, num_classes=3, aux_loss=True
    )
    assert Network.from_module(network, device="cpu").output.name == "out"


@pytest.mark.parametrize(
    "name", ["coarse first", "stacked", "squeezed in every dimension", "in a tuple", "a dataclass"]
)
def test_every_method_reads_the_same_output(name: str) -> None:
    frame = (image()[0, 0].numpy() * 255).astype(np.uint8)
    single, several = read(Net(lambda m: m.fine)), read(Net(OUTPUTS[name][0]))
    for method in ("gradcam", "scorecam", "ablationcam", "occlusion", "integrated_gradients"):
        expected, explanation = (
            sc.Explainer(network, method, stages=["up"])(frame, None, (0, 255)) for network in (single, several)
        )
        np.testing.assert_allclose(explanation.probabilities, expected.probabilities, atol=1e-5)
        for stage, heatmap in expected.heatmaps.items():
            np.testing.assert_allclose(explanation.heatmaps[stage].values, heatmap.values, rtol=1e-3, atol=1e-5)
    batch = list(sc.Explainer(several, stages=["up"]).each([frame, frame[::-1]], value_range=(0, 255), batch=2))
    assert np.array_equal(batch[0].mask, sc.Explainer(single, stages=[])(frame, None, (0, 255)).mask)


def test_labels_instead_of_scores_are_refused() -> None:
    with pytest.raises(SegcamError, match="of int64 numbers: class indices"):
        read(Net(lambda m: (m.fine > 0).long()))
