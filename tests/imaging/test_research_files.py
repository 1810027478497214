"""Research files open with the right pixels, axes, spacing and time, and unsuitable ones are refused in words."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any

import h5py
import nibabel
import nrrd
import numpy as np
import pytest
from scipy.io import savemat

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.cine import Cine
from napari_segcam.imaging.opening import open_cine

T, Y, X = 6, 24, 40
FRAMES = np.random.default_rng(0).integers(0, 256, (T, Y, X), dtype=np.uint8)
STORED = FRAMES.transpose(2, 1, 0)  # as in NIfTI: along the rows first, time last
CASES = Path(__file__).parents[2] / "../shared/cases/images"


def assert_is_frames(cine: Cine, frames: np.ndarray = FRAMES, rows: tuple[int, ...] = (0, 4, -1)) -> None:
    assert (len(cine), cine.frame_shape, cine.dtype) == (len(frames), frames.shape[1:], frames.dtype)
    for index in rows:
        np.testing.assert_array_equal(cine[index], frames[index])


# ── NIfTI ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def write_nifti(
    path: Path,
    array: np.ndarray,
    steps: tuple[float, ...] | None = None,
    units: tuple[str, str] = ("mm", "unknown"),
    affine: np.ndarray | None = None,
) -> Path:
    image = nibabel.Nifti1Image(array, np.diag([-1.0, -1, 1, 1]) if affine is None else affine)
    if steps is not None:
        image.header.set_zooms(steps)
    image.header.set_xyzt_units(*units)
    nibabel.save(image, path)
    return path


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_nifti_frames_are_along_the_last_axis(tmp_path: Path, suffix: str) -> None:
    cine = open_cine(write_nifti(tmp_path / f"patient_2CH{suffix}", STORED, (0.2, 0.3, 1)))
    assert_is_frames(cine)
    assert (cine.name, cine.spacing_mm, cine.frame_rate) == ("patient_2CH", (0.3, 0.2), None)
    assert not any("assumed" in note or "displayed" in note for note in cine.notes)


@pytest.mark.parametrize(
    ("units", "steps", "spacing", "rate"),
    [
        (("mm", "sec"), (0.2, 0.3, 1, 0.04), (0.3, 0.2), 25),
        (("meter", "msec"), (0.0002, 0.0003, 1, 40), (0.3, 0.2), 25),
        (("micron", "usec"), (200, 300, 1, 40_000), (0.3, 0.2), 25),
        (("mm", "unknown"), (0.2, 0.3, 1, 0.04), (0.3, 0.2), None),
        (("mm", "sec"), (1, 1, 1, 1e200), None, None),
    ],
)
def test_nifti_units_of_space_and_time(tmp_path: Path, units: Any, steps: Any, spacing: Any, rate: int | None) -> None:
    path = write_nifti(tmp_path / "a.nii", STORED[:, :, None], np.minimum(steps, 1e30), units)
    cine = open_cine(path)
    assert_is_frames(cine)
    assert cine.frame_rate == (pytest.approx(rate) if rate else None)
    assert cine.spacing_mm == (pytest.approx(spacing) if spacing else None)


def test_nifti_scale_and_colors(tmp_path: Path) -> None:
    path = write_nifti(tmp_path / "scaled.nii", STORED)
    header = bytearray(path.read_bytes())
    header[112:120] = np.array([0.5, 10], "<f4").tobytes()
    path.write_bytes(header)
    cine = open_cine(path)
    assert cine.dtype == np.float32
    np.testing.assert_array_equal(cine[2], FRAMES[2] / np.float32(2) + 10)

    colors = np.random.default_rng(1).integers(0, 256, (X, Y, 1, 3), dtype=np.uint8)
    record = colors.view([("R", "u1"), ("G", "u1"), ("B", "u1")])[..., 0]
    write_nifti(tmp_path / "rgb.nii", record)
    np.testing.assert_array_equal(open_cine(tmp_path / "rgb.nii")[0], colors[:, :, 0].transpose(1, 0, 2))


def test_nifti_is_shown_as_stored_or_turned_on_request(tmp_path: Path) -> None:
    path = write_nifti(tmp_path / "a.nii.gz", STORED, affine=np.diag([0.2, 0.3, 1, 1]))
    cine = open_cine(path)
    assert_is_frames(cine)
    assert any("a.nii.gz::displayed" in note for note in cine.notes)
    np.testing.assert_array_equal(open_cine(f"{path}::displayed")[3], FRAMES[3, ::-1, ::-1])
    # The first stored axis goes down: a sagittal plane has inferior below, and posterior to the right.
    sagittal = np.array([[0, 0, 1, 0], [0, -1, 0, 0], [-1, 0, 0, 0], [0, 0, 0, 1.0]])
    path = write_nifti(tmp_path / "b.nii.gz", STORED, affine=sagittal)
    np.testing.assert_array_equal(open_cine(f"{path}::displayed")[3], FRAMES[3].T)
    np.testing.assert_array_equal(open_cine(f"{path}::YXT")[3], FRAMES[3].T)


def test_truncated_nifti_and_volumes_over_time_are_refused(tmp_path: Path) -> None:
    path = write_nifti(tmp_path / "a.nii.gz", STORED)
    unpacked = gzip.decompress(path.read_bytes())
    (tmp_path / "cut.nii.gz").write_bytes(gzip.compress(unpacked[:-100]))
    with pytest.raises(SegcamError, match=r"cut\.nii\.gz is cut short: it holds 5660 of 5760 bytes"):
        open_cine(tmp_path / "cut.nii.gz")[0]
    (tmp_path / "cut.nii").write_bytes(unpacked[:-100])
    with pytest.raises(SegcamError, match=r"cut\.nii is cut short"):
        open_cine(tmp_path / "cut.nii")
    (tmp_path / "half.nii.gz").write_bytes(path.read_bytes()[:-500])
    with pytest.raises(SegcamError, match=r"half\.nii\.gz is damaged"):
        open_cine(tmp_path / "half.nii.gz")[0]
    with pytest.raises(SegcamError, match="volumes over time are not frames"):
        open_cine(write_nifti(tmp_path / "4d.nii", np.zeros((10, 11, 12, 5), np.uint8)))


# ── MetaImage ───────────────────────────────────────────────────────────────────────────────────────────────────────


def write_metaimage(path: Path, header: dict[str, Any], pixels: bytes, data: str = "LOCAL") -> Path:
    lines = {"ObjectType": "Image", "NDims": 3, "DimSize": f"{X} {Y} {T}", "ElementType": "MET_UCHAR"} | header
    text = "".join(f"{name} = {value}\n" for name, value in (lines | {"ElementDataFile": data}).items())
    path.write_bytes(text.encode() + (pixels if data == "LOCAL" else b""))
    if data != "LOCAL":
        (path.parent / data).write_bytes(pixels)
    return path


def test_metaimage_with_local_separate_and_compressed_pixels(tmp_path: Path) -> None:
    header = {"ElementSpacing": "0.2 0.3 1"}
    pixels = FRAMES.tobytes()
    inside = write_metaimage(tmp_path / "in.mha", header, pixels)
    beside = write_metaimage(tmp_path / "out.mhd", header, pixels, "out.raw")
    packed = write_metaimage(tmp_path / "packed.mha", header | {"CompressedData": True}, zlib.compress(pixels))
    behind = write_metaimage(tmp_path / "end.mhd", header | {"HeaderSize": -1}, b"a header" + pixels, "end.raw")
    for path in (inside, beside, packed, behind):
        cine = open_cine(path)
        assert_is_frames(cine)
        assert cine.spacing_mm == (0.3, 0.2)


def test_metaimage_types_colors_and_orientation(tmp_path: Path) -> None:
    deep = (FRAMES.astype(np.uint16) * 16).astype(">u2")
    path = write_metaimage(
        tmp_path / "a.mha", {"ElementType": "MET_USHORT", "BinaryDataByteOrderMSB": True}, deep.tobytes()
    )
    assert_is_frames(open_cine(path), deep.astype(np.uint16))

    colors = np.random.default_rng(1).integers(0, 256, (T, Y, X, 3), dtype=np.uint8)
    path = write_metaimage(tmp_path / "rgb.mha", {"ElementNumberOfChannels": 3}, colors.tobytes())
    assert_is_frames(open_cine(path), colors)

    path = write_metaimage(tmp_path / "turned.mha", {"TransformMatrix": "-1 0 0 0 1 0 0 0 1"}, FRAMES.tobytes())
    assert_is_frames(open_cine(path))
    np.testing.assert_array_equal(open_cine(f"{path}::displayed")[3], FRAMES[3, :, ::-1])


def test_metaimage_without_its_pixels_is_refused(tmp_path: Path) -> None:
    path = write_metaimage(tmp_path / "a.mhd", {}, FRAMES.tobytes(), "a.raw")
    (tmp_path / "a.raw").write_bytes(FRAMES.tobytes()[:-1])
    with pytest.raises(SegcamError, match=r"a\.raw is cut short"):
        open_cine(path)
    (tmp_path / "a.raw").unlink()
    with pytest.raises(SegcamError, match=r"a\.raw is missing"):
        open_cine(path)
    with pytest.raises(SegcamError, match="but a damaged one"):
        open_cine(write_metaimage(tmp_path / "b.mha", {"ElementType": "MET_QUATERNION"}, b""))
    (tmp_path / "c.mha").write_text("ObjectType = Image\nnonsense")
    with pytest.raises(SegcamError, match="its header has no end"):
        open_cine(tmp_path / "c.mha")


# ── NRRD ────────────────────────────────────────────────────────────────────────────────────────────────────────────

DOMAIN = {"kinds": ["domain", "domain", "time"], "units": ["mm", "mm", "ms"], "spacings": [0.2, 0.3, 40]}


@pytest.mark.parametrize("encoding", ["raw", "gzip", "bzip2"])
@pytest.mark.parametrize("suffix", [".nrrd", ".nhdr"])
def test_nrrd_with_any_encoding(tmp_path: Path, encoding: str, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    nrrd.write(str(path), STORED, DOMAIN | {"encoding": encoding})
    cine = open_cine(path)
    assert_is_frames(cine)
    assert (cine.spacing_mm, cine.frame_rate) == ((0.3, 0.2), pytest.approx(25))


def test_nrrd_axes_follow_their_kinds(tmp_path: Path) -> None:
    slicer = {
        "kinds": ["list", "domain", "domain"],
        "space": "left-posterior-superior",
        "space directions": np.array([[np.nan] * 3, [0.2, 0, 0], [0, 0.3, 0]]),
    }
    nrrd.write(str(tmp_path / "sequence.nrrd"), STORED.transpose(2, 0, 1), slicer)
    cine = open_cine(tmp_path / "sequence.nrrd")
    assert_is_frames(cine)
    assert cine.spacing_mm == (0.3, 0.2)

    colors = np.random.default_rng(1).integers(0, 256, (Y, X, 3), dtype=np.uint8)
    nrrd.write(str(tmp_path / "rgb.nrrd"), colors.transpose(2, 1, 0), {"kinds": ["RGB-color", "domain", "domain"]})
    np.testing.assert_array_equal(open_cine(tmp_path / "rgb.nrrd")[0], colors)

    nrrd.write(str(tmp_path / "big.nrrd"), STORED.astype(">i2"), {"endian": "big"})
    assert_is_frames(open_cine(tmp_path / "big.nrrd"), FRAMES.astype(np.int16))


def test_damaged_nrrd_is_refused(tmp_path: Path) -> None:
    nrrd.write(str(tmp_path / "a.nrrd"), STORED, {"encoding": "raw"})
    (tmp_path / "a.nrrd").write_bytes((tmp_path / "a.nrrd").read_bytes()[:-10])
    with pytest.raises(SegcamError, match=r"a\.nrrd is cut short"):
        open_cine(tmp_path / "a.nrrd")
    (tmp_path / "b.nrrd").write_bytes(b"NRRD0004\ntype: nonsense\nsizes: 3\n\n")
    with pytest.raises(SegcamError, match="an NRRD file, but a damaged one"):
        open_cine(tmp_path / "b.nrrd")


# ── arrays: NumPy, MATLAB, HDF5 ─────────────────────────────────────────────────────────────────────────────────────


def as_npy(path: Path, array: np.ndarray) -> Path:
    np.save(path.with_suffix(".npy"), array)
    return path.with_suffix(".npy")


def as_npz(path: Path, array: np.ndarray) -> Path:
    np.savez_compressed(path.with_suffix(".npz"), frames=array)
    return path.with_suffix(".npz")


def as_hdf5(path: Path, array: np.ndarray) -> Path:
    with h5py.File(path.with_suffix(".h5"), "w") as file:
        file.create_dataset("us/frames", data=array, chunks=True, compression="gzip")
    return path.with_suffix(".h5")


@pytest.mark.parametrize("write", [as_npy, as_npz, as_hdf5])
def test_arrays_have_time_first_unless_frames_would_not_be_sensible(tmp_path: Path, write: Any) -> None:
    colors = np.random.default_rng(1).integers(0, 256, (T, Y, X, 3), dtype=np.uint8)
    assert_is_frames(open_cine(write(tmp_path / "a", FRAMES)))
    assert_is_frames(open_cine(write(tmp_path / "b", colors)), colors)
    np.testing.assert_array_equal(open_cine(write(tmp_path / "c", FRAMES[0]))[0], FRAMES[0])
    np.testing.assert_array_equal(open_cine(write(tmp_path / "d", colors[0]))[0], colors[0])
    last = open_cine(write(tmp_path / "e", FRAMES.transpose(1, 2, 0)))
    assert_is_frames(last)
    assert "rows, columns, frames" in last.notes[0]
    path = write(tmp_path / "f", FRAMES.transpose(2, 0, 1))
    assert_is_frames(open_cine(f"{path}::XTY"))


def test_fortran_order_is_read_as_numpy_does(tmp_path: Path) -> None:
    assert_is_frames(open_cine(as_npy(tmp_path / "a", np.asfortranarray(FRAMES))))


def write_matlab_73(path: Path, **arrays: np.ndarray) -> Path:
    """Write as MATLAB does: axes backwards, and a block of text before the file."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in arrays.items():
            file[name] = array.T
            file[name].attrs["MATLAB_class"] = np.bytes_("uint8")
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\0\2IM")
    return path


