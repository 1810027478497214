"""One window whose widgets are all shown in each theme and font size: what is cut off in them, and a picture of each.

It is started by ``tools.screenshots.matrix``, on a screen of its own, with what to do as JSON.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari
import napari.settings
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QDialog, QTabBar, QWidget

from napari_segcam.demo import FRAME, demo_checkpoint, sample_cine
from napari_segcam.review.creating import create_project
from napari_segcam.viewer.calipers.calipers_controller import CalipersController
from napari_segcam.viewer.docks import dock, titles
from napari_segcam.viewer.evidence.evidence_controller import EvidenceController
from napari_segcam.viewer.key_help import KeyHelp
from napari_segcam.viewer.keys import key_rows
from napari_segcam.viewer.preferences_window import open_preferences
from napari_segcam.viewer.problem_window import open_problem_report
from napari_segcam.viewer.project.project_controller import ProjectController
from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.sessions import session_of
from napari_segcam.viewer.widgets.cases.new_project import NewProjectDialog
from napari_segcam.viewer.widgets.deidentify.copy_dialog import CopyDialog
from napari_segcam.viewer.widgets.pacs.server_dialog import ServerDialog
from napari_segcam.viewer.workspace import open_workspace
from tests.viewer.cut_off import cut_off
from tools.screenshots import pictures

_PATIENCE = 600.0  # seconds that a step may take
_SETTLE_MS = 120  # layouts and the canvas need several turns of the event loop


class Matrix:
    """A window, and what is cut off in it so far.

    Args:
        order: as ``tools.screenshots.matrix`` gives it.
    """

    def __init__(self, order: dict[str, Any]) -> None:
        self.order = order
        self.size: tuple[int, int] = tuple(order["size"])
        self.pictures = Path(order["pictures"])
        self.scratch = Path(order["scratch"])
        self.faults: dict[str, dict[str, list[str]]] = defaultdict(dict)
        self.viewer: Any = napari.Viewer()
        self.window: QWidget = self.viewer.window._qt_window
        self.window.move(0, 0)
        self.session: ReviewSession = session_of(self.viewer)
        open_workspace(self.viewer)

    def look(self, state: str, dialogs: bool) -> None:
        """Look at every widget in each theme and font size."""
        for name in titles():
            dock(self.viewer, name, tabify=name not in ("Cine strip", "First steps"))
        appearance = napari.settings.get_settings().appearance
        for theme in self.order["themes"]:
            for font in self.order["fonts"]:
                appearance.theme, appearance.font_size = theme, font
                self.viewer.theme = theme
                QTest.qWait(_SETTLE_MS)
                self.window.resize(*self.size)
                QTest.qWait(_SETTLE_MS)
                self._look_at_docks(state, f"{theme} {font}")
                if dialogs:
                    self._look_at_dialogs(f"{theme} {font}")

    def _look_at_docks(self, state: str, cell: str) -> None:
        for name in titles():
            tab, widget = dock(self.viewer, name)
            tab.raise_()
            QTest.qWait(_SETTLE_MS)
            native = getattr(widget, "native", widget)
            faults = cut_off(native)
            for bar in self.window.findChildren(QTabBar):
                if bar.parentWidget() is self.window and bar.isVisible():
                    faults += cut_off(bar)
            size = self.window.width(), self.window.height()
            if size[0] > self.size[0] or size[1] > self.size[1]:
                faults.append(f"the window has grown to {size[0]}×{size[1]}")
            self._keep(f"{name}, {state}", cell, faults, self.window)

    def _look_at_dialogs(self, cell: str) -> None:
        for name, make in self._dialogs().items():
            dialog = make()
            dialog.setModal(False)
            dialog.show()
            dialog.move(0, 0)
            QTest.qWait(3 * _SETTLE_MS)
            faults = cut_off(dialog)
            size = dialog.width(), dialog.height()
            if size[0] > self.size[0] or size[1] > self.size[1]:
                faults.append(f"it is {size[0]}×{size[1]}")
            self._keep(name, cell, faults, dialog)
            dialog.close()
            QTest.qWait(_SETTLE_MS)

    def _dialogs(self) -> dict[str, Callable[[], QDialog]]:
        window, submit = self.window, self.session.submit
        return {
            "Preferences": lambda: open_preferences(self.viewer),
            "Report a problem": lambda: open_problem_report(self.viewer),
            "New review": lambda: NewProjectDialog([sample_cine()], 1, "a network", window),
            "De-identify": lambda: CopyDialog(sample_cine(), "", submit, lambda _request, _path: None, window),
            "New server": lambda: ServerDialog(None, window),
            "Keys": lambda: KeyHelp(key_rows(), window),
        }

    def _keep(self, name: str, cell: str, faults: list[str], shown: QWidget) -> None:
        path = self.pictures / f"{name} {cell}.png".replace(", ", "-").replace(" ", "-").lower()
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = pictures.grab(shown)
        picture.save(path)
        self.faults[name].setdefault(cell, []).extend(dict.fromkeys(faults))

    def fill(self) -> None:
        """Open a review of the sample, and let each widget have something to show."""
        session = self.session
        images = self.scratch / "images"
        images.mkdir()
        shutil.copy(sample_cine(), images / "fibroid_sweep.dcm")
        folder = self.scratch / "Fibroids.segcam-review"
        create_project(folder, images, [demo_checkpoint()])
        project = controller_of(session, ProjectController)
        project.open(folder, "reader")
        self._until(lambda: project.layers.is_shown and session.network is not None, "the review to open")
        session.go_to(FRAME)
        self._until(lambda: bool(session.figures()), "the heat")
        session.cancel()  # a few frames are enough
        self._until(lambda: not session.is_busy, "the end of the run")
        controller_of(session, EvidenceController).start_check()
        self._until(lambda: controller_of(session, EvidenceController).check is None, "the check")
        controller_of(session, CalipersController).measure_finding()
        QTest.qWait(1500)

    def _until(self, condition: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + _PATIENCE
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError(f"Waited {_PATIENCE:.0f} s for {what}: {self.session.outcomes}")
            QTest.qWait(50)


def main() -> None:
    order = json.loads(sys.argv[1])
    matrix = Matrix(order)
    matrix.look("empty", dialogs=order["empty"])
    if not order["empty"]:
        matrix.fill()
        matrix.look("full", dialogs=True)
    Path(order["scratch"], "report.json").write_text(json.dumps(matrix.faults), encoding="utf-8")
    sys.stdout.flush()
    os._exit(0)  # the window's own farewell, with its questions, is not part of this


if __name__ == "__main__":
    main()
