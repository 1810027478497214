"""Train the demo checkpoint: U-Net++ on phantom frames, from scratch, on a CPU.

    python sample_data/train_demo.py --bfloat16

Prints the Dice on sweeps of phantoms that were not trained on, after the weights were rounded to float16 as they
are shipped. The phantoms' seeds: 0 is the sample cine, 100–107 are for evaluation, 1000 and up for training.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import segmentation_models_pytorch as smp
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from napari_segcam.imaging.phantom import Phantom, phantom_sweep
from napari_segcam.imaging.preprocessing import prepare
from napari_segcam.network.model_card import IMAGENET_MEAN, IMAGENET_STD, ModelCard, SizeRule, card_path, write_card

RESOURCES = Path(__file__).resolve().parents[1] / "napari_segcam" / "resources"
SAMPLE_SEED = 0
EVALUATION_SEEDS = range(100, 108)
FIRST_TRAINING_SEED = 1000
FRAMES_PER_PHANTOM = 2
EVALUATION_FRAMES = 30
CROP = (160, 192)  # rows, columns: most of the sector, for the price of a third of a frame
SAVE_EVERY = 200


def main() -> None:
    options = parse_options()
    torch.manual_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    out = (
        options.out
        or RESOURCES / f"demo_fibroid_unetplusplus_{options.encoder.removeprefix('efficientnet-')}.safetensors"
    )
    out.parent.mkdir(parents=True, exist_ok=True)

    started = time.monotonic()
    images, masks = training_frames(options.first_phantom, options.phantoms)
    print(f"{len(images)} frames of {options.phantoms} phantoms in {time.monotonic() - started:.0f} s", flush=True)

    network = smp.UnetPlusPlus(options.encoder, encoder_weights=None, in_channels=3, classes=1)
    if options.start is not None:
        network.load_state_dict(load_file(options.start))
    network = network.to(memory_format=torch.channels_last)
    averaged = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.98), use_buffers=True)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 0.05  # EfficientNet's own 0.01 is meant for far longer trainings
    optimizer = torch.optim.AdamW(network.parameters(), lr=options.learning_rate, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, options.learning_rate, options.steps, pct_start=0.15)

    network.train()
    running_loss = 0.0
    for step, (frames, truth) in enumerate(batches(images, masks, options.batch, options.steps, rng), start=1):
        features = network.encoder(frames)
        # The decoder's dense convolutions gain from bfloat16; the encoder's depthwise ones lose by it.
        with torch.autocast("cpu", torch.bfloat16, enabled=options.bfloat16):
            logits = network.segmentation_head(network.decoder(features))
        loss = dice_and_cross_entropy(logits.float(), truth)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        averaged.update_parameters(network)
        running_loss += loss.item()
        if step % 50 == 0:
            minutes = (time.monotonic() - started) / 60
            print(f"step {step:5d}  loss {running_loss / 50:.4f}  {minutes:.1f} min", flush=True)
            running_loss = 0.0
        if step % SAVE_EVERY == 0 and step < options.steps:
            save(averaged.module, options.encoder, out)  # a stopped run is not lost
            print(
                f"step {step:5d}  pooled Dice of one sweep {evaluate_sweep(averaged.module, 100, frames=12)[1]:.3f}",
                flush=True,
            )

    shipped = save(averaged.module, options.encoder, out)
    print(f"{out}: {out.stat().st_size / 1e6:.1f} MB")
    network.load_state_dict(shipped)
    report(network)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", default="efficientnet-b0", help="efficientnet-b0 or, larger, efficientnet-b5")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--phantoms", type=int, default=600, help="how many to train on, two frames of each")
    parser.add_argument("--first-phantom", type=int, default=FIRST_TRAINING_SEED, help="seed of the first of them")
    parser.add_argument("--start", type=Path, help="weights to go on from (.safetensors)")
    parser.add_argument("--seed", type=int, default=0, help="of the network's start and the augmentation")
    parser.add_argument("--bfloat16", action="store_true", help="faster on processors with bfloat16 units (AMX)")
    parser.add_argument("--out", type=Path, help="where to write the .safetensors file (default: the package's own)")
    return parser.parse_args()


def training_frames(first: int, phantoms: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Images and masks ``(N, 1, Y, X)`` uint8 of that many phantoms, at random positions of their sweeps."""
    with ProcessPoolExecutor() as pool:
        seeds = range(first, first + phantoms)
        pairs = [pair for frames in pool.map(_frames_of, seeds, chunksize=8) for pair in frames]
    images, masks = (torch.from_numpy(np.stack(stack)[:, None]) for stack in zip(*pairs, strict=True))
    return images, masks


def _frames_of(seed: int) -> list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    phantom = Phantom(seed)
    positions = np.random.default_rng([seed, 3]).uniform(0.05, 0.95, FRAMES_PER_PHANTOM)
    return [phantom.frame(float(position)) for position in positions]


