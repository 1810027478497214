"""What is computed for each frame, in plain values that a log can keep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from napari_segcam.errors import SegcamError
from napari_segcam.viewer.frames.run_request import CORRECTED, RunRequest

if TYPE_CHECKING:
    from napari_segcam.network.network import Network

_REGIONS = ("mask", "image", CORRECTED)


def plain_request(request: RunRequest) -> dict[str, Any] | None:
    """Return a request as plain values; None if its region belongs to one image alone."""
    if not isinstance(request.region, str) or request.region not in _REGIONS:
        return None
    return {
        "method": request.method,
        "stages": None if request.stages is None else list(request.stages),
        "class_index": request.class_index,
        "region": request.region,
        "preview": request.preview,
        "against": request.against,
        "member": request.member,
    }


def request_from(values: Any, network: Network) -> RunRequest | None:
    """Return the request that was kept, as far as it fits the network; None if it does not."""
    from napari_segcam.explanation.stage_maps import find_method

    if not isinstance(values, Mapping):
        return None
    known = {stage.name for stage in network.stages}
    try:
        method = str(values.get("method"))
        find_method(method)
    except SegcamError:
        return None
    stages = values.get("stages")
    fitting = None if stages is None else tuple(stage for stage in stages if stage in known)
    if stages and not fitting:
        return None
    class_index, against, member = (_index(values.get(name)) for name in ("class_index", "against", "member"))
    if any(index is not None and index >= network.classes for index in (class_index, against)):
        return None
    region = values.get("region")
    return RunRequest(
        method,
        fitting,
        class_index,
        region if region in _REGIONS else "mask",
        bool(values.get("preview")),
        against,
        member if member is not None and member < len(getattr(network, "members", ())) else None,
    )


def _index(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
