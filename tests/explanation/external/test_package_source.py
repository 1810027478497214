"""Package source: the classes of a package, read from its files without importing it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from napari_segcam.explanation.external import grad_cam_package, torchcam_package
from napari_segcam.explanation.external.package_source import PackageSource, default_of, required_arguments

pytest.importorskip("pytorch_grad_cam")
pytest.importorskip("torchcam")

BASE = """
raise RuntimeError("it was imported")

class BaseCAM:
    def __init__(self, model, target_layers, reshape_transform=None, detach=True): ...
    def get_cam_image(self, input, target_layer, targets, activations, grads, eigen_smooth): ...
    def forward(self, x): ...
    def compute_cam_per_layer(self): ...

class NewCAM(BaseCAM):
    def get_cam_image(self, input, target_layer, targets, activations, grads, eigen_smooth):
        return activations.sum(1)

class TargetCAM(NewCAM):
    def __init__(self, model, target_layers, reshape_transform=None):
        super().__init__(model, target_layers, detach=False)
    def get_cam_image(self, input, target_layer, targets, activations, grads, eigen_smooth):
        if eigen_smooth:
            return get_2d_projection(grads)
        return sum(targets[0](self.model(input)) for _ in activations)

class NeedyCAM(BaseCAM):
    def __init__(self, model, target_layers, words): ...

class WholeCAM(BaseCAM):
    def compute_cam_per_layer(self): ...

class PixelCAM(BaseCAM):
    def get_cam_image(self, input, target_layer, targets, activations, grads, eigen_smooth):
        return get_2d_projection(activations)

class StackCAM:
    def __init__(self, model, target_layers, base_method=NewCAM): ...

class Hooks:
    def __init__(self, model, target_layers): ...
"""


@pytest.fixture
def fake_cams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    folder = tmp_path / "fake_cams"
    folder.mkdir()
    (folder / "every.py").write_text(BASE)
    names = "NewCAM, TargetCAM, NeedyCAM, WholeCAM, PixelCAM, StackCAM, Hooks"
    (folder / "__init__.py").write_text(f"from fake_cams.every import {names}\nimport os\n")
    (folder / "broken.py").write_text("class (:")
    monkeypatch.syspath_prepend(str(tmp_path))
    return "fake_cams"


def test_a_new_method_of_the_package_appears_by_itself(fake_cams: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grad_cam_package, "MODULE", fake_cams)
    methods, unsuitable = grad_cam_package.find_methods()
    found = {method.class_name: method for method in methods}
    assert set(found) == {"NewCAM", "TargetCAM", "PixelCAM"}
    assert not found["NewCAM"].knows_target
    assert found["TargetCAM"].knows_target
    assert found["TargetCAM"].runs_per_channel
    assert (found["NewCAM"].second_order, found["TargetCAM"].second_order) == (False, True)
    assert [found[name].compares_pixels for name in ("NewCAM", "TargetCAM", "PixelCAM")] == [False, False, True]
    assert set(unsuitable) == {"NeedyCAM", "WholeCAM", "StackCAM"}
    assert unsuitable["NeedyCAM"] == "it needs more arguments: words"
    assert fake_cams not in sys.modules


def test_a_package_that_is_missing_offers_nothing() -> None:
    assert PackageSource("no_such_package").public == ()


def test_arguments_and_their_defaults_are_read(fake_cams: str) -> None:
    source = PackageSource(fake_cams)
    constructor = source.function("TargetCAM", "__init__")
    assert required_arguments(constructor) == ["model", "target_layers"]
    assert default_of(source.function("BaseCAM", "__init__"), "detach") is True
    assert default_of(constructor, "model") is None
    assert source.inherits("TargetCAM", "BaseCAM")
    assert not source.inherits("StackCAM", "BaseCAM")


def test_star_imports_offer_what_the_file_exports() -> None:
    source = PackageSource(torchcam_package.MODULE, "methods/__init__.py")
    assert {"SSCAM", "ISCAM", "GradCAM"} <= set(source.public)
    assert default_of(source.function("SSCAM", "__init__"), "num_samples") == 35


@pytest.mark.slow
def test_listing_the_methods_imports_no_package() -> None:
    program = (
        "import sys; from napari_segcam.explanation.external import external_methods; assert external_methods(); "
        "print([name for name in ('pytorch_grad_cam', 'torchcam', 'cv2') if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"
