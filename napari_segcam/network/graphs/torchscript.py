"""Read TorchScript files: networks compiled by ``torch.jit``, whose code runs in torch's own interpreter.

That interpreter runs no Python, but it is not a sandbox: it has operations that write and map files, and it runs
``__setstate__`` while it loads. Both are refused before anything runs. The archive is checked, and only the records
that are needed are copied and loaded. Then every operation of the network must be a computation. A network can still
compute for a long time or ask for much memory, as any other.
"""

from __future__ import annotations

import io
import pickletools
import re
import warnings
import zipfile
from collections.abc import Iterator
from typing import Any

import torch

from napari_segcam.errors import SegcamError, error_text
from napari_segcam.network.files.archive import Archive
from napari_segcam.network.whole_network import WholeNetwork

# Instructions of the interpreter that only compute, then operations of ATen that do more.
_INSTRUCTIONS = re.compile(
    r"prim::(Constant|ConstantChunk|CreateObject|DictConstruct|DictIndex|EnumName|EnumValue|GetAttr|If|ListConstruct"
    r"|ListUnpack|Loop|ModuleContainerIndex|NumToTensor|RaiseException|SetAttr|StringIndex|TupleConstruct"
    r"|TupleIndex|TupleSlice|TupleUnpack|Uninitialized|abs|data|device|dtype|is_[a-z]+|isinstance|itemsize|layout|max"
    r"|min|name|rangelist|requires_grad|tolist|type|unchecked_cast|unchecked_unwrap_optional)"
)
_TOUCHES_FILES = frozenset({"aten::save", "aten::from_file", "aten::_print"})

# Records that only say how to read the others.
_FORMAT_RECORDS = ("version", ".data/version", "byteorder")

# Methods that run while loading, or at every call without being in the network's graph.
_RUNS_BY_ITSELF = (b"__setstate__", b"__forward_hooks__", b"__forward_pre_hooks__")

NO_HOOKS_REASON = (
    "TorchScript networks take no hooks on their layers, so they have masks and occlusion maps, but no Grad-CAM. "
    "For Grad-CAM, load the weights or the exported program (torch.export) of the network."
)


class ScriptedNetwork(WholeNetwork):
    """A TorchScript network in a module that can be used like any other."""

    no_hooks_reason = NO_HOOKS_REASON

    def __init__(self, script: torch.jit.ScriptModule) -> None:
        super().__init__()
        self.script = script

    def forward(self, image: torch.Tensor) -> Any:
        return self.script(image)


def copy_script(script: torch.jit.ScriptModule) -> ScriptedNetwork:
    """Copy a compiled network, as a module."""
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(script, file)
        file.seek(0)
        script = torch.jit.load(file, map_location="cpu").eval()
    return ScriptedNetwork(script)


def is_torchscript(archive: Archive) -> bool:
    """Whether ``torch.jit.save`` wrote this archive."""
    return "constants.pkl" in archive.sizes or any(name.startswith("code/") for name in archive.sizes)


def read_torchscript(archive: Archive) -> ScriptedNetwork:
    """Return the network of a TorchScript file, on the CPU, in eval mode.

    Raises:
        SegcamError: if the file is damaged, or would do more than compute.
    """
    clean = _clean_copy(archive)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch.jit is deprecated, but its files are still in use
            script = torch.jit.load(clean, map_location="cpu")
            graph = script.inlined_graph
            operations = set(_operations(graph))
    except Exception as error:  # the loader raises many kinds, with many lines
        raise SegcamError(
            f"{archive.path} is a damaged TorchScript file, or of another version of torch ({error_text(error, 200)})."
        ) from error
    for operation in sorted(operations):
        computes = operation.startswith("aten::") and operation not in _TOUCHES_FILES
        if not computes and not _INSTRUCTIONS.fullmatch(operation):
            raise _refused(archive, f"the operation {operation}, which does more than compute")
    return ScriptedNetwork(script.eval())


def _clean_copy(archive: Archive) -> io.BytesIO:
    """Copy the records that the network needs, each of them checked."""
    copy = io.BytesIO()
    with zipfile.ZipFile(copy, "w") as clean:
        for name in archive.sizes:
            is_code = name.startswith("code/") and name.endswith(".py")
            is_pickle = name in ("data.pkl", "constants.pkl")
            is_plain = name in _FORMAT_RECORDS or name.startswith(("data/", "constants/"))
            if not (is_code or is_pickle or is_plain):
                continue
            content = archive.read(name)
            if is_code and (method := next((word for word in _RUNS_BY_ITSELF if word in content), None)):
                raise _refused(archive, f"{method.decode()}, which would run by itself")
            if is_pickle and any("torch.classes" in class_name for class_name in _class_names(archive, content)):
                raise _refused(archive, "an object of compiled code (torch.classes)")
            clean.writestr(f"network/{name}", content)
    copy.seek(0)
    return copy


def _class_names(archive: Archive, content: bytes) -> list[str]:
    """Names of all classes in a pickle."""
    try:
        return [
            str(argument).replace(" ", ".")
            for opcode, argument, _ in pickletools.genops(content)
            if "GLOBAL" in opcode.name
        ]
    except Exception as error:
        raise SegcamError(f"{archive.path} is a damaged TorchScript file ({error}).") from error


def _operations(graph: torch.Graph) -> Iterator[str]:
    pending = list(graph.nodes())
    while pending:
        node = pending.pop()
        yield node.kind()
        for block in node.blocks():
            pending += block.nodes()


def _refused(archive: Archive, reason: str) -> SegcamError:
    return SegcamError(
        f"{archive.path} is a TorchScript file that was not opened, because it holds {reason}. "
        "Ask for the weights alone: torch.save(model.state_dict(), 'weights.pth')."
    )
