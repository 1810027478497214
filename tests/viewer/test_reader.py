"""The napari reader: which files it takes, and the layers that it makes of them."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pydicom
import pytest
import tifffile
from napari.components import ViewerModel
from napari.layers import Layer
from npe2 import PluginManager, PluginManifest
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundMultiFrameImageStorage, generate_uid
from scipy.io import savemat

import napari_segcam
from napari_segcam.errors import SegcamError
from napari_segcam.imaging.cine import ArrayCine, Cine
from napari_segcam.viewer.frames.layer_source import LayerSource
from napari_segcam.viewer.layers.cine_layer_data import layer_data
from napari_segcam.viewer.reader import get_reader, read_layers

T, Y, X = 5, 12, 20
DATA = Path(__file__).parents[2] / "../shared/data"
FRAMES = np.random.default_rng(0).integers(0, 200, (T, Y, X), dtype=np.uint8)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Return a calibrated gray DICOM cine of 25 frames per second."""
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID = UltrasoundMultiFrameImageStorage
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID = generate_uid()
    header.NumberOfFrames, header.Rows, header.Columns = FRAMES.shape
    header.SamplesPerPixel, header.PhotometricInterpretation, header.PixelRepresentation = 1, "MONOCHROME2", 0
    header.BitsAllocated, header.BitsStored, header.HighBit = 8, 8, 7
    header.CineRate = "25"
    header.PixelSpacing = ["0.3", "0.2"]
    header.PixelData = FRAMES.tobytes()
    header["PixelData"].VR = "OB"
    header.save_as(tmp_path / "clip.dcm", enforce_file_format=True)
    return tmp_path / "clip.dcm"


class CountingCine(Cine):
    """A cine whose frames have one value each; it notes which frames are read."""

    name = "counted"
    frame_shape = (Y, X)
    dtype = np.dtype(np.uint8)
    value_range = (0.0, 255.0)

    def __init__(self) -> None:
        self.read: list[int] = []

    def __len__(self) -> int:
        return T

    def _read(self, index: int) -> np.ndarray:
        self.read.append(index)
        return np.full((Y, X), index, np.uint8)


def shown_frame(layer: Layer) -> np.ndarray:
    """Return the pixels that the layer shows."""
    return np.asarray(layer._slice.image.raw)


def test_a_cine_opens_as_a_calibrated_layer(clip: Path) -> None:
    ((data, attributes, kind),) = get_reader(str(clip))(str(clip))
    assert kind == "image"
    assert isinstance(data, da.Array)
    assert data.chunksize == (1, Y, X)

    viewer = ViewerModel()
    layer = viewer.add_image(data, **attributes)
    assert layer.name == "clip"
    np.testing.assert_allclose(layer.scale, (1, 0.3, 0.2))
    assert [str(unit) for unit in layer.units] == ["pixel", "millimeter", "millimeter"]
    assert layer.axis_labels == ("t", "y", "x")
    assert layer.contrast_limits == [0, 255]
    assert not layer.rgb
    assert layer.metadata["segcam_source"] == {
        "path": str(clip),
        "frame_rate": 25.0,
        "spacing_mm": (0.3, 0.2),
        "value_range": (0, 255),
        "pixel_aspect": pytest.approx(1.5),
        "region": None,
        "is_dicom": True,
        "value_range_from": "the data type",
        "notes": layer.metadata["segcam_source"]["notes"],
    }
    assert "not square (1.5 times as high as wide)" in layer.metadata["segcam_source"]["notes"][0]
    for step in (0, 3, 1, 4):
        viewer.dims.set_current_step(0, step)
        np.testing.assert_array_equal(shown_frame(layer), FRAMES[step])


@pytest.mark.parametrize(("ratio", "scale"), [(None, 1), ([4, 3], 4 / 3), ([1, 2], 0.5), ([0, 3], 1), ([9999, 1], 1)])
def test_pixels_that_are_not_square_are_shown_in_their_true_shape(
    clip: Path, ratio: list[int] | None, scale: float
) -> None:
    header = pydicom.dcmread(clip)
    del header.PixelSpacing
    if ratio is not None:
        header.PixelAspectRatio = ratio
    header.save_as(clip)
    ((data, attributes, _),) = read_layers(str(clip))
    layer = ViewerModel().add_image(data, **attributes)
    np.testing.assert_allclose(layer.scale, (1, scale, 1))
    assert LayerSource.from_layer(layer).cine.pixel_aspect == pytest.approx(scale)
    assert any("not square" in note for note in layer.metadata["segcam_source"]["notes"]) == (scale != 1)