def test_matlab_files_have_time_last(tmp_path: Path) -> None:
    matlab = FRAMES.transpose(1, 2, 0)
    savemat(tmp_path / "old.mat", {"bmode": matlab, "fs": 40e6, "name": "liver"}, do_compression=True)
    write_matlab_73(tmp_path / "new.mat", bmode=matlab, fs=np.array([[40e6]]))
    savemat(tmp_path / "struct.mat", {"us": {"bmode": matlab, "fs": 40e6}})
    for name in ("old.mat", "new.mat", "struct.mat"):
        assert_is_frames(open_cine(tmp_path / name))

    colors = np.random.default_rng(1).integers(0, 256, (Y, X, 3, T), dtype=np.uint8)
    savemat(tmp_path / "rgb.mat", {"movie": colors})
    assert_is_frames(open_cine(tmp_path / "rgb.mat"), colors.transpose(3, 0, 1, 2))
    assert_is_frames(open_cine(f"{write_matlab_73(tmp_path / 'xyt.mat', a=FRAMES)}::TYX"))


@pytest.mark.parametrize("kind", ["old.mat", "new.mat", "a.npz", "a.h5"])
def test_the_named_one_of_several_images_opens(tmp_path: Path, kind: str) -> None:
    path, masks = tmp_path / kind, FRAMES > 200
    if kind == "old.mat":
        savemat(path, {"images": FRAMES, "masks": masks.astype(np.uint8)})
    elif kind == "new.mat":
        write_matlab_73(path, images=FRAMES, masks=masks.astype(np.uint8))
    elif kind == "a.npz":
        np.savez(path, images=FRAMES, masks=masks, names=np.array(["a"] * T))
    else:
        with h5py.File(path, "w") as file:
            file["images"], file["masks"] = FRAMES, masks
    with pytest.raises(SegcamError, match=rf"several images: images \({T} × {Y} × {X}\), masks .*{path.name}::images"):
        open_cine(path)
    cine = open_cine(f"{path}::images::TYX")
    assert_is_frames(cine)
    assert cine.name.endswith(" images")
    np.testing.assert_array_equal(open_cine(f"{path}::masks::TYX")[2] > 0, masks[2])
    with pytest.raises(SegcamError, match="holds no array nonsense; it holds images"):
        open_cine(f"{path}::nonsense")


