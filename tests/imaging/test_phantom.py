from __future__ import annotations

import importlib.util
import io
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pydicom
import pytest
from scipy import ndimage

from napari_segcam.imaging.opening import open_cine
from napari_segcam.imaging.phantom import Phantom, PhantomSweep, phantom_sweep
from napari_segcam.imaging.phantom.anatomy import HALF_SWEEP_MM, Acoustics
from napari_segcam.imaging.phantom.probe import Probe

SAMPLE_DATA = Path(__file__).parents[2] / "sample_data"


@pytest.fixture(scope="module")
def sweep() -> PhantomSweep:
    return phantom_sweep(0, frames=20)


@pytest.fixture(scope="module")
def probe() -> Probe:
    return Probe(radius_mm=50, half_angle=0.55, depth_mm=140, focus_mm=70, waist_mm=0.9)


def homogeneous_envelope(
    probe: Probe, seed: int = 0, z_mm: float = 0.0, shift_mm: tuple[float, float] = (0.0, 0.0)
) -> np.ndarray:
    """Envelope of scatterers of equal strength, scaled to a mean of 1 at each depth, without the ends."""
    scatterers = probe.scatterers(seed, z_mm, shift_mm)
    nothing = np.zeros(scatterers.shape, dtype=np.float32)
    envelope = probe.receive(Acoustics(nothing, nothing, nothing), scatterers)[10:-10]
    return envelope / envelope.mean(axis=1, keepdims=True)


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    return np.corrcoef(one.ravel(), other.ravel())[0, 1]


def test_a_seed_always_gives_the_same_pixels() -> None:
    (image, mask), (again, mask_again) = Phantom(3).frame(0.5), Phantom(3).frame(0.5)
    np.testing.assert_array_equal(image, again)
    np.testing.assert_array_equal(mask, mask_again)


def test_another_seed_is_another_patient() -> None:
    assert correlation(Phantom(3).frame(0.5)[0], Phantom(4).frame(0.5)[0]) < 0.9


def test_a_single_frame_is_the_one_of_the_sweep(sweep: PhantomSweep) -> None:
    image, mask = Phantom(0).frame(1.0)
    np.testing.assert_array_equal(image, sweep.images[-1])
    np.testing.assert_array_equal(mask, sweep.masks[-1])


def test_a_sweep_has_its_documented_form(sweep: PhantomSweep) -> None:
    assert sweep.images.shape == sweep.masks.shape == (20, 256, 320)
    assert sweep.images.dtype == sweep.masks.dtype == np.uint8
    assert set(np.unique(sweep.masks)) == {0, 1}
    assert sweep.frame_rate > 0
    assert all(0.2 < spacing < 2 for spacing in sweep.spacing_mm)


@pytest.mark.parametrize("shape", [(64, 64), (101, 233), (240, 96)])
def test_frames_of_any_shape_hold_the_whole_sector(shape: Any) -> None:
    phantom = Phantom(5, shape)
    image, mask = phantom.frame(0.5)
    assert image.shape == mask.shape == shape
    rows, columns = np.nonzero(image)
    fills = max((np.ptp(rows) + 1) / shape[0], (np.ptp(columns) + 1) / shape[1])
    assert fills > 0.94  # one of the two sides limits the size
    # Pixels are square, so that the sector has the same proportions at every shape.
    proportions = (np.ptp(columns) + 1) / (np.ptp(rows) + 1)
    assert proportions == pytest.approx(_sector_proportions(phantom.probe), rel=0.08)


def _sector_proportions(probe: Probe) -> float:
    outer = probe.radius_mm + probe.depth_mm
    return 2 * outer * np.sin(probe.half_angle) / (outer - probe.radius_mm * np.cos(probe.half_angle))


def test_only_pixels_outside_the_sector_are_black(sweep: PhantomSweep) -> None:
    sector = sweep.images[0] > 0
    assert not sector[0, 0]
    assert not sector[0, -1]
    assert not sector[-1, 0]
    assert 0.4 < sector.mean() < 0.8
    assert ((sweep.images > 0) == sector).all()
    assert not sweep.masks[:, ~sector].any()


