"""Networks that never end, use ever more memory or crash are refused after a test run in their own process."""

from __future__ import annotations

import io
import subprocess
import sys
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from hostile import ends_in_one_line
from made_files import entries_of, exported, saved, scripted, small_network, zipped
from torch import nn

from napari_segcam.network import resource_check
from napari_segcam.network.checkpoints.checkpoint import read_checkpoint
from napari_segcam.network.loading import load_network


class Endless(nn.Module):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        while bool(image.sum() < float("inf")):
            image = image * 0
        return image


class EndlessWithOneChannel(nn.Module):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        assert image.size(1) == 1
        count = 0
        while count >= 0:
            count = (count + 1) % 1000
        return image


class Growing(nn.Module):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        images = [image]
        while bool(image.sum() < float("inf")):
            images.append(torch.ones(1, 3, 512, 512))
        return torch.cat(images)


class Huge(nn.Module):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return torch.ones(1, 1, 60_000, 60_000) * image.mean()


class HugeAtOneSize(nn.Module):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        assert image.size(2) == 512
        return image.repeat(1, 1, 100, 100).relu()


class Recursive(nn.Module):
    """Base of a script with nested functions that each call the next one twice: 2**26 operations once inlined."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image


def doubling() -> bytes:
    """Return a script of 26 functions, each of which calls the next one twice."""
    entries = entries_of(scripted(Recursive()))
    (name,) = [name for name in entries if name.endswith(".py")]
    code = entries[name].decode()
    head, _, _ = code.partition("  def forward")
    kind = code[code.index("self: ") + 6 : code.index(",\n", code.index("self: "))]
    body = head
    for number in range(26):
        inner = f"self.f{number + 1}" if number < 25 else "torch.relu"
        body += (
            f"  def {'forward' if number == 0 else f'f{number}'}(self: {kind},\n    image: Tensor) -> Tensor:\n"
            f"    return torch.add(({inner})(image, ), ({inner})(image, ))\n"
        )
    entries[name] = body.encode()
    return zipped(entries)


def nested_brackets() -> bytes:
    """Return a script with 200,000 nested brackets."""
    entries = entries_of(scripted(Recursive()))
    return zipped(
        {
            name: content.replace(b"return image", b"return " + b"(" * 200_000 + b"image" + b")" * 200_000)
            for name, content in entries.items()
        }
    )


def program(network: nn.Module, old: bytes, new: bytes) -> bytes:
    """Return an exported program with ``old`` replaced by ``new``."""
    entries = entries_of(exported(network))
    model = next(name for name in entries if name.endswith("models/model.json"))
    assert old in entries[model]
    return zipped({**entries, model: entries[model].replace(old, new)})


class Resized(nn.Module):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return nn.functional.pad(image, [7, 7, 7, 7]).relu()


def shared(depth: int) -> nn.Module:
    """Return nested modules that each hold the next one twice: 2**depth layers in a few hundred bytes."""
    module: nn.Module = nn.Conv2d(3, 3, 1)
    for _ in range(depth):
        module = nn.Sequential(module, module)
    return module


NETWORKS: dict[str, Callable[[], bytes]] = {
    "TorchScript without end": lambda: scripted(Endless()),
    "TorchScript without end, of one channel": lambda: scripted(EndlessWithOneChannel()),
    "TorchScript that grows": lambda: scripted(Growing()),
    "TorchScript with a huge constant": lambda: scripted(Huge()),
    "TorchScript that is huge at one size": lambda: scripted(HugeAtOneSize()),
    "TorchScript of calls that double": doubling,
    "TorchScript of nested brackets": nested_brackets,
    "a program that pads far too much": lambda: program(Resized(), b"7", b"70000"),
    "a pickle that enlarges": lambda: saved(nn.Sequential(nn.Conv2d(3, 1, 1), nn.Upsample(scale_factor=1000))),
    "a pickle that pads": lambda: saved(nn.Sequential(nn.Conv2d(3, 1, 1), nn.ZeroPad2d(100_000))),
    "a pickle of layers that double": lambda: saved(shared(21)),
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS.keys())
def test_a_network_that_needs_too_much_time_or_memory_is_refused(make: Callable[[], bytes], tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(make())
    ends_in_one_line(lambda: load_network(tmp_path / "model.pt", "cpu"))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("make", [scripted, exported, saved])
def test_a_usual_network_passes(make: Callable[[nn.Module], bytes], tmp_path: Path) -> None:
    network = (
        nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 1))
        if make is saved
        else small_network()
    )
    (tmp_path / "model.pt").write_bytes(make(network))
    assert load_network(tmp_path / "model.pt", "cpu").classes == 2


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_process_starts_again_after_it_was_killed(tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(scripted(small_network()))
    with ThreadPoolExecutor() as pool:
        pool.submit(read_checkpoint, tmp_path / "model.pt").result()
        running = resource_check._PROCESS._running
        assert running is not None
        running.kill()
        running.wait()
        pool.submit(read_checkpoint, tmp_path / "model.pt").result()


def test_a_network_chosen_among_several_is_checked(tmp_path: Path) -> None:
    small, large = nn.Sequential(nn.Conv2d(3, 1, 1)), nn.Sequential(nn.Conv2d(3, 1, 1), nn.ZeroPad2d(100_000))
    torch.save({"small": small, "large": large}, tmp_path / "model.pt")
    assert "in a test run, its network" in ends_in_one_line(lambda: read_checkpoint(tmp_path / "model.pt", "large"))
    assert read_checkpoint(tmp_path / "model.pt", "small").module is not None


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("network", [Endless, Growing])
def test_a_network_is_refused_in_another_thread_too(network: type[nn.Module], tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(scripted(network()))
    with ThreadPoolExecutor() as pool:
        ends_in_one_line(lambda: pool.submit(load_network, tmp_path / "model.pt", "cpu").result())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "make", [lambda: scripted(Growing()), lambda: saved(nn.Sequential(nn.Conv2d(3, 1, 1), nn.ZeroPad2d(100_000)))]
)
def test_a_refused_file_imports_no_library_that_it_does_not_name(make: Callable[[], bytes], tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(make())
    script = (
        "import sys\n"
        "from napari_segcam.errors import SegcamError\n"
        "from napari_segcam.network.loading import load_network\n"
        "try:\n    load_network(sys.argv[1], 'cpu')\n"
        "except SegcamError:\n    print('refused', {'torchvision', 'timm', 'torch._dynamo'} & set(sys.modules))\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "model.pt"], capture_output=True, text=True, check=True
    )
    assert process.stdout == "refused set()\n"


@pytest.mark.filterwarnings("ignore")
def test_output_that_a_network_prints_is_not_taken_for_the_outcome(tmp_path: Path) -> None:
    class Prints(nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            print("done")
            return image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        buffer = io.BytesIO()
        torch.jit.save(torch.jit.script(Prints()), buffer)
    (tmp_path / "model.pt").write_bytes(buffer.getvalue())
    assert "prim::Print" in ends_in_one_line(lambda: read_checkpoint(tmp_path / "model.pt"))
