"""ONNX files: recognized by their content, weights in other files, and files that are damaged or hostile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

onnx = pytest.importorskip("onnx")

from hostile import ends_in_one_line  # noqa: E402
from onnx import TensorProto, helper  # noqa: E402
from onnx_models import model_of, saved, small_segmenter  # noqa: E402

import napari_segcam as sc  # noqa: E402
from napari_segcam.network.checkpoints.checkpoint import read_checkpoint  # noqa: E402
from napari_segcam.network.onnx.recognition import is_onnx  # noqa: E402


def refusal(model: Any, path: Path) -> str:
    return ends_in_one_line(lambda: sc.load_network(saved(model, path), "cpu"))


def test_the_content_decides(tmp_path: Path) -> None:
    assert is_onnx(saved(small_segmenter(), tmp_path / "network.pth"))
    assert read_checkpoint(tmp_path / "network.pth").form == "onnx"
    torch.save({"a": torch.zeros(3)}, tmp_path / "weights.onnx")
    assert not is_onnx(tmp_path / "weights.onnx")
    for number, content in enumerate((b"", b"\x08", b"\x08\x07", b"\x08\x07hello world", bytes(range(256)))):
        (tmp_path / str(number)).write_bytes(content)
        assert not is_onnx(tmp_path / str(number))


def test_file_that_is_cut_short(tmp_path: Path) -> None:
    content = small_segmenter().SerializeToString()
    path = tmp_path / "n.onnx"
    path.write_bytes(content[: len(content) // 2])
    assert "cut short" in ends_in_one_line(lambda: sc.load_network(path, "cpu"))


def with_weights_beside(path: Path) -> Path:
    onnx.save_model(small_segmenter(), str(path), save_as_external_data=True, location="weights.bin", size_threshold=64)
    return path


def test_weights_in_another_file(tmp_path: Path) -> None:
    path = with_weights_beside(tmp_path / "n.onnx")
    network = sc.load_network(path, "cpu")
    plain = sc.load_network(saved(small_segmenter(), tmp_path / "plain.onnx"), "cpu")
    x = torch.rand(1, 3, 32, 32)
    assert torch.equal(network.module(x), plain.module(x))
    # The checksum is that of both files.
    content = bytearray((tmp_path / "weights.bin").read_bytes())
    content[2] ^= 1
    (tmp_path / "weights.bin").write_bytes(bytes(content))
    assert sc.load_network(path, "cpu").sha256 != network.sha256


def test_missing_and_cut_weights(tmp_path: Path) -> None:
    path = with_weights_beside(tmp_path / "n.onnx")
    weights = tmp_path / "weights.bin"
    content = weights.read_bytes()
    weights.write_bytes(content[:100])
    assert "weights.bin, which is cut short" in ends_in_one_line(lambda: sc.load_network(path, "cpu"))
    weights.unlink()
    assert "Copy that file to the same folder" in ends_in_one_line(lambda: sc.load_network(path, "cpu"))


@pytest.mark.parametrize("location", ["../secret.bin", "/etc/passwd", "C:\\secret.bin", "..\\secret.bin", ""])
def test_weights_outside_the_folder_are_not_read(tmp_path: Path, location: str) -> None:
    (tmp_path / "secret.bin").write_bytes(bytes(10_000))
    (tmp_path / "folder").mkdir()
    path = with_weights_beside(tmp_path / "folder" / "n.onnx")
    model = onnx.load(str(path), load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = location
    assert "outside its own folder" in refusal(model, path)


def test_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    path = with_weights_beside(tmp_path / "folder" / "n.onnx")
    (tmp_path / "folder" / "weights.bin").rename(tmp_path / "secret.bin")
    (tmp_path / "folder" / "weights.bin").symlink_to(tmp_path / "secret.bin")
    assert "leads outside" in ends_in_one_line(lambda: sc.load_network(path, "cpu"))


def test_cycle(tmp_path: Path) -> None:
    nodes = [helper.make_node("Add", ["x", "b"], ["a"]), helper.make_node("Relu", ["a"], ["b"])]
    assert "cycle" in refusal(model_of(nodes, {}, outputs=["b"]), tmp_path / "n.onnx")


def test_value_that_nothing_makes(tmp_path: Path) -> None:
    assert "nothing makes" in refusal(model_of([helper.make_node("Add", ["x", "b"], ["y"])], {}), tmp_path / "n.onnx")


def test_huge_constant_in_few_bytes(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("ConstantOfShape", ["sides"], ["huge"]),
        helper.make_node("ReduceSum", ["huge"], ["sum"]),
        helper.make_node("Add", ["x", "sum"], ["y"]),
    ]
    model = model_of(nodes, {"sides": np.array([1 << 20, 1 << 20], np.int64)})
    assert "memory" in refusal(model, tmp_path / "n.onnx")


def test_tensor_larger_than_the_file(tmp_path: Path) -> None:
    model = small_segmenter()
    model.graph.initializer[0].dims[:] = [1 << 40, 1 << 20]
    assert "damaged" in refusal(model, tmp_path / "n.onnx")


@pytest.mark.slow
def test_endless_loop(tmp_path: Path) -> None:
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["go_on"]),
            helper.make_node("Mul", ["state", "state"], ["next_state"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("number", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next_state", TensorProto.FLOAT, None),
        ],
    )
    nodes = [helper.make_node("Loop", ["count", "go_first", "x"], ["y"], body=body)]
    constants = {"count": np.array(10**12, np.int64), "go_first": np.array(True)}
    assert "longer than any network should" in refusal(model_of(nodes, constants), tmp_path / "n.onnx")


def test_several_inputs_are_refused_by_name(tmp_path: Path) -> None:
    model = small_segmenter()
    model.graph.input.append(helper.make_tensor_value_info("previous_mask", TensorProto.FLOAT, [1, 1, 64, 64]))
    assert "takes 2 inputs (x, previous_mask)" in refusal(model, tmp_path / "n.onnx")


def test_volumes_are_refused(tmp_path: Path) -> None:
    model = model_of([helper.make_node("Relu", ["x"], ["y"])], {}, (1, 1, 16, 16, 16))
    assert "three-dimensional" in refusal(model, tmp_path / "n.onnx")


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import napari_segcam.optional as optional

    monkeypatch.setattr(optional, "find_spec", lambda _name: None)
    reason = refusal(small_segmenter(), tmp_path / "n.onnx")
    assert 'pip install "napari-segcam[onnx]"' in reason


def test_without_onnxruntime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_segcam.network.onnx import conversion

    monkeypatch.setattr(conversion, "find_spec", lambda _name: None)
    network = sc.load_network(saved(small_segmenter(), tmp_path / "n.onnx"), "cpu")
    assert not network.no_hooks_reason
    model = small_segmenter()
    model.graph.node[1].op_type = "Hardmax"
    reason = refusal(model, tmp_path / "m.onnx")
    assert "the operator Hardmax of node first_relu" in reason
    assert "pip install onnxruntime" in reason
