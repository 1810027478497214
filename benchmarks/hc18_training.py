"""Small segmentation networks of the fetal head, trained within minutes on a CPU, for benchmarks that need real ones.

    .venv/bin/python benchmarks/hc18_training.py FOLDER [--frames 600] [--epochs 3] [--data FILE]

The frames are those of the HC18 grand challenge (van den Heuvel et al. 2018, CC BY 4.0), in ../shared/data or the file
that is given: an archive of NumPy with `images` and `masks`, (N, 256, 384), and the challenge's `names`. No patient
is both in training and held back, and the held-back frames are the same for every network. A network that FOLDER holds
already is not trained again.
"""

from __future__ import annotations

import argparse
import hashlib
import inspect
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import segmentation_models_pytorch as smp
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

from napari_segcam.files import whole_file
from napari_segcam.imaging.preprocessing import prepare
from napari_segcam.network.model_card import ModelCard, SizeRule, card_path, write_card

Frame = NDArray[np.uint8]
Change = Callable[[Frame, Frame, np.random.Generator], tuple[Frame, Frame]]
"""Changes a frame ``(Y, X)`` and its mask ``(Y, X)`` of 0 and 1; it must not write into them."""

HELD_BACK = 150
CARD = ModelCard(
    size=SizeRule(rule="resize", height=96, width=160), normalization="imagenet", class_names=("head",), threshold=0.5
)
_ARCHIVE = "shared/data/hc18/hc18_train_384x256.npz"
_STRIDE = 32


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes:
        frames: how many training frames are used, at most.
        epochs: how often each is seen.
        encoder: of the U-Net++.
        batch: frames a step.
        rate: highest learning rate.
        seed: of the weights and of the order of the frames.
    """

    frames: int = 600
    epochs: int = 3
    encoder: str = "efficientnet-b0"
    batch: int = 8
    rate: float = 2e-3
    seed: int = 0


@dataclass(frozen=True, eq=False)
class HC18:
    """Frames ``(N, 256, 384)``, their masks of 0 and 1, and the patient of each."""

    images: Frame
    masks: Frame
    patients: tuple[str, ...]

    def take(self, numbers: NDArray[np.integer]) -> HC18:
        return HC18(self.images[numbers], self.masks[numbers], tuple(self.patients[i] for i in numbers))


def data_path() -> Path | None:
    """Return the path of the frames; None if this machine does not have them."""
    return next((path for up in Path(__file__).resolve().parents if (path := up / _ARCHIVE).is_file()), None)


def load_split(path: Path | None = None, held_back: int = HELD_BACK, seed: int = 0) -> tuple[HC18, HC18]:
    """Return the frames for training and those held back, each in an order drawn by patient."""
    path = path or data_path()
    if path is None:
        raise SystemExit(f"The frames of HC18 are not here: ../{_ARCHIVE}.")
    with np.load(path) as archive:
        images, masks, names = archive["images"], archive["masks"], [str(name) for name in archive["names"]]
    data = HC18(images, masks, tuple(name.split("_")[0] for name in names))
    patients = np.random.default_rng(seed).permutation(sorted(set(data.patients)))
    place = {patient: number for number, patient in enumerate(patients)}
    order = np.array(sorted(range(len(names)), key=lambda number: place[data.patients[number]]))
    last = data.patients[order[-held_back]]
    cut = next(i for i, number in enumerate(order) if data.patients[number] == last)  # the whole patient
    return data.take(order[:cut]), data.take(order[cut:])


def trained_network(
    folder: Path, recipe: Recipe = Recipe(), change: Change | None = None, data: Path | None = None
) -> Path:
    """Return the checkpoint of a network trained by a recipe, with its model card beside it; it is trained if needed.

    Args:
        folder: where checkpoints are kept.
        recipe: how to train.
        change: changes each training frame and its mask, once, before the training.
        data: the file of the frames, if they are not in ../shared/data.
    """
    checkpoint = folder / f"hc18_{_key(recipe, change)}.pth"
    if not checkpoint.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        training, _ = load_split(data)
        module = _train(training, recipe, change)
        write_card(CARD, card_path(checkpoint), force=True)
        with whole_file(checkpoint) as file:
            torch.save(module.state_dict(), file)
    return checkpoint


def _key(recipe: Recipe, change: Change | None) -> str:
    """Return a name for a recipe and the source of a change, which is the same in another process."""
    source = inspect.getsource(change) if change is not None else ""
    digest = hashlib.sha256(repr((sorted(asdict(recipe).items()), source)).encode()).hexdigest()[:8]
    return f"{recipe.encoder}_{recipe.frames}x{recipe.epochs}_{getattr(change, '__name__', 'plain')}_{digest}"


def _train(data: HC18, recipe: Recipe, change: Change | None) -> nn.Module:
    """Train a U-Net++, and fit its batch norms to the training frames at the end."""
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    x, y = _tensors(data.take(np.arange(min(recipe.frames, len(data.images)))), change, rng)
    module = smp.UnetPlusPlus(recipe.encoder, encoder_weights=None, classes=1)
    optimizer = torch.optim.AdamW(module.parameters(), lr=recipe.rate, weight_decay=1e-4)
    steps = recipe.epochs * (len(x) // recipe.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.rate, total_steps=steps, pct_start=0.2)
    for epoch in range(recipe.epochs):
        order = torch.from_numpy(rng.permutation(len(x)))
        for numbers in order[: len(x) // recipe.batch * recipe.batch].split(recipe.batch):
            inputs, truth = x[numbers], y[numbers]
            if rng.random() < 0.5:
                inputs, truth = inputs.flip(-1), truth.flip(-1)
            loss = _loss(module(inputs), truth)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        print(f"{recipe.encoder}, {len(x)} frames, epoch {epoch + 1} of {recipe.epochs}: loss {loss:.3f}", flush=True)
    return _with_running_statistics(module, x)


def _tensors(data: HC18, change: Change | None, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Return inputs ``(N, 3, H, W)`` as the product prepares them, and masks ``(N, 1, H, W)``."""
    inputs, truths = [], []
    for frame, mask in zip(data.images, data.masks, strict=True):
        if change is not None:
            frame, mask = change(frame, mask, rng)
        x, geometry = prepare(frame, CARD, _STRIDE)
        inputs.append(x)
        truths.append(F.interpolate(torch.from_numpy(mask)[None, None].float(), geometry.input_shape, mode="area"))
    return torch.cat(inputs), torch.cat(truths).round()


def _loss(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy plus soft Dice of each frame."""
    probability = logits.sigmoid()
    shared, both = (probability * truth).sum((1, 2, 3)), (probability + truth).sum((1, 2, 3))
    return F.binary_cross_entropy_with_logits(logits, truth) + (1 - (2 * shared + 1) / (both + 1)).mean()


@torch.no_grad()
def _with_running_statistics(module: nn.Module, x: torch.Tensor) -> nn.Module:
    """Compute the batch norms' running statistics afresh: with a momentum of 0.01, a short training leaves them
    useless."""
    norms = [part for part in module.modules() if isinstance(part, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean of all batches
    module.train()
    for part in module.modules():
        if not isinstance(part, nn.BatchNorm2d):
            part.training = False
    for inputs in x[:320].split(32):
        module(inputs)
    return module.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    for name, default in asdict(Recipe()).items():
        parser.add_argument(f"--{name}", type=type(default), default=default)
    parser.add_argument("--data", type=Path, help="the file of the frames, if they are not in ../shared/data")
    options = vars(parser.parse_args())
    folder, data = options.pop("folder"), options.pop("data")
    torch.set_num_threads(1)
    print(trained_network(folder, Recipe(**options), data=data))


if __name__ == "__main__":
    main()