def test_arrays_that_are_not_images_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SegcamError, match="it holds Python objects"):
        open_cine(as_npy(tmp_path / "a", np.array([{}], dtype=object)))
    with pytest.raises(SegcamError, match=r"shape \(5760,\), which is neither a frame"):
        open_cine(as_npy(tmp_path / "b", FRAMES.ravel()))
    with pytest.raises(SegcamError, match="must be real numbers"):
        open_cine(as_npy(tmp_path / "c", FRAMES.astype(complex)))
    with pytest.raises(SegcamError, match="holds no image"):
        open_cine(as_npz(tmp_path / "d", np.arange(5)))
    for name in ("e.mat", "f.npz", "g.h5", "h.npy"):
        source = {"e.mat": b"MATLAB 5.0 MAT-file", "f.npz": b"PK\3\4" + bytes(22) + b"\5\0\0\0a.npy"}
        (tmp_path / name).write_bytes(source.get(name, b"\x89HDF\r\n\x1a\n" if name == "g.h5" else b"\x93NUMPY\1\0"))
        with pytest.raises(SegcamError, match=rf"{name} is a \w+ file, but cannot be read"):
            open_cine(tmp_path / name)


def test_content_larger_than_the_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_segcam.budget.INFLATED_BYTES", 5000)
    savemat(tmp_path / "a.mat", {"us": {"bmode": np.zeros((Y, X, T), np.uint8)}}, do_compression=True)
    for path in (tmp_path / "a.mat", write_nifti(tmp_path / "b.nii.gz", STORED), as_npz(tmp_path / "c", FRAMES)):
        with pytest.raises(SegcamError, match="once it is decompressed"):
            open_cine(path)


