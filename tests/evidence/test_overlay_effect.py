"""Overlay effect on networks that do or do not hang on a white mark, with known answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from planted_network import soft_speckle
from torch import nn
from torch.nn import functional as F

import napari_segcam as sc
from napari_segcam.evidence.measuring import measure_evidence
from napari_segcam.evidence.null import Measurement
from napari_segcam.evidence.overlay_effect import OverlayEffect
from napari_segcam.evidence.patches import place_elsewhere
from napari_segcam.explanation.slow_methods.control import Cancelled
from napari_segcam.reporting.evidence_rows import evidence_rows

LEVELS = (0.0, 255.0)
POINTS = [(64, 40), (90, 100)]


class Follower(nn.Module):
    """The mask is a square around each thin white mark, and nothing else: the network knows calipers only."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        thin = x - (-F.max_pool2d(F.max_pool2d(-x, 3, 1, 1), 1))  # what an erosion takes away
        marks = (thin > 0.5).float() * (x > 0.97).float()
        return 20 * (F.max_pool2d(marks, 21, 1, 10) - 0.5) + 0.1 * x


class Honest(nn.Module):
    """The mask is the bright half of the frame, blurred."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 20 * (F.avg_pool2d(x, 31, 1, 15) - 0.122)


class Classifier(nn.Module):
    """Two classes; the second is likely where there is a thin white mark."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mark = F.max_pool2d(Follower()(x), 128).flatten(1)
        return torch.cat([-mark / 10, mark / 10], 1)


def frame() -> NDArray[np.uint8]:
    values = (soft_speckle(128, 160, seed=2) * 0.6).astype(np.uint8)
    values[:, 80:] //= 2
    return values


def marked() -> NDArray[np.uint8]:
    return sc.paste_calipers(frame(), POINTS, size=11, value_range=LEVELS)


def explainer_of(module: nn.Module, names: tuple[str, ...] = ("finding",)) -> sc.Explainer:
    card = sc.ModelCard(input_channels=1, normalization="unit", class_names=names)
    return sc.Explainer(sc.Network.from_module(module, card, device="cpu"), stages=())


def effect_of(explainer: sc.Explainer, image: NDArray[np.uint8], **options: object) -> OverlayEffect:
    return sc.overlay_effect(explainer(image, None, LEVELS), explainer, image, LEVELS, **options)  # type: ignore[arg-type]


def test_a_network_that_hangs_on_calipers_is_found_out() -> None:
    effect = effect_of(explainer_of(Follower()), marked())
    assert effect.effect.value == 1.0
    assert effect.effect.null == (0.0,) * 20
    assert effect.effect.p == pytest.approx(1 / 21)
    assert effect.statement == "taking the burned-in graphics away costs the mask 100 % (patches elsewhere: 0 %)"


def test_an_honest_network_is_not_accused() -> None:
    image = marked()
    explainer = explainer_of(Honest())
    effect = effect_of(explainer, image)
    assert effect.effect.value < 0.05
    assert effect.statement == "the burned-in graphics carry nothing of this mask"
    before = explainer(image, None, LEVELS).mask > 0
    after = explainer(sc.inpaint(image, sc.find_graphics(image).mask, LEVELS), None, LEVELS).mask > 0
    assert 0 < before.sum() < before.size
    assert effect.effect.value == pytest.approx(1 - 2 * (before & after).sum() / (before.sum() + after.sum()))


def test_graphics_that_the_user_painted_are_used() -> None:
    painted = np.zeros((128, 160), bool)
    painted[55:74, 30:50] = True  # one caliper of two
    effect = effect_of(explainer_of(Follower()), marked(), graphics=painted, draws=4)
    assert effect.area == painted.sum()
    assert effect.effect.value == pytest.approx(1 - 2 / 3, abs=0.02)  # one of two equal squares remains


def test_torchscript_needs_no_hooks(tmp_path: Path) -> None:
    torch.jit.script(Follower()).save(str(tmp_path / "follower.pt"))  # type: ignore[no-untyped-call]
    (tmp_path / "follower.segcam.yaml").write_text("input_channels: 1\nnormalization: unit\nclass_names: [finding]\n")
    network = sc.load_network(tmp_path / "follower.pt", device="cpu")
    assert network.no_hooks_reason
    assert effect_of(sc.Explainer(network, stages=()), marked(), draws=3).effect.value == 1.0


def test_a_classifier_changes_its_probability() -> None:
    explainer = explainer_of(Classifier(), ("none", "mark"))
    image = marked()
    effect = effect_of(explainer, image)
    clean = sc.inpaint(image, sc.find_graphics(image).mask, LEVELS)
    before, after = (explainer(x, sc.Target(1), LEVELS).probabilities[1, 0, 0] for x in (image, clean))
    assert effect.effect.value == pytest.approx(abs(before - after), abs=1e-6)
    assert effect.effect.value > 0.5
    assert effect.statement.startswith("taking the burned-in graphics away changes the score by ")


