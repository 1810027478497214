"""Run lengths equal those of pycocotools."""

from __future__ import annotations

import numpy as np
import pytest
from pycocotools import mask as coco_masks

from napari_segcam.review.export.formats.rle import compress, run_lengths


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.98, 1.0])
@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (480, 640)])
def test_run_lengths_equal_those_of_pycocotools(shape: tuple[int, int], share: float) -> None:
    mask = np.random.default_rng(3).random(shape) < share
    expected = coco_masks.encode(np.asfortranarray(mask.astype(np.uint8)))
    lengths = run_lengths(mask)
    assert compress(lengths).encode() == expected["counts"]
    assert sum(lengths) == mask.size
    rle = coco_masks.frPyObjects({"size": list(shape), "counts": lengths}, *shape)
    assert np.array_equal(coco_masks.decode(rle), mask)
