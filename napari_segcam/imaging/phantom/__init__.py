"""A physically plausible B-mode phantom: a probe sweeps over a uterus with fibroids, with known true masks."""

from napari_segcam.imaging.phantom.sweep import Phantom, PhantomSweep, phantom_sweep

__all__ = ["Phantom", "PhantomSweep", "phantom_sweep"]