def test_without_graphics_there_is_a_reason() -> None:
    effect = effect_of(explainer_of(Honest()), frame())
    assert effect.effect.value is None
    assert effect.statement == "no burned-in graphics were found"
    explainer, image = explainer_of(Honest()), marked()
    cropped = explainer(image, None, LEVELS, (slice(0, 128), slice(112, 160)))
    unseen = sc.overlay_effect(cropped, explainer, image, LEVELS)
    assert unseen.effect.undefined.endswith("in the part of the frame that the network sees")
    everywhere = effect_of(explainer, image, graphics=np.ones((128, 160), bool))
    assert "cover all" in everywhere.statement


def test_graphics_without_another_place_have_no_null() -> None:
    wide = np.zeros((128, 160), bool)
    wide[10:120, 10:150] = True
    effect = effect_of(explainer_of(Follower()), marked(), graphics=wide)
    assert effect.effect.value == 1.0
    assert effect.effect.p is None
    assert effect.statement.endswith(
        "there is no other place of the size and shape of the graphics to compare them with"
    )


def test_patches_keep_their_shape_and_lie_in_the_tissue_beside_graphics() -> None:
    image = frame()
    image[:, :30] = 0  # the screen
    graphics = np.zeros(image.shape, bool)
    graphics[60, 40:60] = graphics[50:70, 50] = True
    graphics[100:103, 120:140] = True
    patches = place_elsewhere(graphics, image, (slice(20, 128), slice(0, 160)), 30, seed=0)
    assert len(patches) == 30
    for patch in patches:
        assert patch.sum() == graphics.sum()
        assert not (patch & graphics).any()
        assert not patch[:20].any()
        assert not patch[:, :25].any()
    again = place_elsewhere(graphics, image, (slice(20, 128), slice(0, 160)), 30, seed=0)
    assert all((one == other).all() for one, other in zip(patches, again, strict=True))
    assert any((one != patches[0]).any() for one in patches)


def test_what_does_not_fit_is_refused_and_it_can_be_cancelled() -> None:
    explainer, image = explainer_of(Honest()), marked()
    explanation = explainer(image, None, LEVELS)
    with pytest.raises(sc.SegcamError, match="Give the frame that was explained"):
        sc.overlay_effect(explanation, explainer, image[:64], LEVELS)
    with pytest.raises(sc.SegcamError, match="mask of the graphics is 4×4"):
        sc.overlay_effect(explanation, explainer, image, LEVELS, graphics=np.ones((4, 4), bool))
    with pytest.raises(Cancelled):
        sc.overlay_effect(explanation, explainer, image, LEVELS, cancelled=lambda: True)


def test_it_is_a_measure_of_the_frame_in_the_table() -> None:
    class Staged(Follower):
        def __init__(self) -> None:
            super().__init__()
            self.stage = nn.Conv2d(1, 1, 1, stride=2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) + 0 * F.interpolate(self.stage(x), scale_factor=2.0)

    card = sc.ModelCard(input_channels=1, normalization="unit", class_names=("finding",))
    explainer = sc.Explainer(sc.Network.from_module(Staged(), card, device="cpu"), stages=["stage"])
    image = marked()
    explanation = explainer(image, None, LEVELS)
    evidence = measure_evidence(explanation, explainer, image, LEVELS, measures=("overlay_effect",))
    (row,) = evidence_rows(0, explanation, evidence)
    assert (row["overlay_effect"], row["overlay_effect_null"]) == (1.0, 0.0)
    assert row["overlay_effect_p"] == pytest.approx(1 / 21)
    assert evidence.as_dict()["overlay_effect"]["statement"] == evidence.overlay_effect.statement
    none = measure_evidence(explainer(frame(), None, LEVELS), explainer, frame(), LEVELS, measures=("overlay_effect",))
    (row,) = evidence_rows(0, explanation, none)
    assert row["overlay_effect"] is None
    assert row["undefined"] == "overlay_effect: no burned-in graphics were found"


@pytest.mark.parametrize(
    ("value", "null", "words"),
    [
        (0.83, (0.02,) * 20, "taking the burned-in graphics away costs the mask 83 % (patches elsewhere: 2 %)"),
        (
            0.2,
            (0.3,) * 20,
            "taking the burned-in graphics away costs the mask 20 %, no more than patches elsewhere (30 %)",
        ),
        (0.01, (0.0,) * 20, "the burned-in graphics carry nothing of this mask"),
    ],
)
def test_statements(value: float, null: tuple[float, ...], words: str) -> None:
    assert OverlayEffect(Measurement(value, null), True, 10).statement == words
