"""A small network in which the deepest encoder stage takes no part, and the controller of a session."""

from __future__ import annotations

import pytest
import segmentation_models_pytorch as smp
import torch

from napari_segcam.network.network import Network
from napari_segcam.viewer.evidence.evidence_controller import EvidenceController
from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.review.session import ReviewSession


@pytest.fixture(scope="session")
def lazy_network() -> Network:
    """A U-Net that makes next to no use of its deepest encoder stage; half of the pixels are in the mask."""
    torch.manual_seed(0)
    module = smp.Unet("resnet18", encoder_weights=None).eval()
    blocks = module.decoder.blocks
    first_block = next(iter(blocks.values() if hasattr(blocks, "values") else blocks))
    with torch.no_grad():
        first_block.conv1[0].weight[:, : module.encoder.out_channels[5]] *= 1e-4
        module.segmentation_head[0].bias -= module(torch.rand(1, 3, 96, 64)).median()
    return Network.from_module(module, device="cpu")


@pytest.fixture
def evidence(session: ReviewSession) -> EvidenceController:
    return controller_of(session, EvidenceController)
