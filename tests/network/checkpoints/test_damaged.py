"""Damaged files, cut short or with flipped bits, raise a SegcamError or are read."""

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
# Pairs of a byte, counted from the start or the end, and a bit in it: most formats have their structure there.
BITS = st.lists(st.tuples(st.integers(-1500, 1500) | st.integers(-(10**6), 10**6), st.integers(0, 7)), max_size=8)
FEW = settings(max_examples=40, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module", params=CONTAINERS.values(), ids=CONTAINERS.keys())
def undamaged(request: pytest.FixtureRequest) -> bytes:
    content: bytes = request.param()
    return content


def flip_bits(content: bytes, bits: list[tuple[int, int]]) -> bytes:
    damaged = bytearray(content)
    for index, bit in bits:
        if damaged:
            damaged[index % len(damaged)] ^= 1 << bit
    return bytes(damaged)


def read(content: bytes, folder: Path) -> None:
    path = folder / "damaged"
    path.write_bytes(content)
    with suppress(SegcamError):
        read_checkpoint(path)


def test_an_undamaged_file_is_read(undamaged: bytes, tmp_path: Path) -> None:
    (tmp_path / "undamaged").write_bytes(undamaged)
    assert read_checkpoint(tmp_path / "undamaged").weights


@FEW
@given(length=st.floats(0, 1, exclude_max=True), bits=BITS)
def test_a_file_cut_short(undamaged: bytes, length: float, bits: list[tuple[int, int]], tmp_path: Path) -> None:
    read(flip_bits(undamaged[: int(length * len(undamaged))], bits), tmp_path)


@pytest.mark.slow
@FEW
@given(bits=BITS)
def test_with_bits_flip_bits(undamaged: bytes, bits: list[tuple[int, int]], tmp_path: Path) -> None:
    read(flip_bits(undamaged, bits), tmp_path)


@pytest.mark.slow
@FEW
@given(number=st.integers(0, 1000), bits=BITS)
def test_flipped_bits_in_an_entry_with_a_right_checksum(
    undamaged: bytes, number: int, bits: list[tuple[int, int]], tmp_path: Path
) -> None:
    if not undamaged.startswith(b"PK"):
        return
    entries = {name: content for name, content in entries_of(undamaged).items() if content}
    # Damage the entries with structure, not those with only numbers.
    names = [name for name in entries if not name.rpartition("/")[2].isdigit() and "weight_" not in name] or [*entries]
    name = names[number % len(names)]
    read(zipped({**entries, name: flip_bits(entries[name], bits)}), tmp_path)
