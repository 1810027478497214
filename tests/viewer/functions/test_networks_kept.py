"""The networks of the functions: loaded once, and again when their files change."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import torch

from napari_segcam.errors import SegcamError
from napari_segcam.network import device, loading
from napari_segcam.network.network import Network
from napari_segcam.viewer.functions import networks
from napari_segcam.viewer.functions.networks import files_state, kept_networks, network_of


def ignore(_words: str) -> None: ...


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch, network: Network) -> list[object]:
    """What was loaded; each time it is the same small network."""
    asked: list[object] = []

    def load(path: object, device: str) -> Network:
        asked.append((path, device))
        return network

    monkeypatch.setattr(loading, "load_network", load)
    return asked


def copies(folder: Path, checkpoint: Path, count: int) -> list[Path]:
    paths = [folder / f"{number}.pth" for number in range(count)]
    for path in paths:
        shutil.copy(checkpoint, path)
    return paths


def test_the_same_file_is_loaded_once(checkpoint: Path, loads: list[object]) -> None:
    first = network_of(checkpoint, "cpu", ignore)
    assert network_of(str(checkpoint), "cpu", ignore) is first
    assert len(loads) == 1


def test_auto_is_the_device_of_the_preferences_at_that_time(
    checkpoint: Path, loads: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    preferred = "cpu"
    monkeypatch.setattr(device, "choose_device", lambda name: torch.device(preferred if name == "auto" else name))
    network_of(checkpoint, "auto", ignore)
    network_of(checkpoint, "cpu", ignore)
    assert loads == [(checkpoint, "cpu")]
    preferred = "cuda:0"
    network_of(checkpoint, "auto", ignore)
    assert loads[1:] == [(checkpoint, "cuda:0")]


def test_it_is_loaded_again_when_file_or_card_change(tmp_path: Path, checkpoint: Path, loads: list[object]) -> None:
    (path,) = copies(tmp_path, checkpoint, 1)
    network_of(path, "cpu", ignore)
    (tmp_path / "0.segcam.yaml").write_text("threshold: 0.7", encoding="utf-8")
    network_of(path, "cpu", ignore)
    assert len(loads) == 2
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 10**9))
    network_of(path, "cpu", ignore)
    network_of(path, "cpu", ignore)
    assert len(loads) == 3


def test_an_ensemble_is_loaded_again_when_a_member_changes(
    tmp_path: Path, checkpoint: Path, loads: list[object]
) -> None:
    paths = copies(tmp_path, checkpoint, 2)
    members = tmp_path / "both.segcam-ensemble.yaml"
    members.write_text("members:\n  - 0.pth\n  - 1.pth\n", encoding="utf-8")
    for _ in range(2):
        network_of(members, "cpu", ignore)
        network_of(paths, "cpu", ignore)
    assert loads == [(members, "cpu"), (paths, "cpu")]
    os.utime(paths[1], ns=(0, 1))
    network_of(members, "cpu", ignore)
    assert len(loads) == 3


def test_a_folder_is_watched_by_its_files(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}", encoding="utf-8")
    before = files_state([folder])
    assert [Path(name).name for name, _, _ in before] == ["config.json"]
    (folder / "config.json").write_text("{ }", encoding="utf-8")
    assert files_state([folder]) != before


def test_few_networks_are_kept(
    tmp_path: Path, checkpoint: Path, loads: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = copies(tmp_path, checkpoint, 3)
    for path in (*paths[:2], paths[0], paths[2], paths[0]):  # the third makes the second go, which was used before
        network_of(path, "cpu", ignore)
    assert [Path(str(path)).name for path, _ in loads] == ["0.pth", "1.pth", "2.pth"]  # type: ignore[misc]
    monkeypatch.setattr(networks, "KEPT_BYTES", checkpoint.stat().st_size)
    network_of(paths[1], "cpu", ignore)
    assert len(kept_networks) == 1


def test_a_network_is_used_as_it_is(network: Network, loads: list[object]) -> None:
    assert network_of(network, "cuda", ignore) is network
    assert not loads


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (Path(), "Choose a checkpoint first"),
        ("", "Choose a checkpoint first"),
        ([], "Choose a checkpoint first"),
        (3, "A int is no checkpoint"),
        ("missing.pth", "missing.pth"),
    ],
)
def test_what_is_no_checkpoint_is_refused_in_words(given: object, words: str) -> None:
    with pytest.raises(SegcamError, match=words):
        network_of(given, "cpu", ignore)
