"""Archives that lead out of themselves, grow, or are damaged are refused, and leave nothing behind."""

from __future__ import annotations

import os
import stat
import tempfile
import zipfile
from pathlib import Path

import pytest
from hostile import ends_in_one_line

import napari_segcam as sc
from napari_segcam.errors import SegcamError
from napari_segcam.network.packages.unpacking import file_in, unpacked


def archive(path: Path, records: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in records.items():
            file.writestr(name, content)
    return path


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def load(path: Path) -> None:
    sc.load_network(path, "cpu")


@pytest.mark.parametrize("name", ["../out.txt", "/out.txt", "..\\out.txt", "C:/out.txt", "a/../../out.txt", "a?.txt"])
def test_names_that_lead_out_are_refused(name: str, tmp_path: Path, temporary: Path) -> None:
    reason = ends_in_one_line(lambda: load(archive(tmp_path / "a.zip", {"rdf.yaml": b"a: 1", name: b"x"})))
    assert "not opened" in reason
    assert not (tmp_path / "out.txt").exists()
    assert not any(temporary.iterdir())


def test_archives_that_grow_are_refused(tmp_path: Path, temporary: Path) -> None:
    bomb = archive(tmp_path / "a.zip", {"rdf.yaml": b"a: 1", "weights.pt": bytes(200 * 2**20)})
    assert bomb.stat().st_size < 2**20
    assert "far more than its size allows" in ends_in_one_line(lambda: load(bomb))
    assert not any(temporary.iterdir())


def test_a_description_that_is_too_large_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", {"rdf.yaml": b"a: " + b"x" * 3 * 2**20})
    assert "larger than" in ends_in_one_line(lambda: load(path))


def test_damaged_archives_are_refused(tmp_path: Path, temporary: Path) -> None:
    path = archive(tmp_path / "a.zip", {"rdf.yaml": b"type: model", "w.pt": os.urandom(5000)}, zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    content[content.index(b"w.pt") + 2000] ^= 0xFF
    path.write_bytes(content)
    assert "damaged" in ends_in_one_line(lambda: load(path))
    assert not any(temporary.iterdir())


def test_links_in_an_archive_become_plain_files(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        link = zipfile.ZipInfo("weights.pt")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(link, "/etc/passwd")
        file.writestr("rdf.yaml", "a: 1")
    with unpacked(path) as folder:
        assert not (folder / "weights.pt").is_symlink()
        assert (folder / "weights.pt").read_text() == "/etc/passwd"


def test_errors_name_the_archive_and_the_files_are_gone_afterwards(tmp_path: Path, temporary: Path) -> None:
    path = archive(tmp_path / "a.zip", {"rdf.yaml": b"type: dataset"})
    with pytest.raises(SegcamError, match=r"a\.zip.rdf\.yaml describes a bioimage\.io dataset"):
        load(path)
    assert not any(temporary.iterdir())


@pytest.mark.parametrize("name", ["../a", "/a", "~/a", "a/../../b", "..\\a", "C:a", "", None, 7, "a\0b"])
def test_names_in_a_description_stay_inside(name: object, tmp_path: Path) -> None:
    (tmp_path.parent / "a").write_text("secret")
    with pytest.raises(SegcamError):
        file_in(tmp_path, name, "its weights")
