"""Jobs that apply a changed preference in the worker, where torch is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from napari_segcam.viewer.frames.explainers import Explainers
from napari_segcam.viewer.frames.plan import Plan
from napari_segcam.viewer.worker.worker import Job

if TYPE_CHECKING:  # torch comes with it: it is imported in the worker
    from napari_segcam.network.network import Network

_WHOLE = "With this memory budget, images run whole from now on. Compute again to have all frames alike."
_TILES = "With this memory budget, images run in {tiles} from now on. Compute again to have all frames alike."


def threads_job() -> Job:
    """Return a job that gives torch the preferred number of threads."""

    def work() -> Iterator[None]:
        from napari_segcam.network.device import use_preferred_threads

        use_preferred_threads()
        yield None

    return Job("preferences", "Changing the number of threads", work)


def device_job(network: Network, move: Callable[[], None], fail: Callable[[str], object]) -> Job:
    """Return a job that finds out whether a network should be on another device.

    Args:
        network: as it is loaded.
        move: called if it should.
        fail: called with the reason if this machine has no such device.
    """

    def work() -> Iterator[bool]:
        from napari_segcam.network.device import choose_device

        yield choose_device("auto").type != network.device.type

    def take(is_elsewhere: bool) -> None:
        if is_elsewhere:
            move()

    def end(error: str | None) -> None:
        if error is not None:
            fail(error)

    return Job("preferences", "Choosing the device", work, on_result=take, on_done=end)


def tiles_job(plan: Plan, explainers: Explainers, before: str, say: Callable[[str], object]) -> Job:
    """Return a job that says so if frames run in other tiles from now on than those that are computed.

    Args:
        plan: by which frames are computed.
        explainers: that compute them.
        before: the tiles in which frames ran so far, in words; empty if they ran whole.
        say: called with what has changed.
    """

    def work() -> Iterator[str]:
        yield explainers.tiles(plan)

    def take(tiles: str) -> None:
        if tiles != before:
            say(_TILES.format(tiles=tiles) if tiles else _WHOLE)

    return Job("preferences", "Applying the memory budget", work, on_result=take)