def batches(
    images: torch.Tensor, masks: torch.Tensor, size: int, steps: int, rng: np.random.Generator
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Augmented inputs ``(B, 3, H, W)`` and masks ``(B, 1, H, W)``, going through all frames in random order."""
    order: list[int] = []
    mean = torch.tensor(IMAGENET_MEAN).reshape(1, 3, 1, 1)
    std = torch.tensor(IMAGENET_STD).reshape(1, 3, 1, 1)
    for _ in range(steps):
        if len(order) < size:
            order = rng.permutation(len(images)).tolist()
        chosen, order = order[:size], order[size:]
        frames, truth = augment(images[chosen].float() / 255, masks[chosen].float(), rng)
        yield ((frames - mean) / std).contiguous(memory_format=torch.channels_last), truth


def augment(frames: torch.Tensor, masks: torch.Tensor, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Mirror, turn, zoom, shift and crop; change gain, gamma and noise. Both ``(B, 1, Y, X)``, values 0–1."""
    count, _, height, width = frames.shape

    def each(low: float, high: float) -> torch.Tensor:
        return torch.from_numpy(rng.uniform(low, high, count).astype(np.float32)).reshape(-1, 1, 1, 1)

    angle, zoom, mirror = each(-0.2, 0.2).flatten(), each(0.85, 1.2).flatten(), each(-1, 1).flatten().sign()
    rows, columns = CROP[0] / height, CROP[1] / width
    shift_x, shift_y = each(columns - 1, 1 - columns).flatten(), each(rows - 1, 1 - rows).flatten()
    cos, sin, ratio = angle.cos() / zoom, angle.sin() / zoom, height / width
    affine = torch.stack(
        [
            torch.stack([mirror * cos * columns, -sin * rows * ratio, shift_x], dim=1),
            torch.stack([mirror * sin * columns / ratio, cos * rows, shift_y], dim=1),
        ],
        dim=1,
    )
    grid = F.affine_grid(affine, [count, 1, *CROP], align_corners=False)
    frames = F.grid_sample(frames, grid, align_corners=False)
    masks = F.grid_sample(masks, grid, mode="nearest", align_corners=False)

    sector = frames > 0
    frames = frames.clamp_min(1e-3) ** each(0.75, 1.35) * each(0.75, 1.35) + each(-0.04, 0.04)
    noise = torch.from_numpy(rng.standard_normal(frames.shape, dtype=np.float32))
    frames = frames + noise * (each(0, 0.03) + each(0, 0.15) * frames)
    return (frames * sector).clamp(0, 1), masks


def dice_and_cross_entropy(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """The sum of both losses, Dice over the whole batch."""
    probability = logits.sigmoid()
    overlap = 2 * (probability * truth).sum() + 1
    dice = overlap / (probability.sum() + truth.sum() + 1)
    return 1 - dice + F.binary_cross_entropy_with_logits(logits, truth)


def model_card(encoder: str) -> ModelCard:
    """How the demo network is fed."""
    return ModelCard(
        architecture="UnetPlusPlus",
        encoder=encoder,
        size=SizeRule(),
        channel_order="rgb",
        normalization="imagenet",
        class_names=("fibroid",),
        notes=(
            "Demonstration only. Trained on synthetic ultrasound phantoms of a uterus with fibroids, never on a "
            "patient's image. Research use only, not for diagnostic use."
        ),
    )


def save(network: torch.nn.Module, encoder: str, out: Path) -> dict[str, torch.Tensor]:
    """Write the weights as float16 safetensors with their card; returns them as they read back, in float32."""
    half = {
        name: value.half().contiguous() if value.is_floating_point() else value.contiguous()
        for name, value in network.state_dict().items()
    }
    unfinished = out.with_suffix(".part")
    save_file(half, unfinished, metadata={"architecture": "UnetPlusPlus", "encoder": encoder, "classes": "fibroid"})
    unfinished.chmod(0o644)
    unfinished.replace(out)  # nobody reads half a file
    write_card(model_card(encoder), card_path(out), force=True)
    return {name: value.float() if value.is_floating_point() else value for name, value in half.items()}


def evaluate_sweep(network: torch.nn.Module, seed: int, frames: int) -> tuple[float, float, float]:
    """Figures of one whole sweep.

    Returns:
        The mean Dice over the frames with a fibroid, the Dice of the sweep's pixels pooled, and the mean share of
        the sector that is wrongly marked in frames without a fibroid (NaN where every frame has one).
    """
    network.eval()
    sweep = phantom_sweep(seed, frames)
    card = model_card("")
    found = np.zeros(sweep.masks.shape, dtype=bool)
    for index, image in enumerate(sweep.images):
        inputs, geometry = prepare(image, card, stride=32)
        with torch.inference_mode():
            probability = network(inputs.contiguous(memory_format=torch.channels_last)).sigmoid()
        found[index] = (geometry.to_frame(probability)[0, 0] > card.threshold).numpy()
    truth = sweep.masks.astype(bool)
    overlap = (found & truth).sum(axis=(1, 2))
    areas = found.sum(axis=(1, 2)) + truth.sum(axis=(1, 2))
    present = truth.any(axis=(1, 2))
    wrong = found.sum(axis=(1, 2)) / (sweep.images > 0).sum(axis=(1, 2))
    return (
        float((2 * overlap[present] / areas[present]).mean()),
        float(2 * overlap.sum() / areas.sum()),
        float(wrong[~present].mean()) if not present.all() else float("nan"),
    )


def report(network: torch.nn.Module) -> None:
    """Print the table of figures for the sample and the evaluation sweeps."""
    print("| sweep | mean Dice of frames with a fibroid | pooled Dice | sector wrongly marked in frames without |")
    print("| --- | --- | --- | --- |")
    evaluated = []
    for seed in (SAMPLE_SEED, *EVALUATION_SEEDS):
        figures = evaluate_sweep(network, seed, 60 if seed == SAMPLE_SEED else EVALUATION_FRAMES)
        name = "sample (seed 0)" if seed == SAMPLE_SEED else f"seed {seed}"
        print(f"| {name} | {figures[0]:.3f} | {figures[1]:.3f} | {figures[2]:.2%} |", flush=True)
        evaluated.append(figures)
    mean = np.nanmean(evaluated[1:], axis=0)
    seeds = f"{EVALUATION_SEEDS[0]}–{EVALUATION_SEEDS[-1]}"
    print(f"| mean of seeds {seeds} | {mean[0]:.3f} | {mean[1]:.3f} | {mean[2]:.2%} |")


if __name__ == "__main__":
    main()
