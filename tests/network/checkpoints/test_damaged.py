"""Damaged files, cut short or with bits turned over: only our own error ever comes out, or a valid load."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_files import entries_of, exported, saved, small_network, traced, zipped

from napari_segcam.errors import SegcamError
from napari_segcam.network.checkpoints.checkpoint import read_checkpoint

CONTAINERS: dict[str, Callable[[], bytes]] = {
    "torch": lambda: saved({"state_dict": small_network().state_dict(), "epoch": 2}),
    "old torch": lambda: saved(small_network().state_dict(), _use_new_zipfile_serialization=False),
    "safetensors": lambda: safetensors.torch.save(small_network().state_dict(), metadata={"epoch": "2"}),
    "whole network": lambda: saved(torch.nn.Sequential(torch.nn.Conv2d(3, 1, 1), torch.nn.ReLU())),
    "TorchScript": lambda: traced(small_network()),
    "exported program": lambda: exported(small_network()),
}
# Bits are told by the place of their byte from either end: the structure of most formats is at the beginning and end.
BITS = st.lists(st.tuples(st.integers(-1500, 1500) | st.integers(-(10**6), 10**6), st.integers(0, 7)), max_size=8)
FEW = settings(max_examples=40, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module", params=CONTAINERS.values(), ids=CONTAINERS.keys())
def whole(request: pytest.FixtureRequest) -> bytes:
    content: bytes = request.param()
    return content


def turned_over(content: bytes, bits: list[tuple[int, int]]) -> bytes:
    damaged = bytearray(content)
    for place, bit in bits:
        if damaged:
            damaged[place % len(damaged)] ^= 1 << bit
    return bytes(damaged)


def read(content: bytes, folder: Path) -> None:
    path = folder / "damaged"
    path.write_bytes(content)
    with suppress(SegcamError):
        read_checkpoint(path)


def test_it_is_read_where_it_is_whole(whole, tmp_path):
    (tmp_path / "whole").write_bytes(whole)
    assert read_checkpoint(tmp_path / "whole").weights


@FEW
@given(length=st.floats(0, 1, exclude_max=True), bits=BITS)
def test_cut_short(whole, length, bits, tmp_path):
    read(turned_over(whole[: int(length * len(whole))], bits), tmp_path)


@FEW
@given(bits=BITS)
def test_with_bits_turned_over(whole, bits, tmp_path):
    read(turned_over(whole, bits), tmp_path)


@FEW
@given(number=st.integers(0, 1000), bits=BITS)
def test_with_bits_turned_over_inside_and_right_checksums(whole, number, bits, tmp_path):
    if not whole.startswith(b"PK"):
        return
    entries = {name: content for name, content in entries_of(whole).items() if content}
    # What holds the structure, and not the numbers, is worth damaging.
    names = [name for name in entries if not name.rpartition("/")[2].isdigit() and "weight_" not in name] or [*entries]
    name = names[number % len(names)]
    read(zipped({**entries, name: turned_over(entries[name], bits)}), tmp_path)
