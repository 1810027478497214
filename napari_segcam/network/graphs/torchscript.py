"""TorchScript: networks compiled by ``torch.jit``, which bring their code along and run it in torch's own interpreter.

That interpreter knows no Python, but it is no sandbox either: it has operations that write and map files, and it runs
a ``__setstate__`` while it loads. Both are refused before anything runs: the archive is checked and written anew with
nothing but what is needed, and after loading, every operation of the network must be a computation. What remains is
what any network can do: compute for a long time, or ask for much memory.
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
from torch import nn

from napari_segcam.errors import SegcamError, error_text
from napari_segcam.network.files.archive import Archive

# The interpreter's own instructions that only compute, and the operations of ATen that do more than that.
_INSTRUCTIONS = re.compile(
    r"prim::(Constant|ConstantChunk|CreateObject|DictConstruct|DictIndex|EnumName|EnumValue|GetAttr|If|ListConstruct"
    r"|ListUnpack|Loop|ModuleContainerIndex|NumToTensor|RaiseException|SetAttr|StringIndex|TupleConstruct"
    r"|TupleIndex|TupleSlice|TupleUnpack|Uninitialized|abs|data|device|dtype|is_[a-z]+|isinstance|itemsize|layout|max"
    r"|min|name|rangelist|requires_grad|tolist|type|unchecked_cast|unchecked_unwrap_optional)"
)
_TOUCHES_FILES = frozenset({"aten::save", "aten::from_file", "aten::_print"})

# Records that only say how the others are to be read.
_PLAIN = ("version", ".data/version", "byteorder")

# Names of methods that run on loading, or at every call without being part of the network's graph.
_RUNS_BY_ITSELF = (b"__setstate__", b"__forward_hooks__", b"__forward_pre_hooks__")

NO_HOOKS_REASON = (
    "TorchScript networks refuse taps on their layers, so they have masks and occlusion maps, but no Grad-CAM. "
    "For Grad-CAM, load the weights or the exported program (torch.export) of the network."
)


class ScriptedNetwork(nn.Module):
    """A TorchScript network inside a module that can be handled as any other."""

    def __init__(self, script: torch.jit.ScriptModule) -> None:
        super().__init__()
        self.script = script

    def forward(self, image: torch.Tensor) -> Any:
        return self.script(image)


def copy_script(script: torch.jit.ScriptModule) -> ScriptedNetwork:
    """A copy of a compiled network that is at hand, as a module."""
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
    """The network of a TorchScript file, on the CPU, in eval mode.

    Raises:
        SegcamError: if it is damaged, or would do anything but compute.
    """
    clean = _clean_copy(archive)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch.jit is deprecated; files of it are still about
            script = torch.jit.load(clean, map_location="cpu")
            graph = script.inlined_graph
            operations = set(_operations(graph))
    except Exception as error:  # the loader raises many kinds, with many lines
        raise SegcamError(
            f"{archive.path} is a damaged TorchScript file, or one of another version of torch "
            f"({error_text(error, 200)})."
        ) from error
    for operation in sorted(operations):
        computes = operation.startswith("aten::") and operation not in _TOUCHES_FILES
        if not computes and not _INSTRUCTIONS.fullmatch(operation):
            raise _refused(archive, f"the operation {operation}, which does more than compute")
    return ScriptedNetwork(script.eval())


def _clean_copy(archive: Archive) -> io.BytesIO:
    """The archive with only those records that running the network takes, each of them seen by us."""
    copy = io.BytesIO()
    with zipfile.ZipFile(copy, "w") as clean:
        for name in archive.sizes:
            is_code = name.startswith("code/") and name.endswith(".py")
            is_pickle = name in ("data.pkl", "constants.pkl")
            is_plain = name in _PLAIN or name.startswith(("data/", "constants/"))
            if not (is_code or is_pickle or is_plain):
                continue
            content = archive.read(name)
            if is_code and (found := next((word for word in _RUNS_BY_ITSELF if word in content), None)):
                raise _refused(archive, f"{found.decode()}, which would run by itself")
            if is_pickle and any("torch.classes" in named for named in _names(archive, content)):
                raise _refused(archive, "an object of compiled code (torch.classes)")
            clean.writestr(f"network/{name}", content)
    copy.seek(0)
    return copy


def _names(archive: Archive, content: bytes) -> list[str]:
    """All classes that a pickle mentions."""
    try:
        return [
            str(argument).replace(" ", ".")
            for opcode, argument, _ in pickletools.genops(content)
            if "GLOBAL" in opcode.name
        ]
    except Exception as error:
        raise SegcamError(f"{archive.path} is a damaged TorchScript file ({error}).") from error


def _operations(graph: torch.Graph) -> Iterator[str]:
    waiting = list(graph.nodes())
    while waiting:
        node = waiting.pop()
        yield node.kind()
        for block in node.blocks():
            waiting += block.nodes()


def _refused(archive: Archive, what: str) -> SegcamError:
    return SegcamError(
        f"{archive.path} is a TorchScript file that was not opened, because it holds {what}. "
        "Ask for the weights alone: torch.save(model.state_dict(), 'weights.pth')."
    )