def test_a_stretched_layer_is_computed_as_it_is_shown() -> None:
    layer = ViewerModel().add_image(np.zeros((3, 40, 60), np.uint8), scale=(1, 0.9, 0.6))
    assert LayerSource.from_layer(layer).cine.pixel_aspect == pytest.approx(1.5)


def test_a_notification_says_what_is_assumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    warnings: list[str] = []
    monkeypatch.setattr("napari_segcam.viewer.reader.show_warning", warnings.append)
    folder = tmp_path / "words"
    folder.mkdir()
    for number in range(2):
        tifffile.imwrite(folder / f"{number}.tif", np.linspace(0, 3000, Y * X).reshape(Y, X).astype(np.uint16))
    ((_, attributes, _),) = read_layers(str(folder))
    assert attributes["contrast_limits"] == (0, 4095)
    assert attributes["metadata"]["segcam_source"]["notes"]
    assert len(warnings) == 1
    assert "words: Black is assumed to be 0 and white 4095" in warnings[0]


def test_only_the_frames_in_view_are_read() -> None:
    cine = CountingCine()
    data, attributes, _ = layer_data(cine)
    assert cine.read == []
    viewer = ViewerModel()
    layer = viewer.add_image(data, **attributes)
    viewer.dims.set_current_step(0, 2)
    assert (shown_frame(layer) == 2).all()
    assert 4 not in cine.read


def test_a_single_uncalibrated_color_frame_keeps_pixel_units() -> None:
    frame = np.random.default_rng(1).integers(0, 255, (Y, X, 3), dtype=np.uint8)
    data, attributes, _ = layer_data(ArrayCine(frame, name="still"))
    assert isinstance(data, np.ndarray)
    layer = ViewerModel().add_image(data, **attributes)
    assert layer.rgb
    assert layer.axis_labels == ("y", "x")
    np.testing.assert_array_equal(layer.scale, (1, 1))
    assert [str(unit) for unit in layer.units] == ["pixel", "pixel"]


def test_a_gray_cine_three_columns_wide_is_not_taken_for_color() -> None:
    data, attributes, _ = layer_data(ArrayCine(FRAMES[..., :3], rgb=False))
    layer = ViewerModel().add_image(data, **attributes)
    assert layer.data.shape == (T, Y, 3)
    assert not layer.rgb


def test_files_are_recognized_by_their_content(clip: Path, tmp_path: Path) -> None:
    unnamed = shutil.copy(clip, tmp_path / "IM_0001")
    assert get_reader(str(unnamed)) is not None
    picture = tmp_path / "scan.png"
    picture.write_bytes(b"\x89PNG" + bytes(200))
    assert get_reader(str(picture)) is None
    assert get_reader([str(clip)]) is None
    assert get_reader(str(tmp_path / "gone.dcm")) is None


def test_videos_and_folders_of_images_are_read(tmp_path: Path) -> None:
    stills = tmp_path / "stills"
    stills.mkdir()
    (stills / "notes.txt").write_text("no image")
    assert get_reader(str(stills)) is None
    pictures = [Image.fromarray(frame) for frame in FRAMES]
    for index, picture in enumerate(pictures):
        picture.save(stills / f"{index}.png")
    pictures[0].save(tmp_path / "clip.mp4", "GIF", save_all=True, append_images=pictures[1:], duration=40)

    for path, colors, frame_rate in ((stills, (), None), (tmp_path / "clip.mp4", (3,), 25)):
        ((data, attributes, kind),) = get_reader(str(path))(str(path))
        assert (kind, attributes["name"], data.shape) == ("image", path.stem, (T, Y, X, *colors))
        assert attributes["metadata"]["segcam_source"]["frame_rate"] == frame_rate
        file_names = tuple(f"{index}.png" for index in range(T)) if path == stills else ()
        assert attributes["metadata"]["segcam_source"].get("file_names", ()) == file_names
        frame = np.asarray(data[3])
        np.testing.assert_array_equal(frame[..., 0] if colors else frame, FRAMES[3])


def test_a_folder_of_cines_opens_as_one_layer_each(clip: Path, tmp_path: Path) -> None:
    exam = tmp_path / "exam"
    exam.mkdir()
    for name in ("IM000001", "1.2.840.7"):
        shutil.copy(clip, exam / name)
    layers = get_reader(str(exam))(str(exam))
    assert [attributes["name"] for _, attributes, _ in layers] == ["1.2.840.7", "IM000001"]
    for data, _, _ in layers:
        np.testing.assert_array_equal(np.asarray(data[3]), FRAMES[3])


