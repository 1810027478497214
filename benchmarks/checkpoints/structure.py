"""How well networks of unknown names are read by their structure: twenty random U-Nets and twenty other networks.

Run ``python benchmarks/checkpoints/structure.py``. The networks are those of
``tests/network/families/structure``, which are defined independently of the package.
Each U-Net has random weights, and batch-norm statistics of frames of the sample cine,
or of the images in ``--frames FOLDER``. The first candidate is right if its output is that of the original.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "network" / "families" / "structure"))

from generated_unets import generated, random_config  # noqa: E402
from not_unets import NOT_UNETS  # noqa: E402

from napari_segcam.demo import sample_cine  # noqa: E402
from napari_segcam.errors import SegcamError  # noqa: E402
from napari_segcam.imaging.opening import open_cine  # noqa: E402
from napari_segcam.network.families.structure.offer import StructureOffered  # noqa: E402
from napari_segcam.network.loading import load_network  # noqa: E402


def frames(folder: str | None) -> torch.Tensor:
    """Return frames ``(N, 128, 160)`` from 0 to 1."""
    if folder is None:
        cine = open_cine(sample_cine())
        pictures = [np.asarray(cine[index]) for index in range(0, len(cine), 6)]
    else:
        files = [path for path in sorted(Path(folder).rglob("*")) if path.suffix.lower() in (".png", ".jpg")]
        pictures = [np.asarray(open_cine(path)[0]) for path in files[:12]]
    scaled = []
    for picture in pictures:
        gray = torch.from_numpy(picture.astype(np.float32) if picture.ndim == 2 else picture[..., :3].mean(-1))
        gray = gray.float() / 255
        scaled.append(F.interpolate(gray[None, None], (128, 160), mode="bilinear", antialias=True)[0, 0])
    return torch.stack(scaled)


def offer_of(path: Path) -> StructureOffered | None:
    try:
        load_network(path, "cpu")
    except StructureOffered as offered:
        return offered
    except SegcamError:
        return None
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", metavar="FOLDER")
    parser.add_argument("--seeds", type=int, default=20, help="how many U-Nets")
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="of the first U-Net")
    arguments = parser.parse_args()
    pictures = frames(arguments.frames)
    path = Path(tempfile.mkdtemp()) / "network.pth"
    right = 0
    print(f"{'U-Net':<64}{'rank':>5}{'sure':>6}{'distance':>10}{'seconds':>9}")
    for seed in range(arguments.first, arguments.first + arguments.seeds):
        config = random_config(seed)
        module = generated(config, pictures, seed)
        torch.save(module.state_dict(), path)
        begin = time.perf_counter()
        offered = offer_of(path)
        seconds = time.perf_counter() - begin
        image = torch.rand(1, config.in_channels, 128, 160, generator=torch.Generator().manual_seed(seed))
        rank = "–"
        if offered is not None:
            with torch.no_grad():
                expected = module(image)
                network = load_network(path, "cpu", accept_structure=True)
                found = network.module(image)
            if found.shape == expected.shape and torch.allclose(found, expected, rtol=1e-3, atol=1e-4):
                rank, right = "1", right + 1
        name = (
            f"{seed} {config.block}, {config.up}, {config.activation}, {config.pooling}, {config.join}, {config.layout}"
        )
        sure = "" if offered is None else "yes" if offered.offer.is_sure else "no"
        distance = "" if offered is None else f"{offered.offer.best.disagreement:.4f}"
        print(f"{name:<64}{rank:>5}{sure:>6}{distance:>10}{seconds:>9.1f}", flush=True)
    print(f"right first: {right} of {arguments.seeds}\n")
    surely = 0
    print(f"{'no U-Net':<64}{'offered':>10}{'sure':>6}")
    for name, make in NOT_UNETS.items():
        torch.manual_seed(0)
        torch.save(make().state_dict(), path)
        offered = offer_of(path)
        sure = offered is not None and offered.offer.is_sure
        surely += sure
        print(f"{name:<64}{'no' if offered is None else 'yes':>10}{'yes' if sure else '':>6}", flush=True)
    print(f"offered as sure: {surely} of {len(NOT_UNETS)}")


if __name__ == "__main__":
    main()
