"""Hostile files run no code and are refused within seconds and with little memory."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import safetensors.torch
import torch
from hostile import peak_memory
from made_files import entries_of, exported, saved, scripted, small_network, zipped

from napari_segcam.errors import SegcamError
from napari_segcam.network.checkpoints.checkpoint import read_checkpoint

# More than a small file takes on a busy machine, and far less than these files ask for.
SECONDS, MEGABYTES = 8, 400


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Path]:
    """Path that does not exist, and must not exist after the test."""
    path = tmp_path / "canary"
    yield path
    assert not path.exists(), "the file did something"


def refuse(content: bytes, folder: Path) -> str:
    """Check that a file is refused in one line, quickly and with little memory; return the reason."""
    path = folder / "model.pth"
    path.write_bytes(content)
    before, start = peak_memory(), time.process_time()
    with pytest.raises(SegcamError) as refusal:
        read_checkpoint(path)
    assert time.process_time() - start < SECONDS
    assert peak_memory() - before < MEGABYTES
    reason = str(refusal.value)
    assert "\n" not in reason
    assert len(reason) < 1000
    return reason


def torch_zip(content: bytes) -> bytes:
    """Return a torch file with this pickle."""
    return zipped({**entries_of(saved(None)), "archive/data.pkl": content})


def torch_legacy(content: bytes) -> bytes:
    """Return a torch file of the old format with this pickle."""
    empty = saved(None, _use_new_zipfile_serialization=False)
    return empty.replace(pickle.dumps(None, 2), content, 1)


def text(value: str) -> bytes:
    """Return the instruction that pushes a text, in any pickle protocol."""
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def call(module: str, name: str, *arguments: str) -> bytes:
    """Return a pickle that calls a function."""
    return (
        b"\x80\x02" + b"c%b\n%b\n" % (module.encode(), name.encode()) + b"(" + b"".join(map(text, arguments)) + b"tR."
    )


# All the ways in which a pickle can call a class or function; each creates a folder at the path of the canary.
FORMS: dict[str, Callable[[str], bytes]] = {
    "REDUCE": lambda path: b"\x80\x02cposix\nmkdir\n" + text(path) + b"\x85R.",
    "REDUCE with the name on the stack": lambda path: (
        b"\x80\x04\x8c\x05posix\x8c\x05mkdir\x93" + text(path) + b"\x85R."
    ),
    "OBJ": lambda path: b"(cposix\nmkdir\n" + text(path) + b"o.",
    "INST": lambda path: b"(" + text(path) + b"iposix\nmkdir\n.",
    "first protocol": lambda path: b"cposix\nmkdir\n(V" + path.encode() + b"\ntR.",
    "from the memo": lambda path: b"\x80\x02cposix\nmkdir\nq\x000h\x00" + text(path) + b"\x85R.",
    "in a list": lambda path: b"\x80\x02]cposix\nmkdir\n" + text(path) + b"\x85Ra.",
    "as a key": lambda path: b"\x80\x02}cposix\nmkdir\n" + text(path) + b"\x85RK\x01s.",
    "thrown away": lambda path: b"\x80\x02cposix\nmkdir\n" + text(path) + b"\x85R0}.",
    "as state": lambda path: (
        b"\x80\x02cargparse\nNamespace\n)\x81}" + text("a") + b"cposix\nmkdir\n" + text(path) + b"\x85Rsb."
    ),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
@pytest.mark.parametrize("container", [torch_zip, torch_legacy])
def test_no_form_of_call_runs(
    form: Callable[[str], bytes], container: Callable[[bytes], bytes], canary: Path, tmp_path: Path
) -> None:
    assert "posix.mkdir" in refuse(container(form(str(canary))), tmp_path)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_python_itself_would_run_these_calls(form: Callable[[str], bytes], tmp_path: Path) -> None:
    pickle.loads(form(str(tmp_path / "canary")))
    assert (tmp_path / "canary").exists()


# Functions that write a file, run a program, or fetch something, with the arguments they would take.
FUNCTIONS: dict[str, Callable[[str], bytes]] = {
    "os.system": lambda path: call("os", "system", f"mkdir {path}"),
    "posix.system": lambda path: call("posix", "system", f"mkdir {path}"),
    "nt.system": lambda path: call("nt", "system", f"mkdir {path}"),
    "os.popen": lambda path: call("os", "popen", f"mkdir {path}"),
    "subprocess.Popen": lambda path: call("subprocess", "Popen", f"mkdir {path}"),
    "subprocess.getoutput": lambda path: call("subprocess", "getoutput", f"mkdir {path}"),
    "builtins.exec": lambda path: call("builtins", "exec", f"open({path!r}, 'w')"),
    "builtins.eval": lambda path: call("builtins", "eval", f"open({path!r}, 'w')"),
    "eval of Python 2": lambda path: call("__builtin__", "eval", f"open({path!r}, 'w')"),
    "builtins.open": lambda path: call("builtins", "open", path, "w"),
    "io.open": lambda path: call("io", "open", path, "w"),
    "builtins.__import__": lambda _: call("builtins", "__import__", "antigravity"),
    "builtins.getattr": lambda path: call("builtins", "getattr", path, "format"),
    "importlib": lambda _: call("importlib", "import_module", "antigravity"),
    "pty.spawn": lambda _: call("pty", "spawn", "true"),
    "shutil.copy": lambda path: call("shutil", "copy", "/etc/hostname", path),
    "pathlib, a method": lambda path: call("pathlib", "Path.touch", path),
    "runpy": lambda path: call("runpy", "run_path", path),
    "code": lambda path: call("code", "interact", path),
    "timeit": lambda path: call("timeit", "timeit", f"open({path!r}, 'w')"),
    "operator.methodcaller": lambda path: call("operator", "methodcaller", "system", f"mkdir {path}"),
    "pickle.loads": lambda path: call("pickle", "loads", path),
    "marshal.loads": lambda path: call("marshal", "loads", path),
    "logging.FileHandler": lambda path: call("logging", "FileHandler", path),
    "zipfile.ZipFile": lambda path: call("zipfile", "ZipFile", path, "w"),
    "sqlite3.connect": lambda path: call("sqlite3", "connect", path),
    "ctypes.CDLL": lambda path: call("ctypes", "CDLL", path),
    "webbrowser.open": lambda path: call("webbrowser", "open", path),
    "torch.load": lambda path: call("torch", "load", path),
    "torch.save": lambda path: call("torch", "save", path, path),
    "torch.hub.load": lambda _: call("torch.hub", "load", "someone/something", "model"),
    "torch.jit.load": lambda path: call("torch.jit", "load", path),
    "torch.fx, code of a graph": lambda path: call("torch.fx.graph_module", "reduce_graph_module", path),
    "torch extensions": lambda path: call("torch.utils.cpp_extension", "load_inline", path, path),
    "numpy.load": lambda path: call("numpy", "load", path),
    "numpy.save": lambda path: call("numpy", "save", path, path),
    "timm.create_model": lambda _: call("timm.models._factory", "create_model", "resnet18"),
    "timm, a checkpoint": lambda path: call("timm.models._helpers", "load_state_dict", path),
    "torchvision, a download": lambda _: call("torchvision.models._api", "get_model", "resnet18"),
    "joblib.load": lambda path: call("joblib", "load", path),
    "through torch's own rebuilding": lambda path: (
        b"\x80\x02ctorch._tensor\n_rebuild_from_type_v2\n(cposix\nmkdir\nctorch\nTensor\n" + text(path) + b"\x85}tR."
    ),
    "through functools.partial": lambda path: (
        b"\x80\x02cfunctools\npartial\ncposix\nmkdir\n\x85R" + text(path) + b"\x85R."
    ),
}


@pytest.mark.parametrize("make", FUNCTIONS.values(), ids=FUNCTIONS.keys())
def test_no_function_is_called(make: Callable[[str], bytes], canary: Path, tmp_path: Path) -> None:
    assert "would run code" in refuse(torch_zip(make(str(canary))), tmp_path)


def test_names_in_a_file_do_not_garble_the_message(tmp_path: Path) -> None:
    hostile = b"\x80\x04" + text("evil\n\x1b[2J" * 1000) + text("name") + b"\x93)R."
    refuse(torch_zip(hostile), tmp_path)
    names = {f"a\n{'b' * 5000}{number}": {"c": torch.zeros(1)} for number in range(9)}
    assert "several sets" in refuse(saved(names), tmp_path)


@pytest.mark.parametrize("protocol", range(6))
def test_no_plain_pickle_is_opened(protocol: int, canary: Path, tmp_path: Path) -> None:
    class Canary:
        def __reduce_ex__(self, _protocol: int) -> tuple[object, ...]:
            return os.mkdir, (str(canary),)

    refuse(pickle.dumps({"weights": Canary()}, protocol), tmp_path)


def test_no_old_tar_is_unpacked(canary: Path, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in {"pickle": FORMS["REDUCE"](str(canary)), "../canary": b"x"}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    refuse(buffer.getvalue(), tmp_path)


def _storage(key: str = "0", count: bytes = b"K\x04", kind: bytes = b"FloatStorage") -> bytes:
    return b"(" + text("storage") + b"ctorch\n" + kind + b"\n" + text(key) + text("cpu") + count + b"tQ"


def _tensor(storage: bytes, offset: bytes = b"K\0", size: bytes = b"K\x04", stride: bytes = b"K\x01") -> bytes:
    rebuild = b"ctorch._utils\n_rebuild_tensor_v2\n("
    return rebuild + storage + offset + size + b"\x85" + stride + b"\x85\x89ccollections\nOrderedDict\n)RtR"


def _weights(tensor: bytes) -> bytes:
    """Return a torch file with one tensor of four numbers, which the pickle describes in this way."""
    entries = entries_of(saved({"a": torch.zeros(4)}))
    return zipped({**entries, "archive/data.pkl": b"\x80\x02}" + text("a") + tensor + b"s."})


def test_the_tensor_of_the_next_tests_is_read_if_the_pickle_is_right(tmp_path: Path) -> None:
    (tmp_path / "a.pth").write_bytes(_weights(_tensor(_storage())))
    assert torch.equal(read_checkpoint(tmp_path / "a.pth").weights["a"], torch.zeros(4))


HUGE = b"\x8a\x08" + (2**61).to_bytes(8, "little")
MINUS = b"J" + struct.pack("<i", -4)

# Pairs that each hold the previous pair twice: to hash the last takes 2**60 steps.
NESTED_PAIRS = b"K\x01" + b"q\x00h\x00\x86" * 60


def integer(value: int) -> bytes:
    content = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(content)]) + content


# All multiples of this number have the hash 0.
MODULUS = 2**61 - 1
SAME_HASH = b"".join(integer(number * MODULUS) + b"K\x01" for number in range(1, 20_001))
PAIRS = b"(" + b"".join(integer(number * MODULUS) + b"K\x01\x86" for number in range(1, 20_001)) + b"l"
NUMBERS = b"(" + b"K\x01" * 100_000 + b"l"


def called_often(function: str, argument: bytes, times: int = 20_000) -> bytes:
    """Return a torch file that calls a function many times with an argument that it holds once."""
    module, _, name = function.rpartition(".")
    begin = b"\x80\x02c%b\n%b\nq\x00" % (module.encode(), name.encode()) + argument + b"q\x01"
    return torch_zip(begin + b"(" + b"h\x00h\x01\x85R" * times + b"l.")


def nested_keys() -> bytes:
    """Return 619 bytes for a tuple of 99 tuples of 99 tuples of 99 numbers, which are all hashed at each use."""
    inner = b"(" + b"K\x01" * 99 + b"t"
    middle, outer = b"q\x000(" + b"h\x00" * 99 + b"t", b"q\x010(" + b"h\x01" * 99 + b"t"
    return torch_zip(b"\x80\x02" + inner + middle + outer + b"q\x020}(" + b"h\x02K\x01" * 2000 + b"u.")


def many_tuples() -> bytes:
    keys = b"".join(b"J" + struct.pack("<i", number) + b"K\x00\x86K\x01" for number in range(200_000))
    return torch_zip(b"\x80\x02}(" + keys + b"u.")


def repeated(begin: bytes, step: bytes, end: bytes) -> bytes:
    return torch_zip(b"\x80\x02" + begin + step * 60 + end + b".")


EXHAUSTING: dict[str, Callable[[], bytes]] = {
    "keys of tuples of tuples": nested_keys,
    "keys with the same hash": lambda: torch_zip(b"\x80\x02}(" + SAME_HASH + b"u."),
    "keys with the same hash, old format": lambda: torch_legacy(b"\x80\x02}(" + SAME_HASH + b"u."),
    "keys with the same hash in an ordered dict": lambda: torch_zip(
        b"\x80\x02ccollections\nOrderedDict\n" + PAIRS + b"\x85R."
    ),
    "a set with the same hashes": lambda: torch_zip(
        b"\x80\x04\x8f(" + b"".join(integer(n * MODULUS) for n in range(1, 20_001)) + b"\x90."
    ),
    "two hundred thousand tuples as keys": many_tuples,
    "a text that is encoded again and again": lambda: called_often("_codecs.encode", text("a" * 1_000_000)),
    "a size that is copied again and again": lambda: called_often("torch.Size", NUMBERS),
    "a dict that is copied again and again": lambda: called_often(
        "collections.OrderedDict", b"}(" + b"".join(b"J" + struct.pack("<i", n) + b"N" for n in range(50_000)) + b"u"
    ),
    "a counter that is copied again and again": lambda: called_often(
        "collections.Counter", b"}(" + b"".join(b"J" + struct.pack("<i", n) + b"N" for n in range(50_000)) + b"u"
    ),
    "a set that is copied again and again": lambda: called_often("builtins.set", NUMBERS),
    "lists that each hold the previous one twice": lambda: repeated(b"]", b"q\x00](h\x00h\x00e", b""),
    "dicts that each hold the previous one twice": lambda: repeated(
        b"}", b"q\x00}(" + text("model") + b"h\x00" + text("net") + b"h\x00u", b""
    ),
    "objects that each hold the previous one twice": lambda: repeated(
        b"N", b"q\x00cargparse\nNamespace\n)\x81(h\x00h\x00tb", b""
    ),
    "storage larger than its record": lambda: _weights(_tensor(_storage(count=b"J\0\0\0\x40"))),
    "storage of 2**61 numbers": lambda: _weights(_tensor(_storage(count=HUGE))),
    "storage of minus four": lambda: _weights(_tensor(_storage(count=MINUS))),
    "storage that is missing": lambda: _weights(_tensor(_storage(key="1"))),
    "storage outside of the archive": lambda: _weights(_tensor(_storage(key="../../../etc/passwd"))),
    "storage of an unknown kind": lambda: _weights(_tensor(_storage(kind=b"EvilStorage"))),
    "tensor larger than its storage": lambda: _weights(_tensor(_storage(), size=b"J\0\0\0\x40")),
    "tensor of 2**61 numbers": lambda: _weights(_tensor(_storage(), size=HUGE)),
    "tensor beyond its storage": lambda: _weights(_tensor(_storage(), offset=b"K\x03")),
    "tensor before its storage": lambda: _weights(_tensor(_storage(), offset=MINUS)),
    "tensor with a negative stride": lambda: _weights(_tensor(_storage(), stride=MINUS)),
    "tensor with a stride of 2**61": lambda: _weights(_tensor(_storage(), stride=HUGE)),
    "tensor of something else": lambda: _weights(_tensor(b"K\x01")),
    "old format, 2**61 numbers": lambda: torch_legacy(b"\x80\x02" + _tensor(_storage(count=HUGE)) + b"."),
    "old format, a gigabyte": lambda: torch_legacy(b"\x80\x02" + _tensor(_storage(count=b"J\0\0\0\x10")) + b"."),
    "a key that takes forever": lambda: torch_zip(b"\x80\x02}" + NESTED_PAIRS + b"K\x01s."),
    "a set that takes forever": lambda: torch_zip(b"\x80\x04\x8f(" + NESTED_PAIRS + b"\x90."),
    "a frozen set that takes forever": lambda: torch_zip(b"\x80\x04(" + NESTED_PAIRS + b"\x91."),
    "a counter that takes forever": lambda: torch_zip(
        b"\x80\x02ccollections\nCounter\n}" + text("a") + b"K\x01s\x85R}" + NESTED_PAIRS + b"K\x01s."
    ),
    "a key too deep for the stack": lambda: torch_zip(b"\x80\x02}K\x01" + b"\x85" * 300_000 + b"K\x01s."),
    "lists too deep for the stack": lambda: torch_zip(b"\x80\x02" + b"]" * 500_000 + b"a" * 499_999 + b"."),
    "a list in itself": lambda: torch_zip(b"\x80\x02]q\x00h\x00a."),
    "a dict in itself": lambda: torch_zip(b"\x80\x02}q\x00" + text("model") + b"h\x00s."),
    "an unhashable key": lambda: torch_zip(b"\x80\x02}]K\x01s."),
    "a memo of 2**32 entries": lambda: torch_zip(b"\x80\x02]r\xff\xff\xff\xff."),
    "a text of 2**60 characters": lambda: torch_zip(b"\x80\x04\x8d" + struct.pack("<Q", 2**60) + b"a."),
    "bytes of 2**60": lambda: torch_zip(b"\x80\x04\x8e" + struct.pack("<Q", 2**60) + b"a."),
    "a number of a million digits": lambda: torch_zip(b"I" + b"9" * 1_000_000 + b"\n."),
    "a number of -1 bytes": lambda: torch_zip(b"\x80\x02\x8b\xff\xff\xff\xff."),
    "a hundred gigabytes of zeros": lambda: torch_zip(
        b"\x80\x02cbuiltins\nbytearray\n\x8a\x05\0\xe8\x76\x48\x17\x85R."
    ),
    "a tensor created by its class": lambda: torch_zip(
        b"\x80\x02ctorch\nFloatTensor\n\x8a\x05\0\xe8\x76\x48\x17\x85R."
    ),
    "an encoding that decompresses": lambda: torch_zip(
        b"\x80\x02c_codecs\nencode\n" + text("a") + text("zip") + b"\x86R."
    ),
    "four million instructions": lambda: torch_zip(b"\x80\x02" + b"]0" * 2_000_000 + b"N."),
    "no end": lambda: torch_zip(b"\x80\x02]"),
    "nothing on the stack": lambda: torch_zip(b"\x80\x02."),
    "too little on the stack": lambda: torch_zip(b"\x80\x02K\x01R."),
    "no mark": lambda: torch_zip(b"\x80\x02t."),
    "an extension": lambda: torch_zip(b"\x80\x02\x82\x01."),
    "a persistent id in text": lambda: torch_zip(b"Pstorage\n."),
    "buffers outside of the pickle": lambda: torch_zip(b"\x80\x05\x97."),
    "state for a number": lambda: torch_zip(b"\x80\x02K\x01}b."),
    "protocol 200": lambda: torch_zip(b"\x80\xc8N."),
}


@pytest.mark.slow
@pytest.mark.parametrize("make", EXHAUSTING.values(), ids=EXHAUSTING.keys())
def test_nothing_exhausts_the_reader(make: Callable[[], bytes], tmp_path: Path) -> None:
    refuse(make(), tmp_path)


def _with_duplicate_name() -> bytes:
    buffer = io.BytesIO(torch_zip(pickle.dumps({"a": 1}, 2)))
    with zipfile.ZipFile(buffer, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("archive/data.pkl", pickle.dumps({"b": 1}, 2))
    return buffer.getvalue()


def _with_false_field(field: int, width: int, value: int) -> bytes:
    """Return an archive with a false value in one field of the first entry of its central directory."""
    archive = bytearray(saved({"a": torch.zeros(4)}))
    start = archive.index(b"PK\x01\x02") + field
    archive[start : start + width] = value.to_bytes(width, "little")
    return bytes(archive)


ARCHIVES: dict[str, Callable[[], bytes]] = {
    "names above the archive": lambda: zipped({"a/data.pkl": b"N.", "a/../../evil": b""}),
    "names above the archive, Windows": lambda: zipped({"a/data.pkl": b"N.", "a\\..\\..\\evil": b""}),
    "absolute names": lambda: zipped({"/a/data.pkl": b"N."}),
    "two entries with the same name": _with_duplicate_name,
    "a bomb": lambda: zipped({"a/data.pkl": bytes(20_000_000)}, zipfile.ZIP_DEFLATED),
    "many small bombs": lambda: zipped({f"a/data/{i}": bytes(100_000) for i in range(100)}, zipfile.ZIP_DEFLATED),
    "a size of 4 GB": lambda: _with_false_field(24, 4, 2**32 - 2),
    "a compressed size of 4 GB": lambda: _with_false_field(20, 4, 2**32 - 2),
    "a size that only zip64 gives": lambda: _with_false_field(24, 4, 2**32 - 1),
    "an entry before the file": lambda: _with_false_field(42, 4, 2**31),
    "an unknown compression": lambda: _with_false_field(10, 2, 99),
    "another checksum": lambda: _with_false_field(16, 4, 12345),
    "nothing in it": lambda: zipped({}),
    "an archive in an archive": lambda: zipped({"a/model.zip": zipped({"a/data.pkl": b"N."})}),
    "the end alone": lambda: b"PK\x05\x06" + bytes(18),
    "the beginning alone": lambda: b"PK\x03\x04" + bytes(100),
    "a directory of 65535 entries": lambda: b"PK\x03\x04" + b"PK\x05\x06" + bytes(4) + b"\xff" * 12 + bytes(2),
}


@pytest.mark.parametrize("make", ARCHIVES.values(), ids=ARCHIVES.keys())
def test_false_archives_are_refused(make: Callable[[], bytes], tmp_path: Path) -> None:
    refuse(make(), tmp_path)
    assert os.listdir(tmp_path) == ["model.pth"]


def _safetensors(header: object, content: bytes = bytes(16), length: int | None = None) -> bytes:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw) if length is None else length) + raw + content


def _entry(shape: list[int], start: int, end: int, dtype: str = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


SAFETENSORS: dict[str, Callable[[], bytes]] = {
    "a header longer than the file": lambda: _safetensors({"a": _entry([4], 0, 16)}, length=10**7),
    "a header of 2**63 bytes": lambda: _safetensors({"a": _entry([4], 0, 16)}, length=2**63),
    "a header of twenty megabytes": lambda: _safetensors(b'{"a":"' + b"x" * 20_000_000 + b'"}'),
    "a header of nothing": lambda: _safetensors(b"{}", b"", length=0),
    "more numbers than bytes": lambda: _safetensors({"a": _entry([10**12], 0, 16)}),
    "a shape that overflows": lambda: _safetensors({"a": _entry([2**32, 2**32], 0, 16)}),
    "a negative shape": lambda: _safetensors({"a": _entry([-4], 0, 16)}),
    "an end beyond the file": lambda: _safetensors({"a": _entry([4000], 0, 16000)}),
    "an end before the start": lambda: _safetensors({"a": _entry([4], 16, 0)}),
    "two that overlap": lambda: _safetensors({"a": _entry([4], 0, 16), "b": _entry([4], 0, 16)}),
    "a gap": lambda: _safetensors({"a": _entry([2], 8, 16)}),
    "an unknown type": lambda: _safetensors({"a": _entry([4], 0, 16, "EVIL")}),
    "nested very deeply": lambda: _safetensors(b'{"a":' + b"[" * 100_000 + b"}"),
    "a very long number": lambda: _safetensors(b'{"a":' + b"9" * 100_000 + b"}"),
    "no text": lambda: _safetensors(b'{"\xff\xfe":1}'),
}


@pytest.mark.parametrize("make", SAFETENSORS.values(), ids=SAFETENSORS.keys())
def test_false_safetensors_headers_are_refused(make: Callable[[], bytes], tmp_path: Path) -> None:
    assert safetensors.torch.load(_safetensors({"a": _entry([4], 0, 16)}))["a"].shape == (4,)
    refuse(make(), tmp_path)


class _Saves(torch.nn.Module):
    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        torch.save(image, self.path)
        return image


class _Maps(_Saves):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return torch.from_file(self.path, True, 4) + image


class _SavesDeepInside(_Saves):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        for _ in range(3):
            if image.sum() > 0:
                torch.save(image, self.path)
        return image


class _SavesOnLoading(_Saves):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image

    @torch.jit.export
    def __getstate__(self) -> tuple[str, bool]:
        return (self.path, self.training)

    @torch.jit.export
    def __setstate__(self, state: tuple[str, bool]) -> None:
        self.path = state[0]
        self.training = state[1]
        torch.save(torch.zeros(1), self.path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # torch.jit is deprecated, but its files are still in use
@pytest.mark.parametrize("kind", [_Saves, _Maps, _SavesDeepInside, _SavesOnLoading])
def test_no_torchscript_writes_files(kind: Callable[[str], torch.nn.Module], canary: Path, tmp_path: Path) -> None:
    content = scripted(kind(str(canary)))
    canary.unlink(missing_ok=True)
    assert "was not opened" in refuse(content, tmp_path)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", [_Saves, _SavesDeepInside, _SavesOnLoading])
def test_torch_itself_would_run_these_scripts(kind: Callable[[str], torch.nn.Module], tmp_path: Path) -> None:
    path = tmp_path / "canary"
    content = scripted(kind(str(path)))
    path.unlink(missing_ok=True)
    torch.jit.load(io.BytesIO(content))(torch.ones(1))
    assert path.exists()


@pytest.fixture(scope="module")
def script() -> dict[str, bytes]:
    return entries_of(scripted(torch.nn.Conv2d(3, 1, 1)))


SCRIPTS: dict[str, Callable[[dict[str, bytes]], dict[str, bytes]]] = {
    "Python code instead of TorchScript": lambda e: {
        n: b"import os\nos.mkdir('x')" if n.endswith(".py") else c for n, c in e.items()
    },
    "no code": lambda e: {n: c for n, c in e.items() if not n.endswith(".py")},
    "no constants": lambda e: {n: b"" if n.endswith("constants.pkl") else c for n, c in e.items()},
    "a pickle that calls": lambda e: {n: FORMS["REDUCE"]("x") if n.endswith("data.pkl") else c for n, c in e.items()},
    "compiled classes": lambda e: {
        n: b"\x80\x02c__torch__.torch.classes.quantized\nLinearPackedParamsBase\n)\x81."
        if n.endswith("data.pkl")
        else c
        for n, c in e.items()
    },
    "a torch checkpoint's pickle": lambda e: {
        n: pickle.dumps({"a": 1}, 2) if n.endswith("data.pkl") else c for n, c in e.items()
    },
    "its own hooks": lambda e: {
        n: c + b"\n  __forward_pre_hooks__ = []" if n.endswith(".py") else c for n, c in e.items()
    },
    "an old version": lambda e: {n: b"999999\n" if n.endswith("/version") else c for n, c in e.items()},
}


@pytest.mark.parametrize("alter", SCRIPTS.values(), ids=SCRIPTS.keys())
def test_no_forged_torchscript_is_opened(
    alter: Callable[[dict[str, bytes]], dict[str, bytes]], script: dict[str, bytes], tmp_path: Path
) -> None:
    assert "TorchScript" in refuse(zipped(alter(script)), tmp_path)


@pytest.fixture(scope="module")
def program() -> dict[str, bytes]:
    return entries_of(exported(small_network()))


def _edited(entries: dict[str, bytes], ending: str, edit: Callable[[bytes], bytes]) -> bytes:
    assert any(name.endswith(ending) for name in entries)
    return zipped({name: edit(content) if name.endswith(ending) else content for name, content in entries.items()})


def _operation(name: str) -> Callable[[bytes], bytes]:
    return lambda content: content.replace(b"torch.ops.aten.relu_.default", name.encode(), 1)


WEIGHTS, MODEL = "_weights_config.json", "models/model.json"

PROGRAMS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "an operation that maps files": (MODEL, _operation("torch.ops.aten.from_file.default")),
    "an operation of a library": (MODEL, _operation("torch.ops.torchvision.nms.default")),
    "something other than an operation": (MODEL, _operation("torch.ops.aten.__class__.mro")),
    "a function of Python": (MODEL, _operation("os.system")),
    "a function of torch": (MODEL, _operation("torch.load")),
    "powers": (MODEL, _operation("_operator.pow")),
    "attributes": (MODEL, _operation("_operator.attrgetter")),
    "a higher order": (MODEL, _operation("torch.ops.higher_order.cond")),
    "nested very deeply": (MODEL, lambda _: b"[" * 200_000),
    "a very long number": (MODEL, lambda _: b"9" * 200_000),
    "a list": (MODEL, lambda _: b"[]"),
    "an empty object": (MODEL, lambda _: b"{}"),
    "a network that trains": (
        MODEL,
        lambda c: c.replace(b'"training", "arg": {"as_bool": false', b'"training", "arg": {"as_bool": true'),
    ),
    "a custom object": (MODEL, lambda c: c.replace(b'"buffer": {', b'"custom_obj": {', 1)),
    "weights outside of it": (WEIGHTS, lambda c: c.replace(b'"weight_0"', b'"../../../../etc/passwd"')),
    "weights larger than their bytes": (WEIGHTS, lambda c: c.replace(b'"as_int": 3', b'"as_int": 3000000000')),
    "weights of an unknown type": (WEIGHTS, lambda c: c.replace(b'"dtype": 7', b'"dtype": 99')),
    "weights that are missing": (WEIGHTS, lambda _: b'{"config": {}}'),
    "no list of weights": (WEIGHTS, lambda _: b"[]"),
}


@pytest.mark.parametrize(("record", "edit"), PROGRAMS.values(), ids=PROGRAMS.keys())
def test_no_forged_program_is_opened(
    record: str, edit: Callable[[bytes], bytes], program: dict[str, bytes], tmp_path: Path
) -> None:
    refuse(_edited(program, record, edit), tmp_path)


def test_no_weights_of_a_program_are_unpickled(program: dict[str, bytes], canary: Path, tmp_path: Path) -> None:
    hostile = torch_zip(FORMS["REDUCE"](str(canary)))
    entries = {name: hostile if name.endswith("/weight_0") else content for name, content in program.items()}
    content = _edited(entries, WEIGHTS, lambda c: c.replace(b'"use_pickle": false', b'"use_pickle": true', 1))
    assert "posix.mkdir" in refuse(content, tmp_path)


def test_sizes_are_not_evaluated_and_sample_inputs_not_unpickled(
    program: dict[str, bytes], canary: Path, tmp_path: Path
) -> None:
    code = f"__import__('os').mkdir({str(canary)!r})"
    size = json.dumps({"as_expr": {"expr_str": code, "hint": {"as_int": 3}}}).encode()
    entries = {name: FORMS["REDUCE"](str(canary)) if "sample_inputs" in name else c for name, c in program.items()}
    content = _edited(entries, MODEL, lambda c: c.replace(b'{"as_int": 3}', size))
    (tmp_path / "model.pt2").write_bytes(content)
    read_checkpoint(tmp_path / "model.pt2")  # nothing needs the size or the sample input, so the file may be read
