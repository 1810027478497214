"""Questions about a network that its file does not answer, and what an answer changes."""

from __future__ import annotations

import pytest
import segmentation_models_pytorch as smp
import torch
from torch import nn

from napari_segcam.errors import SegcamError
from napari_segcam.network.model_card import ModelCard, make_card
from napari_segcam.network.network import Network
from napari_segcam.network.questions.answers import with_answer
from napari_segcam.network.questions.questions import Question, open_questions, questions_of
from napari_segcam.network.whole_network import WholeNetwork

STATED = {"size": {"rule": "pad"}, "channel_order": "rgb", "normalization": "unit", "class_names": ("cyst",)}


class TwoHeads(nn.Module):
    """Returns two maps of the image's size; neither name says which is the segmentation."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1), nn.ReLU())
        self.head, self.side = nn.Conv2d(4, 2, 1), nn.Conv2d(4, 2, 1)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        features = self.body(x)
        return {"out": self.head(features), "aux": self.side(features)}


def named(network: Network) -> dict[str, Question]:
    return {question.name: question for question in questions_of(network)}


@pytest.fixture(scope="module")
def single() -> Network:
    torch.manual_seed(0)
    return Network.from_module(smp.Unet("resnet18", encoder_weights=None), device="cpu")


@pytest.fixture(scope="module")
def three() -> Network:
    torch.manual_seed(0)
    return Network.from_module(smp.Unet("resnet18", encoder_weights=None, classes=3), device="cpu")


def test_only_what_nobody_has_said_is_open(single: Network) -> None:
    assert [question.name for question in open_questions(single)] == [
        "normalization",
        "size",
        "channel_order",
        "class_names",
    ]
    answered = with_answer(single, STATED)
    assert open_questions(answered) == ()
    assert [question.name for question in questions_of(answered)] == list(named(single)), "answers can be changed"
    assert named(answered)["normalization"].status == "0 to 1"
    assert named(single)["normalization"].status == "assumed: ImageNet"


def test_networks_are_asked_only_what_concerns_them(single: Network, three: Network) -> None:
    assert "classes_overlap" in named(three)
    assert "classes_overlap" not in named(single)
    gray = Network.from_module(nn.Conv2d(1, 2, 3, padding=1), device="cpu")
    assert "channel_order" not in named(gray)
    softmax = Network.from_module(nn.Sequential(nn.Conv2d(3, 3, 1), nn.Softmax(1)), device="cpu")
    assert "classes_overlap" not in named(softmax), "its own softmax says that they exclude each other"


def test_every_option_is_a_valid_card_and_the_present_one_is_marked(three: Network) -> None:
    for question in questions_of(three):
        for option in question.options:
            assert make_card(option.fields, three.card)
            assert option.flag
        if question.options:
            assert question.current is not None
            current = question.options[question.current].fields
            unchanged = with_answer(three, current).card
            assert (unchanged.normalization, unchanged.size, unchanged.channel_order, unchanged.classes_overlap) == (
                (three.card.normalization, three.card.size, three.card.channel_order, three.card.classes_overlap)
            )


def test_a_value_that_is_not_usual_is_an_option_too(single: Network) -> None:
    card = {"normalization": "custom", "mean": (0.2,), "std": (0.1,), "size": {"rule": "resize"}}
    asked = named(with_answer(single, card))
    question = asked["normalization"]
    assert question.current == len(question.options) - 1
    assert question.options[question.current].label == "Mean 0.2, std 0.1"
    half = {"normalization": "custom", "mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
    minus_one_to_one = named(with_answer(single, half))["normalization"]
    assert minus_one_to_one.used == "−1 to 1", "one number for all channels means the same"
    assert asked["size"].used == "Resized"


def test_a_network_of_one_size_is_offered_only_ways_to_that_size() -> None:
    class OneSize(WholeNetwork):
        image_size = (32, 48)

        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Conv2d(3, 1, 3, padding=1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            assert x.shape[-2:] == (32, 48)
            return self.layer(x)

    card = ModelCard.model_validate({"size": {"rule": "resize", "height": 32, "width": 48}})
    question = named(Network.from_module(OneSize(), card, device="cpu"))["size"]
    assert [option.label for option in question.options] == [
        "Resized to 32×48",
        "Letterboxed to 32×48",
        "In tiles of 32×48",
    ]
    assert question.current == 0


def test_an_answer_shares_the_weights_and_leaves_the_network_as_it_was(three: Network) -> None:
    answered = with_answer(three, {"normalization": "custom", "mean": (0.5,), "std": (0.5,)})
    assert answered.module is three.module
    assert "normalization" in three.assumed
    assert "normalization" not in answered.assumed
    again = with_answer(answered, {"normalization": "zscore"})
    assert (again.card.normalization, again.card.mean) == ("zscore", ())


def test_overlap_is_answered_with_its_warning(three: Network) -> None:
    assert any("exclude each other or overlap" in words for words in three.warnings)
    answered = with_answer(three, {"classes_overlap": True})
    assert answered.classes_overlap
    assert not answered.warnings
    assert with_answer(answered, {"classes_overlap": False}).has_background


def test_another_output_is_read() -> None:
    torch.manual_seed(0)
    module = TwoHeads().eval()
    network = Network.from_module(module, device="cpu")
    question = named(network)["output"]
    assert [option.label for option in question.options] == ["out", "aux"]
    assert (question.used, question.is_open) == ("out", True)
    answered = with_answer(network, {"output": "aux"})
    x = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(answered.module(x), module(x)["aux"])
        torch.testing.assert_close(network.module(x), module(x)["out"])  # the network itself still reads the other
    assert "output" not in answered.assumed
    assert not named(answered)["output"].is_open


def test_what_cannot_be_answered_is_refused(three: Network) -> None:
    with pytest.raises(SegcamError, match=r"2 class names, but .* has 3 classes"):
        with_answer(three, {"class_names": ("a", "b")})
    with pytest.raises(SegcamError, match="encoder cannot change"):
        with_answer(three, {"encoder": "resnet34"})
    softmax = Network.from_module(
        nn.Sequential(nn.Conv2d(3, 3, 1), nn.Softmax(1)), ModelCard(input_channels=3), device="cpu"
    )
    with pytest.raises(SegcamError, match="ends in a softmax"):
        with_answer(softmax, {"classes_overlap": True})
