"""Memory to review a long cine, above that of the window with the network loaded.

    tools/with-display .venv/bin/python benchmarks/review_memory.py [--frames 850] [--width 1024] [--height 768]

Opens a color DICOM cine in JPEG in a real napari window, explains all of it, and steps through it. The network is a
small one at 128 × 128 pixels, so that this takes minutes; heatmaps of any network are of its own size, not the frame's.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import napari
from measuring import machine, peak_extra_memory, save_reference_network
from opening import different_frames, jpeg_dicom, long_cine_options
from rich.console import Console
from rich.table import Table
from ui import wait

from napari_segcam.network.model_card import ModelCard, SizeRule
from napari_segcam.network.source import ModelSource
from napari_segcam.viewer.frames.cine_record import FrameState
from napari_segcam.viewer.frames.run_request import RunRequest
from napari_segcam.viewer.sessions import session_of
from napari_segcam.viewer.workspace import PLUGIN, open_workspace

_SIDE = 128


def main() -> None:
    options = long_cine_options(__doc__)

    viewer = napari.Viewer()
    viewer.window.resize(1366, 768)
    open_workspace(viewer)
    session = session_of(viewer)
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_reference_network(folder / "network.pth", "efficientnet-b0", _SIDE)
        card = ModelCard(
            architecture="UnetPlusPlus",
            encoder="efficientnet-b0",
            size=SizeRule(rule="resize", height=_SIDE, width=_SIDE),
        )
        session.load(ModelSource(str(folder / "network.pth")), "cpu", card)
        while session.is_busy:
            wait(50)
        network = session.network
        assert network is not None
        cine = jpeg_dicom(folder, different_frames(options.height, options.width), options.frames)

        def review() -> None:
            start = time.perf_counter()
            viewer.open(cine, plugin=PLUGIN)
            seconds["open"] = time.perf_counter() - start
            session.run(RunRequest(stages=tuple(stage.name for stage in network.select("main"))), "all")
            while session.is_busy:
                wait(50)
            seconds["explain"] = time.perf_counter() - start - seconds["open"]
            for frame in range(0, options.frames, 10):
                viewer.dims.set_current_step(0, frame)
                wait(1)

        memory = peak_extra_memory(review)
        record, total = session.record, options.frames
        assert record is not None
        done = int((record.states == FrameState.DONE).sum())
        viewer.close()

    table = Table("", "measured", "bar", title=f"{total} frames of {options.width} × {options.height} RGB, {done} kept")
    table.add_row("peak memory above the window and the network", f"{memory:.0f} MB", "< 2000 MB")
    table.add_row("  of which results, as in the memory field", f"{session.reviews.used_bytes / 1e6:.0f} MB", "")
    table.add_row("opening it as a layer", f"{seconds['open']:.2f} s", "< 1 s")
    table.add_row("explaining all of it", f"{seconds['explain']:.0f} s", "")
    console = Console(width=110)
    console.print(table)
    console.print(machine())


if __name__ == "__main__":
    main()