def test_research_files_are_read_and_npy_is_left_to_napari(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", frames=FRAMES)
    savemat(tmp_path / "a.mat", {"frames": FRAMES.transpose(1, 2, 0)})
    (tmp_path / "a.mha").write_bytes(
        f"ObjectType = Image\nDimSize = {X} {Y} {T}\nElementSpacing = 0.2 0.3 1\nElementType = MET_UCHAR\n"
        "ElementDataFile = LOCAL\n".encode()
        + FRAMES.tobytes()
    )
    for name, spacing in (("a.npz", None), ("a.mat", None), ("a.mha", (0.3, 0.2))):
        path = str(tmp_path / name)
        ((data, attributes, _),) = get_reader(path)(path)
        np.testing.assert_array_equal(np.asarray(data[3]), FRAMES[3])
        assert attributes["metadata"]["segcam_source"]["spacing_mm"] == spacing
    np.save(tmp_path / "a.npy", FRAMES)
    assert get_reader(str(tmp_path / "a.npy")) is None


@pytest.mark.usefixtures("qapp")
def test_the_user_is_asked_which_of_several_images_to_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez(tmp_path / "a.npz", images=FRAMES, masks=FRAMES > 100)
    path = str(tmp_path / "a.npz")
    offered: list[list[str]] = []

    def choose(_parent: Any, _title: str, _text: str, labels: list[str], *_: Any) -> tuple[str, bool]:
        offered.append(labels)
        return labels[1], is_accepted

    monkeypatch.setattr("qtpy.QtWidgets.QInputDialog.getItem", choose)
    is_accepted = True
    ((data, attributes, _),) = get_reader(path)(path)
    assert offered == [[f"images   ({T} × {Y} × {X})", f"masks   ({T} × {Y} × {X})"]]
    assert attributes["name"] == "a masks"
    np.testing.assert_array_equal(np.asarray(data[2]), FRAMES[2] > 100)
    is_accepted = False
    assert get_reader(path)(path) == [(None,)]


@pytest.mark.parametrize(
    ("name", "is_offered"),
    [
        *(
            (name, True)
            for name in ("IM000001", "I1", "J1JG3O0A", "1.2.840.113619.2.5", "1.2.840.10008.33", "scan.nii.gz")
        ),
        *((name, True) for name in ("DICOMDIR", "A.MHD", "b.nrrd", "c.mat", "d.npz", "net.pth", "net.safetensors")),
        *((name, False) for name in ("a.tif", "a.png", "a.nd2", "a.jp2", "a.npy", "a.csv", "a.czi", "a.zarr")),
    ],
)
def test_the_manifest_offers_the_files_that_the_reader_may_take(name: str, is_offered: bool) -> None:
    plugins = PluginManager()
    with suppress(ValueError):  # with napari 0.10 a new manager knows the installed plugins already
        plugins.register(PluginManifest.from_file(Path(napari_segcam.__file__).with_name("napari.yaml")))
    readers = plugins.iter_compatible_readers([f"/data/some.folder/{name}"])
    assert ("napari-segcam" in {reader.plugin_name for reader in readers}) == is_offered


def test_other_files_without_a_suffix_are_declined(tmp_path: Path) -> None:
    for name, content in (("README", b"Read me. " * 50), ("20240101", b"\x7fELF" + bytes(600)), ("empty", b"")):
        (tmp_path / name).write_bytes(content)
        assert get_reader(str(tmp_path / name)) is None


def test_a_file_that_is_not_the_dicom_it_claims_to_be_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scan.dcm"
    path.write_bytes(b"nothing" * 50)
    with pytest.raises(SegcamError, match=r"scan\.dcm"):
        get_reader(str(path))(str(path))


def test_a_file_that_changed_and_is_opened_again_shows_its_new_frames(clip: Path) -> None:
    def opened_frame() -> np.ndarray:
        ((data, attributes, _),) = get_reader(str(clip))(str(clip))
        return shown_frame(ViewerModel().add_image(data, **attributes))

    np.testing.assert_array_equal(opened_frame(), FRAMES[T // 2])
    clip.write_bytes(clip.read_bytes().replace(FRAMES.tobytes(), (FRAMES + 50).tobytes()))
    np.testing.assert_array_equal(opened_frame(), FRAMES[T // 2] + 50)


@pytest.mark.skipif(not DATA.exists(), reason="the real ultrasound files are not here")
def test_a_real_color_cine() -> None:
    path = str(DATA / "cine/us_multiframe_ybr_30_frames.dcm")
    ((data, attributes, _),) = get_reader(path)(path)
    viewer = ViewerModel()
    layer = viewer.add_image(data, **attributes)
    assert layer.data.shape == (30, 240, 320, 3)
    assert layer.rgb
    np.testing.assert_array_equal(layer.scale, (1, 1, 1))
    viewer.dims.set_current_step(0, 20)
    np.testing.assert_array_equal(shown_frame(layer), np.asarray(data[20]))