def test_fibroid_appears_grows_shrinks_and_vanishes(sweep: PhantomSweep) -> None:
    areas = sweep.masks.sum(axis=(1, 2)).astype(int)
    largest = int(areas.argmax())
    assert areas[0] == areas[-1] == 0
    assert areas[largest] > 1000
    assert (np.diff(areas[: largest + 1]) >= 0).all()
    assert (np.diff(areas[largest:]) <= 0).all()


@pytest.mark.parametrize("seed", range(200, 206))
def test_fibroids_are_darker_than_their_surroundings(seed: Any) -> None:
    phantom = Phantom(seed)
    body = phantom.anatomy.fibroids[0].body
    image, mask = phantom.frame(_position_of(body.center[2]))
    inside = ndimage.binary_erosion(mask, iterations=3)
    around = ndimage.binary_dilation(mask, iterations=10) & ~ndimage.binary_dilation(mask, iterations=3) & (image > 0)
    assert inside.sum() > 100
    # 60 dB over the gray scale: 6–10 dB are 20 to 45 gray values before the shadows.
    assert image[around].mean() - image[inside].mean() > 8


def _position_of(z_mm: float) -> float:
    return (z_mm / HALF_SWEEP_MM + 1) / 2


def test_no_two_fibroids_overlap_and_each_phantom_has_one_to_three() -> None:
    counts = set()
    for seed in range(200, 230):
        fibroids = Phantom(seed, (32, 32)).anatomy.fibroids
        counts.add(len(fibroids))
        for number, one in enumerate(fibroids):
            for other in fibroids[:number]:
                gap = np.linalg.norm(np.subtract(one.body.center, other.body.center))
                assert gap > 0.85 * (max(one.body.radii) + max(other.body.radii))
    assert counts == {1, 2, 3}


def test_speckle_of_homogeneous_tissue_is_rayleigh(probe: Probe) -> None:
    envelope = homogeneous_envelope(probe)
    assert envelope.mean() / envelope.std() == pytest.approx(1.913, abs=0.06)


def test_speckle_is_finest_at_the_focus(probe: Probe) -> None:
    envelope = homogeneous_envelope(probe)

    def similarity_of_neighbors(depth_mm: float) -> float:
        """Correlation of points 2 mm apart across the beams."""
        rows = slice(int((depth_mm - 8) / probe.step_mm), int((depth_mm + 8) / probe.step_mm))
        lag = round(2 / ((depth_mm + probe.radius_mm) * probe.beam_angle))
        return correlation(envelope[rows, lag:], envelope[rows, :-lag])

    assert similarity_of_neighbors(70) < similarity_of_neighbors(125)


def test_speckle_changes_gradually_along_the_sweep(probe: Probe) -> None:
    here = homogeneous_envelope(probe)
    near, far = homogeneous_envelope(probe, z_mm=0.5), homogeneous_envelope(probe, z_mm=8)
    assert correlation(here, near) > 0.7
    assert abs(correlation(here, far)) < 0.1


def test_speckle_moves_with_the_tissue(probe: Probe) -> None:
    samples = 5
    here = homogeneous_envelope(probe)
    moved = homogeneous_envelope(probe, shift_mm=(0.0, samples * probe.step_mm))
    middle = slice(100, 300)  # away from the ends, where the shift wraps around
    followed = slice(100 + samples, 300 + samples)
    assert correlation(here[middle], moved[followed]) > 0.95
    assert correlation(here[middle], moved[middle]) < 0.3


