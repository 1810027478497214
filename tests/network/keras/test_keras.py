"""Keras networks give the same results as in Keras, are explained layer by layer, and run no code from the file."""

from __future__ import annotations

import copy
import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras", reason="the extra [keras] is not installed")
h5py = pytest.importorskip("h5py", reason="the extra [keras] is not installed")
if keras.config.backend() != "torch":
    pytest.skip("Keras runs on another backend here", allow_module_level=True)

from hostile import ends_in_one_line  # noqa: E402

from napari_segcam import Explainer, Target, load_network  # noqa: E402
from napari_segcam.errors import SegcamError  # noqa: E402
from napari_segcam.network.keras.keras_network import KerasNetwork  # noqa: E402

# Keras itself warns with NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

L = keras.layers
FORMATS = ["network.keras", "network.h5"]


def small_network(classes: int, activation: str | None, side: int | None = None, begin: Any = None) -> Any:
    """Return a network with two levels down and up, both ways of upsampling, and two skip connections."""
    image = L.Input((side, side, 3))
    x = image if begin is None else begin(image)
    first = L.BatchNormalization()(L.Conv2D(5, 3, padding="same", activation="relu", name="first")(x))
    second = L.Dropout(0.5)(L.Conv2D(6, 3, padding="same", activation="relu", name="second")(L.MaxPooling2D()(first)))
    deep = L.Conv2D(7, 3, padding="same", activation="relu", name="deep")(L.MaxPooling2D()(second))
    x = L.Concatenate()([L.UpSampling2D(interpolation="bilinear")(deep), second])
    x = L.Conv2DTranspose(5, 2, strides=2, name="up")(L.Conv2D(6, 3, padding="same", activation="relu")(x))
    x = L.Add()([x, first])
    model = keras.Model(image, L.Conv2D(classes, 1, activation=activation, name="scores")(x))
    keras.utils.set_random_seed(1)
    for weight in model.weights:
        weight.assign(np.random.default_rng(len(weight.path)).uniform(0.1, 0.9, weight.shape) - 0.4 * (weight.ndim > 1))
    return model


def saved(model: Any, path: Path) -> Path:
    model.save(path)
    return path


def image_of(side: int = 32) -> torch.Tensor:
    return torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(3))


def predicted(model: Any, image: torch.Tensor) -> np.ndarray:
    """Return the output of Keras itself, channels first."""
    return np.moveaxis(model.predict(image.permute(0, 2, 3, 1).numpy(), verbose=0), -1, 1)


def probabilities(logits: torch.Tensor) -> np.ndarray:
    return (logits.sigmoid() if logits.shape[1] == 1 else logits.softmax(1)).numpy()


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(("classes", "activation"), [(1, "sigmoid"), (3, "softmax"), (3, None)])
def test_the_results_are_those_of_keras(tmp_path: Path, name: str, classes: int, activation: str | None) -> None:
    model = small_network(classes, activation)
    network = load_network(saved(model, tmp_path / name), device="cpu")
    image = image_of()
    with torch.no_grad():
        logits = network.module(image)
    expected = predicted(model, image)
    output = logits.numpy() if activation is None else probabilities(logits)
    np.testing.assert_allclose(output, expected, atol=1e-5)
    assert network.classes == classes
    assert network.card.input_channels == 3
    assert any(f"ends in a {activation}" in warning for warning in network.warnings) == (activation is not None)