@pytest.mark.parametrize("words", ["::YY", "::TYXC", "::displayed", "::TX", "::a::b"])
def test_parts_that_do_not_fit_the_file_are_refused(tmp_path: Path, words: str) -> None:
    with pytest.raises(SegcamError):
        open_cine(f"{as_npy(tmp_path / 'a', FRAMES)}{words}")


# ── all of them ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_frames_are_read_from_the_file_when_needed(tmp_path: Path) -> None:
    for path in (as_npy(tmp_path / "a", FRAMES), as_hdf5(tmp_path / "a", FRAMES)):
        cine = open_cine(path)
        path.unlink()
        with pytest.raises(SegcamError, match=r"a\.(npy|h5)"):
            cine[1]


def test_a_missing_library_is_named_with_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_nifti(tmp_path / "a.nii", STORED)
    monkeypatch.setattr("napari_segcam.optional.find_spec", lambda _: None)
    with pytest.raises(SegcamError, match=r'NIfTI file, which needs .*pip install "napari-segcam\[formats\]"'):
        open_cine(path)


@pytest.mark.skipif(not CASES.exists(), reason="the cases are not here")
@pytest.mark.parametrize("name", ["camus.nii.gz", "v.mha", "v.nrrd", "v.npy"])
def test_the_cases_are_one_cine(name: str) -> None:
    frames = np.load(CASES / "v.npy")
    cine = open_cine(CASES / name)
    assert_is_frames(cine, frames)
    assert cine.spacing_mm == (None if name == "v.npy" else (0.3, 0.2))


def test_frames_equal_those_of_itk(tmp_path: Path) -> None:
    sitk = pytest.importorskip("SimpleITK")
    image = sitk.GetImageFromArray(FRAMES)
    image.SetSpacing((0.2, 0.3, 1))
    for name in ("a.nii", "a.nii.gz", "a.mha", "a.mhd", "a.nrrd", "a.nhdr"):
        for is_packed in (False, True):
            sitk.WriteImage(image, str(tmp_path / name), useCompression=is_packed)
            cine = open_cine(tmp_path / name)
            assert_is_frames(cine)
            assert cine.spacing_mm == pytest.approx((0.3, 0.2))
