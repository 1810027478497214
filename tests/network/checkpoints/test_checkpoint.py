"""Weights are read from every usual container; other files are refused, and no code in a file runs."""

from __future__ import annotations

import argparse
import collections
import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from made_files import saved, zipped

from napari_segcam.errors import SegcamError
from napari_segcam.network.checkpoints.checkpoint import read_checkpoint

Weights = dict[str, torch.Tensor]


@pytest.fixture
def weights() -> Weights:
    generator = torch.Generator().manual_seed(0)
    shapes = {
        "encoder.conv1.weight": (4, 3, 3, 3),
        "decoder.blocks.0.conv1.0.weight": (2, 4, 3, 3),
        "segmentation_head.0.weight": (1, 2, 3, 3),
        "segmentation_head.0.bias": (1,),
    }
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def _assert_same(read: Weights, weights: Weights) -> None:
    assert read.keys() == weights.keys()
    for name, tensor in weights.items():
        assert read[name].dtype == tensor.dtype
        assert torch.equal(read[name], tensor)


def _prefixed(weights: Weights, prefix: str) -> Weights:
    return {prefix + name: tensor for name, tensor in weights.items()}


WRAPPINGS: dict[str, Callable[[Weights], Any]] = {
    "plain": lambda weights: weights,
    "state_dict": lambda weights: {
        "epoch": 3,
        "state_dict": weights,
        "optimizer": {"state": {0: {"step": torch.ones(1)}}},
    },
    "model_state_dict": lambda weights: {
        "model_state_dict": weights,
        "optimizer_state_dict": {},
        "loss": torch.tensor(0.3),
    },
    "model": lambda weights: {"model": weights},
    "net": lambda weights: {"net": weights, "acc": 0.9},
    "network": lambda weights: {"network": weights},
    "nested": lambda weights: {"checkpoint": {"model": {"state_dict": weights}}},
    "the user's own name": lambda weights: {"unet_best": weights, "scheduler": {"last_epoch": 3}},
    "arguments of the training run": lambda weights: {
        "model": weights,
        "args": argparse.Namespace(lr=1e-3, out=Path("runs")),
        "schedule": collections.Counter({30: 1}),
        "history": collections.defaultdict(list, loss=[0.3]),
    },
    "NumPy scores": lambda weights: {"state_dict": weights, "best_dice": np.float64(0.91), "epoch": np.int64(4)},
    "module.": lambda weights: _prefixed(weights, "module."),
    "module.module.": lambda weights: _prefixed(weights, "module.module."),
    "model.": lambda weights: {"state_dict": _prefixed(weights, "model.")},
    "net.": lambda weights: _prefixed(weights, "net."),
    "_orig_mod.": lambda weights: _prefixed(weights, "_orig_mod."),
    "any prefix": lambda weights: {"state_dict": _prefixed(weights, "lit.student._orig_mod.module.")},
    "a compiled module inside": lambda weights: {
        name.replace("encoder.", "encoder._orig_mod."): tensor for name, tensor in weights.items()
    },
}


@pytest.mark.parametrize("wrap", WRAPPINGS.values(), ids=WRAPPINGS.keys())
def test_weights_are_found_in_what_training_code_saves(
    wrap: Callable[[Weights], Any], weights: Weights, tmp_path: Path
) -> None:
    path = tmp_path / "best.pth"
    torch.save(wrap(weights), path)
    checkpoint = read_checkpoint(path)
    _assert_same(checkpoint.weights, weights)
    assert checkpoint.warnings == ()
    assert checkpoint.settings == {}


AVERAGES = ["ema", "state_dict_ema", "model_ema"]


@pytest.mark.parametrize("name", AVERAGES)
def test_the_average_is_used_instead_of_the_weights_with_a_warning(name: str, weights: Weights, tmp_path: Path) -> None:
    trained = {key: tensor + 1 for key, tensor in weights.items()}
    content = {"state_dict": _prefixed(trained, "model."), name: _prefixed(weights, "module."), "epoch": 1}
    torch.save(content, tmp_path / "last.pth")
    checkpoint = read_checkpoint(tmp_path / "last.pth")
    _assert_same(checkpoint.weights, weights)
    assert len(checkpoint.warnings) == 1
    assert "the average is used" in checkpoint.warnings[0]


@pytest.mark.parametrize("name", AVERAGES)
def test_an_average_alone_is_used_with_a_warning(name: str, weights: Weights, tmp_path: Path) -> None:
    torch.save({name: weights}, tmp_path / "last.pth")
    checkpoint = read_checkpoint(tmp_path / "last.pth")
    _assert_same(checkpoint.weights, weights)
    assert "moving average" in checkpoint.warnings[0]


def test_an_average_of_only_some_tensors_is_not_used(weights: Weights, tmp_path: Path) -> None:
    average = {key: tensor + 1 for key, tensor in list(weights.items())[1:]}
    torch.save({"model": weights, "ema": average}, tmp_path / "last.pth")
    checkpoint = read_checkpoint(tmp_path / "last.pth")
    _assert_same(checkpoint.weights, weights)
    assert "lacks 1 tensors" in checkpoint.warnings[0]


