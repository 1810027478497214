"""Packages of bioimage.io open with their card, and their test tensors check the network."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
import yaml
from numpy.typing import NDArray
from torch import nn

import napari_segcam as sc
from napari_segcam.errors import SegcamError
from napari_segcam.imaging.preprocessing import prepare


def module(classes: int = 1, channels: int = 1) -> nn.Module:
    torch.manual_seed(3)
    return smp.Unet(
        "resnet18", encoder_weights=None, in_channels=channels, classes=classes, decoder_channels=(32, 16, 8, 8, 8)
    ).eval()


def picture(channels: int = 1, dtype: type = np.uint8) -> NDArray[Any]:
    values = np.random.default_rng(4).integers(0, 256, (1, channels, 64, 96))
    return values.astype(dtype)


ZSCORE = {"id": "zero_mean_unit_variance", "kwargs": {"axes": ["channel", "y", "x"], "eps": 1e-6}}
SIGMOID = {"id": "sigmoid"}


def axes(channels: Sequence[str], fixed: bool) -> list[dict[str, Any]]:
    sizes: list[Any] = [64, 96] if fixed else [{"min": 32, "step": 32}] * 2
    space = [{"type": "space", "id": name, "size": size} for name, size in zip("yx", sizes, strict=True)]
    return [{"type": "batch"}, {"type": "channel", "channel_names": list(channels)}, *space]


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def package(
    folder: Path,
    network: nn.Module,
    before: Sequence[dict[str, Any]] = (ZSCORE,),
    after: Sequence[dict[str, Any]] = (SIGMOID,),
    image: NDArray[Any] | None = None,
    prepared: NDArray[Any] | None = None,
    names: Sequence[str] = ("lesion",),
    fixed: bool = False,
    script: bool = False,
    **fields: Any,
) -> Path:
    """Write a package of version 0.5; ``prepared`` is the image as the network takes it."""
    folder.mkdir(exist_ok=True)
    image = picture() if image is None else image
    if prepared is None:
        values = image.astype(np.float64)
        prepared = (values - values.mean()) / (values.std() + 1e-6)
    with torch.no_grad():
        logits = network(torch.from_numpy(prepared.astype(np.float32)))
    output = logits.sigmoid() if SIGMOID in after else logits
    np.save(folder / "test_input.npy", image)
    np.save(folder / "test_output.npy", output.numpy())
    torch.save(network.state_dict(), folder / "weights.pt")
    weights: dict[str, Any] = {
        "pytorch_state_dict": {
            "source": "weights.pt",
            "sha256": digest(folder / "weights.pt"),
            "pytorch_version": "2.4.0",
            "architecture": {"callable": "Unet", "import_from": "segmentation_models_pytorch", "kwargs": {}},
        }
    }
    if script:
        torch.jit.save(torch.jit.trace(network, torch.zeros(1, image.shape[1], 64, 96)), str(folder / "script.pt"))
        weights["torchscript"] = {
            "source": "script.pt",
            "sha256": digest(folder / "script.pt"),
            "pytorch_version": "2.4.0",
            "parent": "pytorch_state_dict",
        }
    described = {
        "id": "image",
        "axes": axes([f"c{number}" for number in range(image.shape[1])], fixed),
        "test_tensor": {"source": "test_input.npy", "sha256": digest(folder / "test_input.npy")},
        "data": {"type": str(image.dtype)},
        "preprocessing": [{"id": "ensure_dtype", "kwargs": {"dtype": "float32"}}, *before],
    }
    # The sizes of the output follow those of the input.
    spaces = [
        axis if fixed else axis | {"size": {"tensor_id": "image", "axis_id": axis["id"]}}
        for axis in axes(names, fixed)[2:]
    ]
    result = {
        "id": "mask",
        "axes": [*axes(names, fixed)[:2], *spaces],
        "test_tensor": {"source": "test_output.npy", "sha256": digest(folder / "test_output.npy")},
        "data": {"type": "float32"},
        "postprocessing": list(after),
    }
    content: dict[str, Any] = {
        "format_version": "0.5.4",
        "type": "model",
        "name": "Fibroids of the phantom",
        "description": "Finds fibroids in simulated ultrasound.",
        "authors": [{"name": "Nobody", "github_user": "nobody"}],
        "cite": [{"text": "None", "doi": "10.1234/none"}],
        "license": "MIT",
        "documentation": "README.md",
        "version": "0.1.0",
        "git_repo": "https://github.com/nobody/nothing",
        "tags": ["ultrasound"],
        "inputs": [described],
        "outputs": [result],
        "weights": weights,
    }
    (folder / "README.md").write_text("# Documentation", encoding="utf-8")
    (folder / "bioimageio.yaml").write_text(yaml.safe_dump(content | fields, sort_keys=False), encoding="utf-8")
    return folder


def change(folder: Path, **fields: Any) -> None:
    file = folder / "bioimageio.yaml"
    content = yaml.safe_load(file.read_text(encoding="utf-8")) | fields
    file.write_text(yaml.safe_dump(content), encoding="utf-8")


@pytest.mark.slow
def test_the_packages_of_these_tests_are_valid(tmp_path: Path) -> None:
    spec = pytest.importorskip("bioimageio.spec")
    package(tmp_path, module(), script=True)
    context = spec.ValidationContext(root=tmp_path, perform_io_checks=False)
    with context:
        summary = spec.load_description(tmp_path / "bioimageio.yaml").validation_summary
    assert summary.status != "failed", summary.format()


@pytest.mark.slow
@pytest.mark.parametrize("form", ["folder", "zip", "file"])
def test_the_test_tensors_verify_the_network(form: str, tmp_path: Path) -> None:
    path = package(tmp_path / "a", module())
    if form == "zip":
        path = Path(shutil.make_archive(str(tmp_path / "a.bioimageio"), "zip", path))
    network = sc.load_network(path / "bioimageio.yaml" if form == "file" else path, "cpu")
    assert network.card.verified is not None
    assert network.assumed == {}
    assert network.warnings == ()
    assert (network.card.normalization, network.class_names, network.architecture) == ("zscore", ("lesion",), "Unet")
    assert "Finds fibroids" in network.card.notes


def test_other_test_tensors_are_a_warning(tmp_path: Path) -> None:
    package(tmp_path, module())
    output = np.load(tmp_path / "test_output.npy")
    output[0, 0, 5, 7] += 0.1
    np.save(tmp_path / "test_output.npy", output)
    network = sc.load_network(tmp_path, "cpu")
    assert network.card.verified is None
    assert any("does not reproduce the saved output" in warning for warning in network.warnings)


FIXED = {"id": "fixed_zero_mean_unit_variance", "kwargs": {"mean": 100.0, "std": 50.0}}
PER_CHANNEL = {
    "id": "fixed_zero_mean_unit_variance",
    "kwargs": {"mean": [100.0, 50.0, 20.0], "std": [50.0, 40.0, 30.0], "axis": "channel"},
}
RANGE = {"id": "scale_range", "kwargs": {"axes": ["channel", "y", "x"], "min_percentile": 2.0, "max_percentile": 95.0}}
LINEAR = {"id": "scale_linear", "kwargs": {"gain": 1 / 127.5, "offset": -1.0}}
CLIP = {"id": "clip", "kwargs": {"min": 20.0, "max": 200.0}}


def by_hand(before: list[dict[str, Any]], image: NDArray[Any]) -> NDArray[Any]:
    """Return what these steps give, written out for each list of steps in the tests below."""
    values = image.astype(np.float64)
    low, high = np.percentile(values, [2, 95])
    columns = (1, -1, 1, 1)
    results = {
        "fixed": (values - 100) / 50,
        "channels": (values - np.reshape([100, 50, 20], columns)) / np.reshape([50, 40, 30], columns),
        "range": (values - low) / (high - low + 1e-6),
        "range, limited": np.clip((values - low) / (high - low + 1e-6), 0, 1),
        "linear": values / 127.5 - 1,
        "limited": (np.clip(values, 20, 200) - 100) / 50,
    }
    return results[NAMES[str(before)]]


CASES: dict[str, list[dict[str, Any]]] = {
    "fixed": [FIXED],
    "channels": [PER_CHANNEL],
    "range": [RANGE],
    "range, limited": [RANGE, {"id": "clip", "kwargs": {"min": 0.0, "max": 1.0}}],
    "linear": [LINEAR],
    "limited": [CLIP, FIXED],
}
NAMES = {str(steps): name for name, steps in CASES.items()}


@pytest.mark.parametrize("case", CASES)
def test_the_card_prepares_a_frame_as_the_package_does(case: str, tmp_path: Path) -> None:
    channels = 3 if case == "channels" else 1
    image = picture(channels)
    expected = by_hand(CASES[case], image)
    package(tmp_path, module(channels=channels), CASES[case], image=image, prepared=expected)
    network = sc.load_network(tmp_path, "cpu")
    assert network.card.verified is not None, network.warnings
    frame = image[0].transpose(1, 2, 0) if channels == 3 else image[0, 0]
    x, _ = prepare(frame, network.card, network.stride, value_range=(0, 255))
    np.testing.assert_allclose(x.numpy(), expected, atol=2e-4)


def test_old_descriptions_open_too(tmp_path: Path) -> None:
    folder = package(tmp_path, module(), fixed=True)
    (folder / "bioimageio.yaml").unlink()
    steps = [{"name": "zero_mean_unit_variance", "kwargs": {"mode": "per_sample", "axes": "cyx"}}]
    image = {"name": "raw", "axes": "bcyx", "data_type": "uint8", "data_range": [0, 255], "shape": [1, 1, 64, 96]}
    result = {"name": "mask", "axes": "bcyx", "data_type": "float32", "shape": [1, 1, 64, 96]}
    content = {
        "format_version": "0.4.10",
        "type": "model",
        "name": "old",
        "inputs": [image | {"preprocessing": steps}],
        "outputs": [result | {"postprocessing": [{"name": "sigmoid"}]}],
        "test_inputs": ["test_input.npy"],
        "test_outputs": ["test_output.npy"],
        "weights": {
            "pytorch_state_dict": {
                "source": "https://zenodo.org/api/files/weights.pt/content",
                "architecture": "a.py:B",
            }
        },
    }
    (folder / "rdf.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    network = sc.load_network(folder, "cpu")
    assert network.card.verified is not None
    assert (network.card.size.rule, network.card.size.fixed) == ("tiles", (64, 96))


def test_classes_and_threshold_come_from_the_output(tmp_path: Path) -> None:
    binarize = {"id": "binarize", "kwargs": {"threshold": 0.3}}
    package(tmp_path, module(2), after=[SIGMOID, binarize], names=["foreground", "boundary"])
    network = sc.load_network(tmp_path, "cpu")
    assert network.classes_overlap
    assert (network.class_names, network.card.threshold) == (("foreground", "boundary"), 0.3)
    assert any("processed further (binarize)" in warning for warning in network.warnings)


@pytest.mark.slow
def test_weights_are_chosen_or_replaced_by_others_that_open(tmp_path: Path) -> None:
    package(tmp_path, module(), script=True)
    assert sc.load_network(tmp_path, "cpu").stages
    script = sc.load_network(tmp_path, "cpu", weights="torchscript")
    assert script.no_hooks_reason
    assert script.card.verified is not None
    torch.save({"unknown.weight": torch.zeros(3)}, tmp_path / "weights.pt")
    content = yaml.safe_load((tmp_path / "bioimageio.yaml").read_text(encoding="utf-8"))
    del content["weights"]["pytorch_state_dict"]["sha256"]
    change(tmp_path, weights=content["weights"])
    other = sc.load_network(tmp_path, "cpu")
    assert other.no_hooks_reason
    assert any("weights pytorch_state_dict were not used" in warning for warning in other.warnings)


# ── what is refused ─────────────────────────────────────────────────────────────────────────────────────────────────


def weights_of(source: str) -> dict[str, Any]:
    return {"weights": {"pytorch_state_dict": {"source": source, "architecture": "a.py:B"}}}


VOLUME = [{"type": "batch"}, {"type": "channel", "channel_names": ["a"]}]
VOLUME += [{"type": "space", "id": name, "size": 8} for name in "zyx"]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (weights_of("../weights.pt"), "outside of the package"),
        (weights_of("/etc/passwd"), "outside of the package"),
        (weights_of("C:/weights.pt"), "outside of the package"),
        (weights_of("gone.pt"), r"missing: gone\.pt"),
        (weights_of("https://example.org/other.pt"), "Nothing is downloaded"),
        ({"weights": {"tensorflow_js": {"source": "a"}}}, "formats that do not open here: tensorflow_js"),
        ({"weights": "all"}, "no description of a model"),
        ({"inputs": []}, "takes 0 inputs"),
        ({"inputs": [{"id": "a", "axes": VOLUME}]}, r"for volumes \(axes bczyx\)"),
        ({"inputs": [{"id": "a", "axes": "bcxy"}]}, "x before y"),
        ({"inputs": [{"id": "a", "axes": "qqq"}]}, "no description of a model"),
        ({"type": "dataset"}, "a bioimage.io dataset, not a model"),
    ],
)
def test_descriptions_that_do_not_fit_are_refused(fields: dict[str, Any], reason: str, tmp_path: Path) -> None:
    package(tmp_path, module())
    change(tmp_path, **fields)
    with pytest.raises(SegcamError, match=reason):
        sc.load_network(tmp_path, "cpu")


LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: !!python/object/apply:os.system ['touch ran']", "cannot be read"),
        (LAUGHS, "far larger than it looks"),
        ("a: &a\n  b: *a", "endless"),
        ("a: &a {x: 1}\nb: {<<: *a}", "merged fields"),
        ("- 1", "named fields"),
        ("a: [", "cannot be read"),
    ],
)
def test_descriptions_that_would_run_or_grow_are_refused(
    text: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    package(tmp_path, module())
    (tmp_path / "bioimageio.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(SegcamError, match=reason):
        sc.load_network(tmp_path, "cpu")
    assert not (tmp_path / "ran").exists()


def test_weights_that_were_changed_are_refused(tmp_path: Path) -> None:
    package(tmp_path, module())
    torch.save(module(classes=2).state_dict(), tmp_path / "weights.pt")
    with pytest.raises(SegcamError, match="SHA-256 differs"):
        sc.load_network(tmp_path, "cpu")


def test_a_step_that_a_card_cannot_hold_is_a_warning(tmp_path: Path) -> None:
    package(tmp_path, module(), [ZSCORE, SIGMOID])
    network = sc.load_network(tmp_path, "cpu")
    assert any("a step that is not done here: sigmoid" in warning for warning in network.warnings)