def test_attenuation_darkens_deeper_tissue(probe: Probe) -> None:
    scatterers = probe.scatterers(0, 0.0)
    nothing, loss = np.zeros(scatterers.shape, np.float32), np.zeros(scatterers.shape, np.float32)
    loss[100:150] = 0.5  # dB per mm
    free = probe.receive(Acoustics(nothing, nothing, nothing), scatterers)
    shadowed = probe.receive(Acoustics(nothing, nothing, loss), scatterers)
    expected_db = -0.5 * 50 * probe.step_mm
    assert 20 * np.log10(shadowed[200:] / free[200:]).mean() == pytest.approx(expected_db, abs=0.1)
    np.testing.assert_allclose(shadowed[10:90], free[10:90], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(("seed", "shape"), [(-1, (256, 320)), (0, (31, 320)), (0, (256, 0))])
def test_impossible_phantoms_are_refused(seed: int, shape: Any) -> None:
    with pytest.raises(ValueError, match="seed ≥ 0"):
        Phantom(seed, shape)


def test_a_sweep_without_frames_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one frame"):
        phantom_sweep(0, frames=0)


class TestSampleCine:
    path = SAMPLE_DATA / "fibroid_sweep.dcm"

    def test_describes_itself(self) -> None:
        header = pydicom.dcmread(self.path, stop_before_pixels=True)
        assert header.SOPClassUID == "1.2.840.10008.5.1.4.1.1.3.1"
        assert header.file_meta.MediaStorageSOPInstanceUID == header.SOPInstanceUID
        assert header.PatientName == "PHANTOM^FIBROID"
        assert header.BurnedInAnnotation == "NO"
        assert header.NumberOfFrames == 60
        assert header.LossyImageCompression == "01"
        for uid in (header.SOPInstanceUID, header.StudyInstanceUID, header.SeriesInstanceUID):
            assert uid.is_valid
            assert int(uid.removeprefix("2.25.")) < 2**128

    def test_is_small(self) -> None:
        assert self.path.stat().st_size < 2e6

    def test_plays_at_its_rate_and_is_calibrated(self) -> None:
        cine = open_cine(self.path)
        assert len(cine) == 60
        assert cine.frame_rate == 20
        assert cine.spacing_mm == pytest.approx(Phantom(0).spacing_mm)
        header = pydicom.dcmread(self.path, stop_before_pixels=True)
        assert 1000 / header.FrameTime == header.CineRate == header.RecommendedDisplayFrameRate == 20

    @pytest.mark.parametrize("index", [0, 30, 59])
    def test_shows_the_phantom_of_seed_0(self, index: int) -> None:
        image, mask = Phantom(0).frame(np.linspace(0, 1, 60)[index])
        difference = np.abs(open_cine(self.path)[index].astype(int) - image)
        assert difference.mean() < 2.5
        assert difference.max() < 40
        with np.load(SAMPLE_DATA / "fibroid_sweep_truth.npz") as truth:
            # Processors round differently, which may flip a pixel on the outline.
            assert (truth["masks"][index] != mask).mean() < 1e-4

    def test_script_writes_the_same_bytes_each_time(self) -> None:
        make_cine = _script("make_cine")
        rng = np.random.default_rng(0)
        images = rng.integers(0, 256, (3, 64, 48), dtype=np.uint8)
        tiny = PhantomSweep(images, images % 2, 12.5, (0.4, 0.5))

        def written() -> bytes:
            buffer = io.BytesIO()
            make_cine.cine_dataset(tiny).save_as(buffer, enforce_file_format=True)
            return buffer.getvalue()

        assert written() == written()
        header = pydicom.dcmread(io.BytesIO(written()))
        assert header.FrameTime == 80
        region = header.SequenceOfUltrasoundRegions[0]
        assert (region.PhysicalDeltaY, region.PhysicalDeltaX) == pytest.approx((0.04, 0.05))
        assert header.pixel_array.shape == (3, 64, 48)

    def test_truth_is_written_the_same_each_time(self, tmp_path: Path, sweep: PhantomSweep) -> None:
        make_cine = _script("make_cine")
        for name in ("one.npz", "two.npz"):
            make_cine.save_truth(sweep, tmp_path / name)
        assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
        with np.load(tmp_path / "one.npz") as truth:
            np.testing.assert_array_equal(truth["masks"], sweep.masks)


def _script(name: str) -> ModuleType:
    """Load a script of ``sample_data/`` as a module."""
    spec = importlib.util.spec_from_file_location(name, SAMPLE_DATA / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
