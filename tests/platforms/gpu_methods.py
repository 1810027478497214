"""Methods whose maps on a GPU are compared with those of the CPU."""

from __future__ import annotations

METHODS = [
    "gradcam",
    "gradcam++",
    "layercam",
    "hirescam",
    "xgradcam",
    "gradcam_elementwise",
    "eigencam",
    "eigengradcam",
    "seg-eigen-cam",
    "seg-xres-cam",
    "gradcam_signed",
    "scorecam",
    "occlusion",
    "smoothgrad",
]
