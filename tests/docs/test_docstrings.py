"""Public names have docstrings that say what they need, and the examples in docstrings are right."""

from __future__ import annotations

import doctest
import importlib
import inspect
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import napari_segcam as sc
from napari_segcam.demo import FRAME, demo_checkpoint, sample_cine

PACKAGE = Path(sc.__file__).parent
WITH_EXAMPLES = sorted(
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    for path in PACKAGE.rglob("*.py")
    if ">>>" in path.read_text(encoding="utf-8")
)
PUBLIC = [name for name in sc.__all__ if name != "__version__"]


@pytest.fixture(scope="module")
def named() -> dict[str, Any]:
    """What examples may use without making it: a frame of the sample, the shipped network, and an explanation."""
    network, cine = sc.load_network(demo_checkpoint(), device="cpu"), sc.open_cine(sample_cine())
    explainer = sc.Explainer(network, method="gradcam", stages=["encoder_4"])
    frame = cine[FRAME]
    return {
        "sc": sc,
        "sample_cine": sample_cine,
        "network": network,
        "cine": cine,
        "frame": frame,
        "explainer": explainer,
        "result": explainer(frame),
    }


@pytest.fixture
def in_a_folder(tmp_path: Path, named: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with a checkpoint, an image and its true mask."""
    shutil.copy(demo_checkpoint(), tmp_path / "best_model.safetensors")
    shutil.copy(demo_checkpoint().with_suffix(".segcam.yaml"), tmp_path / "best_model.segcam.yaml")
    for folder, pixels in (("images", named["frame"]), ("masks", named["result"].mask)):
        (tmp_path / folder).mkdir()
        Image.fromarray(np.asarray(pixels, np.uint8)).save(tmp_path / folder / f"sweep_{FRAME}.png")
    monkeypatch.chdir(tmp_path)


@pytest.mark.slow
@pytest.mark.usefixtures("in_a_folder")
@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_examples_give_what_they_say(module: str, named: dict[str, Any]) -> None:
    finder, runner = doctest.DocTestFinder(recurse=True), doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    ran = 0
    for test in finder.find(importlib.import_module(module), module, globs=dict(named)):
        output: list[str] = []
        results = runner.run(test, out=output.append)
        assert not results.failed, "".join(output)
        ran += len([example for example in test.examples if not example.options.get(doctest.SKIP)])
    assert ran, "no example of this file is run"


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_has_a_docstring_that_says_what_it_needs(name: str) -> None:
    value = getattr(sc, name)
    if not (inspect.isclass(value) or inspect.isfunction(value)):
        text = (PACKAGE / (sc._ROOMS[name].replace(".", "/") + ".py")).read_text(encoding="utf-8")
        assert re.search(rf'^{name}\b[^\n]*(?:\n[^\n"]+)*?\n"""', text, re.M), f"{name} has no docstring below it"
        return
    problems = [f"{label} has no docstring" for label, doc, _ in documented(name, value) if not doc]
    for label, doc, parameters in documented(name, value):
        unnamed = [each for each in parameters if not re.search(rf"\b{each}\b", doc)]
        if unnamed and "arguments are" not in doc:
            problems.append(f"{label} does not say what {', '.join(unnamed)} is")
    assert not problems, "\n".join(problems)


def documented(name: str, value: Any) -> Iterator[tuple[str, str, list[str]]]:
    """Yield what has a docstring in a function or class: its name, the docstring, and what the docstring must name."""
    if inspect.isfunction(value):
        yield name, inspect.getdoc(value) or "", parameters_of(value)
        return
    docs = [inspect.getdoc(each) or "" for each in value.__mro__ if each.__module__.startswith("napari_segcam")]
    own_init = value.__dict__.get("__init__")
    if own_init is not None and own_init.__qualname__.startswith(value.__name__):
        docs.append(inspect.getdoc(own_init) or "")
    fields = getattr(value, "model_fields", None) or getattr(value, "__dataclass_fields__", None)
    needed = list(fields) if fields else parameters_of(value.__init__) if own_init else []
    yield name, "\n".join(docs), [each for each in needed if not each.startswith("_")]
    for attribute, member in vars(value).items():
        if attribute.startswith("_") and attribute != "__call__":
            continue
        function = getattr(member, "__func__", None) or getattr(member, "fget", None) or getattr(member, "func", member)
        if inspect.isfunction(function):
            is_property = not inspect.isfunction(member) and not hasattr(member, "__func__")
            needed = [] if is_property else parameters_of(function)
            yield f"{name}.{attribute}", inspect.getdoc(getattr(value, attribute)) or "", needed


def parameters_of(function: Any) -> list[str]:
    """Return the names of a function's parameters, without those of the method's own object."""
    return [name for name in inspect.signature(function).parameters if name not in ("self", "cls")]
