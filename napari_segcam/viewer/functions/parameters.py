"""The parameters of the functions: what a program may give, and what magicgui makes of each in a window.

For a type checker, these names are all types that the functions take. At run time, each is the one type from which
magicgui builds its widget: an image is chosen among the viewer's layers, a checkpoint is a file, and so on.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from napari.layers import Image, Labels

CHECKPOINT_FILES = (
    "Checkpoints (*.pth *.pt *.pt2 *.ckpt *.bin *.safetensors *.onnx *.keras *.h5 *.zip *.segcam-ensemble.yaml)"
    ";;All files (*)"
)
"""The kinds of files in a dialog that asks for a checkpoint."""

METHODS = (
    "gradcam",
    "gradcam++",
    "layercam",
    "hirescam",
    "xgradcam",
    "gradcam_elementwise",
    "gradcam_signed",
    "eigencam",
    "eigengradcam",
    "seg-eigen-cam",
    "seg-xres-cam",
    "finercam",
    "scorecam",
    "ablationcam",
    "occlusion",
    "integrated_gradients",
    "layer_integrated_gradients",
    "smoothgrad",
)
"""All methods that need no other package, the quick ones first; listed here, since their own rooms import torch."""

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TypeAlias

    from numpy.typing import ArrayLike

    from napari_segcam.imaging.cine import Cine
    from napari_segcam.network.network import Network

    ImageInput: TypeAlias = Image | Cine | ArrayLike | Sequence[ArrayLike] | str | Path | Any
    CheckpointInput: TypeAlias = str | Path | Sequence[str | Path] | Network
    Device: TypeAlias = str
    MethodName: TypeAlias = str
    StageChoice: TypeAlias = str | Iterable[str]
    ClassChoice: TypeAlias = str | int
    RegionChoice: TypeAlias = Literal["mask", "image"] | ArrayLike | Labels
    InputRegion: TypeAlias = Literal["all", "scan"]
    Threshold: TypeAlias = float | None
else:
    ImageInput = Image
    CheckpointInput = Annotated[Path, {"filter": CHECKPOINT_FILES}]
    Device = Literal["auto", "cuda", "mps", "cpu"]
    MethodName = Literal[METHODS]
    StageChoice = Literal[
        "main", "all", "encoder", "decoder", "encoder_early", "encoder_mid", "encoder_last", "decoder_last"
    ]
    ClassChoice = Annotated[str, {"label": "class"}]
    RegionChoice = Literal["mask", "image"]
    InputRegion = Annotated[Literal["all", "scan"], {"label": "input region"}]
    Threshold = Annotated[
        float | None,
        {"widget_type": "napari_segcam.viewer.functions.threshold_box.ThresholdBox", "nullable": True},
    ]
