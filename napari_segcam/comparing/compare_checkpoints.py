"""The call that compares two checkpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from napari_segcam.batch.color_tables.color_table import Color
from napari_segcam.batch.color_tables.named_classes import with_names_of
from napari_segcam.comparing.comparing import CompareOptions, Comparing
from napari_segcam.comparing.comparison import Comparison, finished
from napari_segcam.comparing.writing import refuse_folder, write_comparison
from napari_segcam.network.network import Network
from napari_segcam.network.source import ModelSource


def compare_checkpoints(
    a: Network | ModelSource | str | Path | Sequence[str | Path],
    b: Network | ModelSource | str | Path | Sequence[str | Path],
    images: str | Path,
    out: str | Path | None = None,
    *,
    truth: str | Path | None = None,
    truth_colors: Mapping[str, Color] | None = None,
    options: CompareOptions | None = None,
    pdf: bool = True,
) -> Comparison:
    """Compare two checkpoints on the same frames of the same images.

    Examples:
        >>> model = "best_model.safetensors"
        >>> comparison = sc.compare_checkpoints(model, model, "images", truth="masks")
        >>> comparison.classes[0].dice_difference.value
        0.0

    Args:
        a: the first network: loaded, or a path, several paths of an ensemble, or a source.
        b: the second network.
        images: a folder of images and cines, a CSV list with a column image (and truth and case, if you like), or one
            image or cine. Each file is a case, unless the list names cases.
        out: the folder to write tables and report to; by default nothing is written.
        truth: a folder of true masks with the names of their images; for one image its mask.
        truth_colors: as ``read_colors`` returns them.
        options: how to compare.
        pdf: whether to write the report as PDF too.

    Raises:
        SegcamError: if a network cannot be loaded, the classes of both do not belong together, or no image can be
            compared.
    """
    folder = Path(out) if out is not None else None
    if folder is not None:
        refuse_folder(folder)
    networks = [model if isinstance(model, Network) else ModelSource.of(model).load() for model in (a, b)]
    first, second = (with_names_of(network, truth_colors) for network in networks)
    comparing = Comparing(
        first,
        second,
        Path(images),
        folder,
        options or CompareOptions(),
        truth=Path(truth) if truth is not None else None,
        colors=truth_colors,
    )
    comparison = finished(comparing)
    assert comparison is not None
    if folder is not None:
        write_comparison(folder, comparison, pdf=pdf)
    return comparison
