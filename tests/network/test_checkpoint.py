"""Every container people save weights in is read; nothing else is, and nothing in a file is ever run."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from napari_segcam.errors import SegcamError
from napari_segcam.network.checkpoint import read_checkpoint

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
    "plain": lambda w: w,
    "state_dict": lambda w: {"epoch": 3, "state_dict": w, "optimizer": {"state": {0: {"step": torch.ones(1)}}}},
    "model_state_dict": lambda w: {"model_state_dict": w, "optimizer_state_dict": {}, "loss": torch.tensor(0.3)},
    "model": lambda w: {"model": w},
    "net": lambda w: {"net": w, "acc": 0.9},
    "network": lambda w: {"network": w},
    "nested": lambda w: {"checkpoint": {"model": {"state_dict": w}}},
    "ema": lambda w: {"ema": w, "epoch": 1},
    "state_dict_ema": lambda w: {"state_dict_ema": w},
    "weights before their average": lambda w: {"ema": {name: tensor + 1 for name, tensor in w.items()}, "model": w},
    "a name of one's own": lambda w: {"unet_best": w, "scheduler": {"last_epoch": 3}},
    "NumPy scores": lambda w: {"state_dict": w, "best_dice": np.float64(0.91), "epoch": np.int64(4)},
    "module.": lambda w: _prefixed(w, "module."),
    "module.module.": lambda w: _prefixed(w, "module.module."),
    "model.": lambda w: {"state_dict": _prefixed(w, "model.")},
    "net.": lambda w: _prefixed(w, "net."),
    "_orig_mod.": lambda w: _prefixed(w, "_orig_mod."),
    "any prefix": lambda w: {"state_dict": _prefixed(w, "lit.student._orig_mod.module.")},
    "a compiled part": lambda w: {name.replace("encoder.", "encoder._orig_mod."): t for name, t in w.items()},
}


@pytest.mark.parametrize("wrap", WRAPPINGS.values(), ids=WRAPPINGS.keys())
def test_weights_are_found_in_what_training_code_saves(wrap, weights, tmp_path):
    path = tmp_path / "best.pth"
    torch.save(wrap(weights), path)
    checkpoint = read_checkpoint(path)
    _assert_same(checkpoint.weights, weights)
    assert checkpoint.warnings == ()
    assert checkpoint.settings == {}


def test_old_torch_format(weights, tmp_path):
    path = tmp_path / "old.pt"
    torch.save({"state_dict": weights}, path, _use_new_zipfile_serialization=False)
    _assert_same(read_checkpoint(path).weights, weights)


def test_parameters_and_half_precision(weights, tmp_path):
    stored = {name: torch.nn.Parameter(tensor.to(torch.bfloat16)) for name, tensor in weights.items()}
    torch.save(stored, tmp_path / "half.pt")
    read = read_checkpoint(tmp_path / "half.pt").weights
    _assert_same(read, {name: tensor.detach() for name, tensor in stored.items()})
    assert not any(tensor.requires_grad for tensor in read.values())


def test_safetensors_with_metadata_and_the_hash_of_the_file(weights, tmp_path):
    path = tmp_path / "model.safetensors"
    safetensors.torch.save_file(_prefixed(weights, "module."), path, metadata={"encoder": "resnet18"})
    checkpoint = read_checkpoint(str(path))
    _assert_same(checkpoint.weights, weights)
    assert checkpoint.path == path
    assert checkpoint.settings == {"encoder": "resnet18"}
    assert checkpoint.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_content_decides_and_not_the_name(weights, tmp_path):
    safetensors.torch.save_file(weights, tmp_path / "a.pth")
    torch.save(weights, tmp_path / "b.safetensors")
    _assert_same(read_checkpoint(tmp_path / "a.pth").weights, weights)
    _assert_same(read_checkpoint(tmp_path / "b.safetensors").weights, weights)


def test_the_file_may_be_replaced_afterwards(weights, tmp_path):
    path = tmp_path / "a.safetensors"
    safetensors.torch.save_file(weights, path)
    read = read_checkpoint(path).weights
    path.write_bytes(bytes(path.stat().st_size))
    _assert_same(read, weights)


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_smp_folder(name, weights, tmp_path):
    settings = {"_model_class": "Unet", "encoder_name": "resnet18", "decoder_channels": [8, 4]}
    (tmp_path / "config.json").write_text(json.dumps(settings))
    if name.endswith("bin"):
        torch.save(weights, tmp_path / name)
    else:
        safetensors.torch.save_file(weights, tmp_path / name)
    for named in (tmp_path, tmp_path / name):
        checkpoint = read_checkpoint(named)
        _assert_same(checkpoint.weights, weights)
        assert checkpoint.settings == settings


def test_what_is_not_the_networks_is_left_out_and_said(weights, tmp_path):
    extra = {"std": torch.ones(3), "loss.pos_weight": torch.ones(1)}
    torch.save({"state_dict": _prefixed(weights, "model.") | extra}, tmp_path / "last.ckpt")
    checkpoint = read_checkpoint(tmp_path / "last.ckpt")
    _assert_same(checkpoint.weights, weights)
    assert len(checkpoint.warnings) == 1
    assert "std, loss.pos_weight" in checkpoint.warnings[0]


def test_weights_that_are_not_finite_are_read_with_a_warning(weights, tmp_path):
    weights["segmentation_head.0.bias"][0] = torch.nan
    torch.save(weights, tmp_path / "nan.pth")
    checkpoint = read_checkpoint(tmp_path / "nan.pth")
    assert len(checkpoint.warnings) == 1
    assert "1 of 4 tensors hold NaN" in checkpoint.warnings[0]
    assert "segmentation_head.0.bias" in checkpoint.warnings[0]


def _saved(content: Any, **how: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, **how)
    return buffer.getvalue()


def _zipped(entries: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _encrypted(archive: bytes) -> bytes:
    # Bit 0 of the flags, eight bytes into each entry of the central directory.
    start = archive.index(b"PK\x01\x02") + 8
    return archive[:start] + bytes([archive[start] | 1]) + archive[start + 1 :]


def _scripted() -> bytes:
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.trace(torch.nn.Conv2d(1, 1, 1), torch.zeros(1, 1, 2, 2)), buffer)
    return buffer.getvalue()


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
    "truncated": (lambda: _saved({"a": torch.zeros(100)})[:-50], "cut short"),
    "truncated, old format": (
        lambda: _saved({"a": torch.zeros(100)}, _use_new_zipfile_serialization=False)[:-50],
        "cut short",
    ),
    "truncated safetensors": (lambda: safetensors.torch.save({"a": torch.zeros(100)})[:-50], "safetensors"),
    "TorchScript": (_scripted, "TorchScript"),
    "exported program": (lambda: _zipped({"m/archive_format": b"pt2", "m/data.pkl": b""}), "torch.export"),
    "Keras": (lambda: _zipped({"config.json": b"{}", "model.weights.h5": b""}), "Keras"),
    "other zip": (lambda: _zipped({"readme.txt": b"hi"}), "torch did not write it"),
    "encrypted zip": (lambda: _encrypted(_zipped({"a/data.pkl": b"x"})), "encrypted"),
    "zip bomb": (lambda: _zipped({"a/data.pkl": bytes(10**6)}, zipfile.ZIP_DEFLATED), "claims to hold"),
    "whole network": (lambda: _saved(torch.nn.Conv2d(1, 1, 1)), "torch.nn.modules.conv.Conv2d"),
    "list": (lambda: _saved([torch.zeros(1)]), "a list"),
    "no tensors": (lambda: _saved({"epoch": 3, "state_dict": {}}), "holds no weights"),
    "two networks": (
        lambda: _saved({"generator": {"a": torch.zeros(1)}, "critic": {"a": torch.zeros(1)}}),
        "several sets of weights (generator, critic)",
    ),
    "endless tensor": (lambda: _saved({"a": torch.zeros(1).expand(10**12)}), "larger than the whole file"),
    "sparse tensor": (lambda: _saved({"a": torch.eye(3).to_sparse()}), "special form"),
}


@pytest.mark.filterwarnings("ignore")  # torch.jit is deprecated; files of it are still about
@pytest.mark.parametrize(("make", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_checkpoint_is_refused_in_words(make, reason, tmp_path):
    path = tmp_path / "model.pth"
    path.write_bytes(make())
    with pytest.raises(SegcamError) as refusal:
        read_checkpoint(path)
    assert reason in str(refusal.value)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_paths_that_hold_no_checkpoint(tmp_path):
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
def test_smp_folder_with_spoilt_settings(content, weights, tmp_path):
    safetensors.torch.save_file(weights, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(SegcamError, match=r"config\.json"):
        read_checkpoint(tmp_path)


class _Canary:
    """Unpickled by pickle itself, it makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