@pytest.mark.slow
def test_a_frame_is_explained(tmp_path: Path) -> None:
    model = small_network(3, "softmax")
    network = load_network(saved(model, tmp_path / "network.keras"), device="cpu")
    frame = (image_of(32)[0].permute(1, 2, 0).numpy() * 255).astype(np.uint8)
    result = Explainer(network, stages="all")(frame, target=Target(class_index=2, region="image"))
    expected = predicted(model, torch.from_numpy(frame / np.float32(255)).permute(2, 0, 1)[None])[0]
    np.testing.assert_allclose(result.probabilities, expected, atol=1e-5)
    assert {name: heatmap.values.shape for name, heatmap in result.heatmaps.items()} == {
        stage.name: (32 // stage.stride, 32 // stage.stride) for stage in network.stages
    }


@pytest.mark.parametrize("layer", ["deep", "second", "up"])
def test_gradcam_of_a_layer_equals_gradcam_in_keras(tmp_path: Path, layer: str) -> None:
    """The reference is computed on the Keras model, channels last, with torch's gradient."""
    model = small_network(3, None)
    network = load_network(saved(model, tmp_path / "network.keras"), device="cpu")
    frame = image_of(32)[0].permute(1, 2, 0).numpy()
    result = Explainer(network, stages=[layer])(frame, target=Target(class_index=1, region="image"))
    both = keras.Model(model.input, [model.get_layer(layer).output, model.output])
    activations, logits = both(torch.from_numpy(frame)[None])
    (gradients,) = torch.autograd.grad(logits[..., 1].sum(), activations)
    expected = (activations * gradients.mean((1, 2), keepdim=True)).sum(-1).relu()[0].detach().numpy()
    assert expected.max() > 0
    np.testing.assert_allclose(result.heatmaps[layer].values, expected, rtol=1e-4, atol=1e-6 * expected.max())


def test_stages_are_found_and_layers_keep_their_names(tmp_path: Path) -> None:
    network = load_network(saved(small_network(1, "sigmoid"), tmp_path / "network.keras"), device="cpu")
    stages = [(stage.name, stage.stride, stage.channels) for stage in network.stages]
    assert [stage for stage in stages if stage[0].startswith("encoder")] == [
        ("encoder_1", 1, 5),
        ("encoder_2", 2, 6),
        ("encoder_3", 4, 7),
    ]
    assert {stage.stride for stage in network.stages if stage.kind == "decoder"} == {1, 2}
    assert network.stage("seg_head").layer == "scores"
    assert (network.stage("deep").channels, network.stage("deep").stride) == (7, 4)
    with pytest.raises(SegcamError, match="deep"):
        network.stage("dep")


def test_padding_and_scaling_are_not_stages(tmp_path: Path) -> None:
    """Backbones pad unevenly before a stride, and such a padded map does not match the image."""
    image = L.Input((None, None, 3))
    x = L.Conv2D(4, 3, strides=2)(L.ZeroPadding2D(((0, 1), (0, 1)))(L.Rescaling(1 / 255)(image)))
    x = L.Conv2D(8, 3, strides=2, name="deep")(L.ZeroPadding2D(((0, 1), (0, 1)))(x))
    model = keras.Model(image, L.Conv2D(1, 1)(L.UpSampling2D(4)(x)))
    network = load_network(saved(model, tmp_path / "network.keras"), device="cpu")
    encoder = [(stage.stride, stage.channels) for stage in network.stages if stage.kind == "encoder"]
    assert encoder == [(2, 4), (4, 8)]


def test_a_network_runs_on_the_device_of_its_image(tmp_path: Path) -> None:
    """Keras moves tensors to its own default device, which may differ from the requested one."""
    network = load_network(saved(small_network(1, None), tmp_path / "network.keras"), device="cpu")
    with torch.no_grad():
        expected = network.module(image_of())
        with keras.device("meta"):
            output = network.module(image_of())
    torch.testing.assert_close(output, expected)


def test_a_network_may_contain_a_network(tmp_path: Path) -> None:
    image = L.Input((None, None, 3))
    inner = keras.Model(image, L.Conv2D(4, 3, padding="same", strides=2, name="inside")(image), name="backbone")
    model = keras.Sequential([L.Input((None, None, 3)), inner, L.UpSampling2D(), L.Conv2D(2, 1), L.Softmax()])
    network = load_network(saved(model, tmp_path / "network.keras"), device="cpu")
    with torch.no_grad():
        output = probabilities(network.module(image_of()))
    np.testing.assert_allclose(output, predicted(model, image_of()), atol=1e-5)
    assert (network.stage("backbone.inside").channels, network.stage("backbone.inside").stride) == (4, 2)


def test_layers_may_have_any_name(tmp_path: Path) -> None:
    """Even the name of an attribute of torch modules, or of ours."""
    names = ["normalization", "channels", "image_size", "output_names", "card_fields", "forward", "training"]
    names += ["type", "add_layers", "channels_layer", "_layout", "_modules", "__deepcopy__"]
    x = image = L.Input((None, None, 3))
    for name in names:
        x = L.Conv2D(4, 3, padding="same", name=name)(x)
    network = load_network(saved(keras.Model(image, x), tmp_path / "network.keras"), device="cpu")
    with torch.no_grad():
        np.testing.assert_allclose(network.module(image_of()), predicted(keras.Model(image, x), image_of()), atol=1e-5)
    assert network.card.input_channels == 3
    assert [layer for layer, _ in network.module.named_children()] == [
        *("normalization", "channels_layer", "image_size_layer", "output_names_layer", "card_fields_layer"),
        *("forward_layer", "training_layer", "type_layer", "add_layers_layer", "channels_layer_layer"),
        *("_layout_layer", "_modules_layer", "__deepcopy___layer"),
    ]
    assert network.stage("forward_layer").channels == 4


def test_weights_may_have_any_name() -> None:
    image = L.Input((None, None, 3))
    layer = L.Conv2D(2, 1)
    model = keras.Model(image, layer(image))
    layer.kernel._name, layer.bias._name = "forward", "_layout"
    module = KerasNetwork(model)
    with torch.no_grad():
        np.testing.assert_allclose(module(image_of()), predicted(model, image_of()), atol=1e-5)
    assert [name.rpartition(".")[2] for name, _ in module.named_parameters()] == ["forward_0", "_layout_1"]


def test_a_copy_has_its_own_weights(tmp_path: Path) -> None:
    """Otherwise, sanity checks that randomize the weights of a copy would change the network itself."""
    network = load_network(saved(small_network(1, "sigmoid"), tmp_path / "network.keras"), device="cpu")
    module_copy = copy.deepcopy(network.module)
    for weight in module_copy.parameters():
        weight.data.zero_()
    with torch.no_grad():
        assert not module_copy(image_of()).any()
        assert network.module(image_of()).any()


def test_an_activation_before_upsampling_is_undone(tmp_path: Path) -> None:
    image = L.Input((None, None, 3))
    x = L.Conv2D(1, 2, strides=2, activation="sigmoid")(image)
    model = keras.Model(image, L.UpSampling2D(interpolation="bilinear")(x))
    network = load_network(saved(model, tmp_path / "network.keras"), device="cpu")
    with torch.no_grad():
        np.testing.assert_allclose(network.module(image_of()).sigmoid(), predicted(model, image_of()), atol=1e-5)


def test_an_activation_layer_used_twice_is_undone_only_at_the_end(tmp_path: Path) -> None:
    gate, image = L.Activation("sigmoid"), L.Input((None, None, 3))
    model = keras.Model(image, gate(L.Conv2D(1, 1)(gate(L.Conv2D(4, 1)(image)))))
    network = load_network(saved(model, tmp_path / "network.keras"), device="cpu")
    with torch.no_grad():
        output = network.module(image_of()).sigmoid()
    np.testing.assert_allclose(output, predicted(model, image_of()), atol=1e-5)


def test_operators_are_layers_too(tmp_path: Path) -> None:
    image = L.Input((None, None, 3))
    model = keras.Model(image, keras.ops.relu(L.Conv2D(2, 1)(image) * 2.0 + 1.0))
    network = load_network(saved(model, tmp_path / "network.keras"), device="cpu")
    with torch.no_grad():
        np.testing.assert_allclose(network.module(image_of()), predicted(model, image_of()), atol=1e-5)
    assert any("read as logits" in warning for warning in network.warnings)


def test_one_of_several_outputs_is_chosen_and_reported(tmp_path: Path) -> None:
    image = L.Input((None, None, 3))
    main, side = L.Conv2D(2, 1, activation="sigmoid", name="main")(image), L.Conv2D(1, 1, name="side")(image)
    network = load_network(saved(keras.Model(image, [side, main]), tmp_path / "network.keras"), device="cpu")
    assert network.assumed["output"] == "main, not side: by its name"
    assert network.classes_overlap, "each class has its own sigmoid"


@pytest.mark.parametrize(
    ("begin", "normalization"),
    [(None, "unit"), (L.Rescaling(1 / 255), "none"), (L.Normalization(mean=[1.0, 2, 3], variance=[4.0, 5, 6]), "none")],
)
def test_size_and_normalization_come_from_the_network(tmp_path: Path, begin: Any, normalization: str) -> None:
    path = saved(small_network(1, "sigmoid", side=24, begin=begin), tmp_path / "network.keras")
    network = load_network(path, device="cpu")
    assert (network.card.size.rule, network.card.size.height, network.card.size.width) == ("resize", 24, 24)
    assert network.assumed["normalization"] == network.card.normalization == normalization


def test_a_network_may_have_channels_first(tmp_path: Path) -> None:
    image = L.Input((3, None, None))
    model = keras.Model(image, L.Conv2D(2, 3, padding="same", data_format="channels_first", name="only")(image))
    network = load_network(saved(model, tmp_path / "network.keras"), device="cpu")
    with torch.no_grad():
        np.testing.assert_allclose(network.module(image_of()), model.predict(image_of().numpy(), verbose=0), atol=1e-5)


def test_half_precision_becomes_float32(tmp_path: Path) -> None:
    image = L.Input((None, None, 3))
    model = keras.Model(image, L.Conv2D(2, 3, padding="same", dtype="mixed_bfloat16")(image))
    network = load_network(saved(model, tmp_path / "network.keras"), device="cpu")
    with torch.no_grad():
        assert network.module(image_of()).dtype == torch.float32


def test_a_file_of_keras_2_is_read(tmp_path: Path) -> None:
    """Its files name no Python modules, and have entries that Keras 3 does not accept."""
    image = L.Input((None, None, 3))
    model = keras.Model(image, L.BatchNormalization()(L.DepthwiseConv2D(3, padding="same")(image)))
    path = saved(model, tmp_path / "network.h5")
    expected = predicted(model, image_of())

    def write_as_keras_2(config: dict[str, Any]) -> None:
        depthwise, norm = config["config"]["layers"][1:]
        depthwise["config"] |= {"groups": 1, "depthwise_initializer": {"class_name": "GlorotUniform", "config": {}}}
        norm["config"]["axis"] = [3]

    change_h5(path, write_as_keras_2)
    with torch.no_grad():
        np.testing.assert_allclose(load_network(path, device="cpu").module(image_of()), expected, atol=1e-5)


def test_nan_weights_give_a_warning(tmp_path: Path) -> None:
    model = small_network(1, "sigmoid")
    model.get_layer("deep").bias.assign(np.full(7, np.nan))
    warnings = load_network(saved(model, tmp_path / "network.keras"), device="cpu").warnings
    assert any("NaN" in warning and "deep.bias" in warning for warning in warnings)


# ------ Refused files -------------------------------------------------------------------------------------------------


def change_h5(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        change(config)
        file.attrs["model_config"] = json.dumps(config)


def change_keras(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(entries["config.json"])
    change(config)
    write_keras(path, entries | {"config.json": json.dumps(config).encode()})


def write_keras(path: Path, entries: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)


def refused(path: Path) -> str:
    """Check that a file is refused in one line that starts with its path; return the line."""
    with pytest.raises(SegcamError) as refusal:
        load_network(path, device="cpu")
    message = str(refusal.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message


def layer(config: dict[str, Any], name: str) -> dict[str, Any]:
    return next(entry for entry in config["config"]["layers"] if entry["config"]["name"] == name)


HOSTILE: dict[str, tuple[dict[str, Any], str]] = {
    "Lambda": ({"class_name": "Lambda", "module": "keras.layers", "config": {"name": "deep"}}, "Lambda layer 'deep'"),
    "class of another package": ({"class_name": "Evil", "module": "evil.layers"}, "evil.layers.Evil"),
    "class named as Keras' own": ({"module": "evil.layers"}, "evil.layers.Conv2D"),
    "registered class": ({"class_name": "Evil", "registered_name": "mine>Evil"}, "Evil"),
    "pickle": ({"class_name": "TorchModuleWrapper"}, "TorchModuleWrapper"),
    "function": ({"class_name": "function", "module": "keras.utils", "config": "get_file"}, "get_file"),
    "wrapped": (
        {"class_name": "SpectralNormalization", "config": {"layer": {"class_name": "Lambda", "config": {}}}},
        "Lambda",
    ),
    "list for a name": ({"class_name": ["Conv2D"]}, "damaged"),
}


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.parametrize("name", FORMATS)
def test_layers_that_could_run_code_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, case: str
) -> None:
    changes, words = HOSTILE[case]
    path = saved(small_network(1, None), tmp_path / name)
    change = change_h5 if name.endswith("h5") else change_keras
    change(path, lambda config: layer(config, "deep").update(changes))
    monkeypatch.setattr(keras.saving, "load_model", lambda *_args, **_options: pytest.fail("Keras reads the file"))
    assert words in refused(path)


def test_a_function_as_activation_is_refused(tmp_path: Path) -> None:
    path = saved(small_network(1, None), tmp_path / "network.keras")
    function = {"class_name": "function", "module": "os", "config": "system", "registered_name": "system"}
    change_keras(path, lambda config: layer(config, "deep")["config"].update(activation=function))
    assert "system" in refused(path)


def small(*layers: Any) -> Any:
    return keras.Sequential([L.Input((None, None, 3)), L.Conv2D(1, 1, name="deep"), *layers])


TOO_LARGE: dict[str, tuple[Callable[[], Any], dict[str, Any]]] = {
    "filters": (small, {"filters": 10**9}),
    "a kernel": (small, {"kernel_size": [10**6, 10**6]}),
    "upsampling": (lambda: small(L.UpSampling2D(2, name="large")), {"size": [10**5, 10**5]}),
    "upsampling a little less": (lambda: small(L.UpSampling2D(2, name="large")), {"size": [5000, 5000]}),
    "upsampling many times": (lambda: small(*(L.UpSampling2D(16) for _ in range(4))), {}),
    "padding": (lambda: small(L.ZeroPadding2D(1, name="large")), {"padding": [[10**9, 10**9], [1, 1]]}),
    "padding a little less": (
        lambda: small(L.ZeroPadding2D(1, name="large")),
        {"padding": [[60_000] * 2] * 2},
    ),
    "an image": (small, {"batch_input_shape": [None, 10**9, 10**9, 3]}),
}


@pytest.mark.parametrize("case", TOO_LARGE)
def test_layers_that_are_far_too_large_are_refused(tmp_path: Path, case: str) -> None:
    make, changes = TOO_LARGE[case]
    path = saved(make(), tmp_path / "network.keras")

    def change(config: dict[str, Any]) -> None:
        names = [entry["config"]["name"] for entry in config["config"]["layers"]]
        layer(config, "large" if "large" in names else "deep")["config"].update(changes)

    change_keras(path, change)
    ends_in_one_line(lambda: load_network(path, device="cpu"))


def test_a_layer_larger_than_its_weights_is_refused(tmp_path: Path) -> None:
    """It is refused before memory is allocated for it."""
    path = saved(small_network(1, None), tmp_path / "network.keras")
    change_keras(path, lambda config: layer(config, "deep")["config"].update(filters=10**12))
    refused(path)


@pytest.mark.parametrize("name", FORMATS)
def test_a_truncated_file_is_refused(tmp_path: Path, name: str) -> None:
    path = saved(small_network(1, None), tmp_path / name)
    content = path.read_bytes()
    for fraction in (0.1, 0.5, 0.95):
        path.write_bytes(content[: int(len(content) * fraction)])
        refused(path)


def write_outside_file(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file["secret"] = np.full((7,), 5.0, np.float32)
    return path


def external_link(file: Any, key: str, other: Path) -> None:
    file[key] = h5py.ExternalLink(other, "/secret")


def soft_link(file: Any, key: str, _other: Path) -> None:
    file[key] = h5py.SoftLink("/elsewhere")


def virtual_dataset(file: Any, key: str, other: Path) -> None:
    layout = h5py.VirtualLayout((7,), np.float32)
    layout[:] = h5py.VirtualSource(other, "secret", (7,))
    file.create_virtual_dataset(key, layout)


def external_storage(file: Any, key: str, other: Path) -> None:
    file.create_dataset(key, (7,), np.float32, external=[(str(other), 0, 28)])


def far_too_large(file: Any, key: str, _other: Path) -> None:
    file.create_dataset(key, (10**12,), np.float32, chunks=(1024,))


@pytest.mark.parametrize("put", [external_link, soft_link, virtual_dataset, external_storage, far_too_large])
@pytest.mark.parametrize("name", FORMATS)
def test_weights_outside_of_the_file_are_refused(tmp_path: Path, name: str, put: Callable[..., None]) -> None:
    path, other = saved(small_network(1, None), tmp_path / name), write_outside_file(tmp_path / "outside.h5")
    if name.endswith("h5"):
        with h5py.File(path, "r+") as file:
            del file["model_weights/deep/deep/bias"]
            put(file, "model_weights/deep/deep/bias", other)
    else:
        with zipfile.ZipFile(path) as archive:
            entries = {entry: archive.read(entry) for entry in archive.namelist()}
        weights = io.BytesIO(entries["model.weights.h5"])
        with h5py.File(weights, "r+") as file:
            layer_name = next(
                name for name in file["layers"] if file[f"layers/{name}/vars"].get("1", np.zeros(0)).shape == (7,)
            )
            del file[f"layers/{layer_name}/vars/1"]
            put(file, f"layers/{layer_name}/vars/1", other)
        write_keras(path, entries | {"model.weights.h5": weights.getvalue()})
    assert "bias" in (message := refused(path)) or "vars/1" in message or "far more" in message


def test_weights_alone_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "network.weights.h5"
    small_network(1, None).save_weights(path)
    assert "model.save" in refused(path)


def test_the_module_is_a_keras_network(tmp_path: Path) -> None:
    network = load_network(saved(small_network(1, None), tmp_path / "network.keras"), device="cpu")
    assert isinstance(network.module, KerasNetwork)
    assert network.architecture == "Keras network"
