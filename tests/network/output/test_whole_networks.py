"""Networks saved as a whole keep the names of their outputs, and the choice uses the same evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import napari_segcam as sc
from napari_segcam.errors import SegcamError
from napari_segcam.network.model_card import ModelCard


class Several(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.down, self.up = nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.ConvTranspose2d(4, 4, 2, stride=2)
        self.coarse, self.head = nn.Conv2d(4, 1, 1), nn.Conv2d(4, 1, 1)

    def forward(self, x: torch.Tensor) -> Any:
        deep = self.down(x).relu()
        aux = F.interpolate(self.coarse(deep), scale_factor=2.0)
        return {"loss": None, "sides": [aux.sigmoid()], "seg": self.head(self.up(deep).relu()).sigmoid()}


def load(path: Path, **card: Any) -> sc.Network:
    return sc.load_network(path, device="cpu", card=ModelCard(normalization="unit", **card))


def test_exported_programs_keep_the_names_of_outputs(tmp_path: Path) -> None:
    module = Several().eval()
    x = torch.rand(1, 3, 64, 64)
    torch.export.save(torch.export.export(module, (x,)), tmp_path / "a.pt2")
    network = load(tmp_path / "a.pt2")
    assert network.output.choices == ("sides.0", "seg")
    assert network.assumed["output"] == "seg, not sides.0: by its name"
    with torch.no_grad():
        torch.testing.assert_close(network.module(x).sigmoid(), module(x)["seg"])
        torch.testing.assert_close(
            load(tmp_path / "a.pt2", output="sides.0").module(x).sigmoid(), module(x)["sides"][0]
        )
    with pytest.raises(SegcamError, match=r"no output named 'loss'.*Choose from: sides\.0"):
        load(tmp_path / "a.pt2", output="loss")


@pytest.mark.filterwarnings("ignore")
def test_torchscript_keeps_the_names_of_outputs(tmp_path: Path) -> None:
    class Named(Several):
        def forward(self, x: torch.Tensor) -> Any:
            outputs = super().forward(x)
            return {"aux": outputs["sides"][0], "seg": outputs["seg"]}

    module = Named().eval()
    x = torch.rand(1, 3, 64, 64)
    torch.jit.trace(module, x, strict=False).save(str(tmp_path / "a.pt"))
    network = load(tmp_path / "a.pt")
    assert (network.output.name, network.output.choices) == ("seg", ("aux", "seg"))
    with torch.no_grad():
        torch.testing.assert_close(network.module(x).sigmoid(), module(x)["seg"])