HOSTILE: dict[str, Callable[[_Canary], bytes]] = {
    "pickle": pickle.dumps,
    "pickle, first protocol": lambda canary: pickle.dumps(canary, protocol=0),
    "torch": _saved,
    "torch, old format": lambda canary: _saved(canary, _use_new_zipfile_serialization=False),
    "beside weights": lambda canary: _saved({"state_dict": {"a": torch.zeros(1)}, "arguments": canary}),
    "among weights": lambda canary: _saved({"a": torch.zeros(1), "b": canary}),
    "hand-made archive": lambda canary: _zipped({"a/data.pkl": pickle.dumps(canary), "a/version": b"3\n"}),
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE.keys())
def test_nothing_in_a_file_is_run(make, tmp_path):
    canary = _Canary(tmp_path / "canary")
    path = tmp_path / "model.pth"
    path.write_bytes(make(canary))
    with pytest.raises(SegcamError):
        read_checkpoint(path)
    assert not canary.path.exists()
    pickle.loads(pickle.dumps(canary))
    assert canary.path.exists(), "the canary would not have shown anything"


def test_the_refusal_names_what_a_file_wanted_to_run(tmp_path):
    torch.save({"state_dict": {}, "arguments": _Canary(tmp_path / "canary")}, tmp_path / "model.pth")
    with pytest.raises(SegcamError, match=r"would run code: \w+\.mkdir"):
        read_checkpoint(tmp_path / "model.pth")


@pytest.mark.parametrize("kind", ["torch", "old torch", "safetensors"])
def test_only_our_error_comes_out_of_damaged_files(kind, weights, tmp_path):
    whole = {
        "torch": lambda: _saved({"state_dict": weights, "epoch": 2}),
        "old torch": lambda: _saved({"state_dict": weights, "epoch": 2}, _use_new_zipfile_serialization=False),
        "safetensors": lambda: safetensors.torch.save(weights, metadata={"epoch": "2"}),
    }[kind]()
    chance = random.Random(0)
    path = tmp_path / "damaged"
    refused = 0
    for trial in range(150):
        damaged = bytearray(whole)
        if trial % 3 == 0:
            del damaged[chance.randrange(len(whole)) :]
        for _ in range(chance.choice([1, 1, 4, 30])):
            if damaged:
                # The first bytes and the last, where the structure is, are hit more often.
                place = chance.choice([chance.randrange(len(damaged)), chance.randrange(min(len(damaged), 600))])
                damaged[chance.choice([place, -1 - place])] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        try:
            read_checkpoint(path)
        except SegcamError:
            refused += 1
    assert refused > 50