def test_settings_of_an_average_are_not_taken_for_an_average(weights: Weights, tmp_path: Path) -> None:
    torch.save({"model": weights, "ema": {"decay": 0.999}}, tmp_path / "last.pth")
    _assert_same(read_checkpoint(tmp_path / "last.pth").weights, weights)


def test_other_content_beside_the_weights_is_kept(weights: Weights, tmp_path: Path) -> None:
    torch.save({"model": weights, "epoch": np.int64(7), "init_args": {"plans": {"patch": [64, 64]}}}, tmp_path / "a.pt")
    extra = read_checkpoint(tmp_path / "a.pt").extra
    assert extra["epoch"] == 7
    assert extra["init_args"] == {"plans": {"patch": [64, 64]}}


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("zipped", [True, False])
def test_every_pickle_protocol_is_read(protocol: int, zipped: bool, weights: Weights, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save({"model": weights}, path, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    _assert_same(read_checkpoint(path).weights, weights)


DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.uint8, torch.bool]


@pytest.mark.parametrize("dtype", [*DTYPES, torch.float8_e4m3fn, torch.uint16], ids=str)
@pytest.mark.parametrize("zipped", [True, False])
def test_every_dtype_is_read(dtype: torch.dtype, zipped: bool, tmp_path: Path) -> None:
    tensor = torch.arange(6).reshape(2, 3).to(dtype)
    torch.save({"a": tensor}, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    read = read_checkpoint(tmp_path / "a.pt").weights["a"]
    assert read.dtype == dtype
    assert torch.equal(read.float(), tensor.float())


@pytest.mark.parametrize("zipped", [True, False])
def test_tensors_with_shared_memory_or_other_strides_are_read(zipped: bool, tmp_path: Path) -> None:
    base = torch.arange(24.0).reshape(2, 3, 4)
    weights = {
        "slice": base[1, :, 1:3],
        "permuted": base.permute(2, 0, 1),
        "channels last": base.reshape(1, 2, 3, 4).contiguous(memory_format=torch.channels_last),
        "scalar": torch.tensor(3.0),
        "empty": torch.zeros(0, 4),
        "copied": base[0].clone(),
    }
    torch.save(weights, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    _assert_same(read_checkpoint(tmp_path / "a.pt").weights, weights)


def test_the_old_torch_format_is_read(weights: Weights, tmp_path: Path) -> None:
    path = tmp_path / "old.pt"
    torch.save({"state_dict": weights}, path, _use_new_zipfile_serialization=False)
    _assert_same(read_checkpoint(path).weights, weights)


def test_parameters_and_half_precision_are_read(weights: Weights, tmp_path: Path) -> None:
    stored = {name: torch.nn.Parameter(tensor.to(torch.bfloat16)) for name, tensor in weights.items()}
    torch.save(stored, tmp_path / "half.pt")
    read = read_checkpoint(tmp_path / "half.pt").weights
    _assert_same(read, {name: tensor.detach() for name, tensor in stored.items()})
    assert not any(tensor.requires_grad for tensor in read.values())


def test_safetensors_are_read_with_metadata_and_checksum(weights: Weights, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    safetensors.torch.save_file(_prefixed(weights, "module."), path, metadata={"encoder": "resnet18"})
    checkpoint = read_checkpoint(str(path))
    _assert_same(checkpoint.weights, weights)
    assert checkpoint.path == path
    assert checkpoint.settings == {"encoder": "resnet18"}
    assert checkpoint.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_content_decides_not_the_file_name(weights: Weights, tmp_path: Path) -> None:
    safetensors.torch.save_file(weights, tmp_path / "a.pth")
    torch.save(weights, tmp_path / "b.safetensors")
    _assert_same(read_checkpoint(tmp_path / "a.pth").weights, weights)
    _assert_same(read_checkpoint(tmp_path / "b.safetensors").weights, weights)


def test_the_file_may_be_replaced_afterwards(weights: Weights, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    safetensors.torch.save_file(weights, path)
    read = read_checkpoint(path).weights
    path.write_bytes(bytes(path.stat().st_size))
    _assert_same(read, weights)


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_an_smp_folder_is_read(name: str, weights: Weights, tmp_path: Path) -> None:
    settings = {"_model_class": "Unet", "encoder_name": "resnet18", "decoder_channels": [8, 4]}
    (tmp_path / "config.json").write_text(json.dumps(settings))
    if name.endswith("bin"):
        torch.save(weights, tmp_path / name)
    else:
        safetensors.torch.save_file(weights, tmp_path / name)
    for path in (tmp_path, tmp_path / name):
        checkpoint = read_checkpoint(path)
        _assert_same(checkpoint.weights, weights)
        assert checkpoint.settings == settings


def test_tensors_of_other_modules_are_left_out_with_a_warning(weights: Weights, tmp_path: Path) -> None:
    extra = {"std": torch.ones(3), "loss.pos_weight": torch.ones(1)}
    torch.save({"state_dict": _prefixed(weights, "model.") | extra}, tmp_path / "last.ckpt")
    checkpoint = read_checkpoint(tmp_path / "last.ckpt")
    _assert_same(checkpoint.weights, weights)
    assert len(checkpoint.warnings) == 1
    assert "std, loss.pos_weight" in checkpoint.warnings[0]


def test_weights_that_are_not_finite_are_read_with_a_warning(weights: Weights, tmp_path: Path) -> None:
    weights["segmentation_head.0.bias"][0] = torch.nan
    torch.save(weights, tmp_path / "nan.pth")
    checkpoint = read_checkpoint(tmp_path / "nan.pth")
    assert len(checkpoint.warnings) == 1
    assert "1 of 4 tensors hold NaN" in checkpoint.warnings[0]
    assert "segmentation_head.0.bias" in checkpoint.warnings[0]


def _encrypted(archive: bytes) -> bytes:
    # Bit 0 of the flags, eight bytes into each entry of the central directory.
    start = archive.index(b"PK\x01\x02") + 8
    return archive[:start] + bytes([archive[start] | 1]) + archive[start + 1 :]


class _Foreign(torch.nn.Conv2d):
    """The user's own layer."""


WEB_PAGE = b"\n<!DOCTYPE html><html><title>Sign in</title></html>"
LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 1234\n"

REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "is empty"),
    "text": (lambda: b"hello, world", "is not a checkpoint"),
    "web page": (lambda: WEB_PAGE, "web page"),
    "LFS pointer": (lambda: LFS_POINTER, "git lfs pull"),
    "PNG": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(50), "PNG image"),
    "DICOM": (lambda: bytes(128) + b"DICM" + bytes(50), "DICOM"),
    "HDF5": (lambda: b"\x89HDF\r\n\x1a\n" + bytes(50), "Keras"),
    "gzip": (lambda: b"\x1f\x8b" + bytes(50), "gzip"),
    "truncated": (lambda: saved({"a": torch.zeros(100)})[:-50], "cut short"),
    "truncated, old format": (
        lambda: saved({"a": torch.zeros(100)}, _use_new_zipfile_serialization=False)[:-50],
        "cut short",
    ),
    "truncated safetensors": (lambda: safetensors.torch.save({"a": torch.zeros(100)})[:-50], "safetensors"),
    "compiled program": (lambda: zipped({"m/archive_format": b"pt2", "m/data/a.so": b""}), "compiled code"),
    "Keras": (lambda: zipped({"config.json": b"{}", "model.weights.h5": b""}), "Keras"),
    "other zip": (lambda: zipped({"readme.txt": b"hi"}), "torch did not write it"),
    "encrypted zip": (lambda: _encrypted(zipped({"a/data.pkl": b"x"})), "encrypted"),
    "zip bomb": (lambda: zipped({"a/data.pkl": bytes(10**6)}, zipfile.ZIP_DEFLATED), "claims to hold"),
    "whole network with the user's own class": (lambda: saved(_Foreign(1, 1, 1)), "_Foreign"),
    "network of an unknown library": (lambda: saved(torch.nn.Sequential(_Foreign(1, 1, 1))), "_Foreign"),
    "list": (lambda: saved([torch.zeros(1)]), "a list"),
    "no tensors": (lambda: saved({"epoch": 3, "state_dict": {}}), "holds no weights"),
    "two networks": (
        lambda: saved({"generator": {"a": torch.zeros(1)}, "critic": {"a": torch.zeros(1)}}),
        "several sets of weights (generator, critic)",
    ),
    "endless tensor": (lambda: saved({"a": torch.zeros(1).expand(10**12)}), "larger than the whole file"),
    "sparse tensor": (lambda: saved({"a": torch.eye(3).to_sparse()}), "special form"),
}


@pytest.mark.parametrize(("make", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_a_file_that_is_not_a_checkpoint_is_refused_with_the_reason(
    make: Callable[[], bytes], reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "model.pth"
    path.write_bytes(make())
    with pytest.raises(SegcamError) as refusal:
        read_checkpoint(path)
    assert reason in str(refusal.value)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_paths_without_a_checkpoint_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SegcamError, match="no file or folder"):
        read_checkpoint(tmp_path / "nowhere.pth")
    with pytest.raises(SegcamError, match="no file or folder"):
        read_checkpoint("null\0character")
    with pytest.raises(SegcamError, match="holds no checkpoint"):
        read_checkpoint(tmp_path)
    (tmp_path / "data.pkl").touch()
    with pytest.raises(SegcamError, match="unpacked into a folder"):
        read_checkpoint(tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", "[" * 100_000])
def test_an_smp_folder_with_damaged_settings_is_refused(content: str, weights: Weights, tmp_path: Path) -> None:
    safetensors.torch.save_file(weights, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(SegcamError, match=r"config\.json"):
        read_checkpoint(tmp_path)
