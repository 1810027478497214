"""Follow one tutorial word for word, in a process of its own: each step in a real window, each block as written.

    python -m tools.screenshots.follow TUTORIAL PICTURES [FOLDER]

FOLDER holds what the tutorial needs; without it, it is followed in an empty one. It ends with status 1 at the first
thing that cannot be done or is not as the page says.
"""

from __future__ import annotations

import faulthandler
import os
import shutil
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path
from typing import Any

from PIL import Image
from qtpy.QtCore import QPoint, QTimer
from qtpy.QtWidgets import QApplication

from tools.screenshots import pictures
from tools.screenshots.blocks import Blocks
from tools.screenshots.controls import NotFoundError
from tools.screenshots.grammar import Action, Press, Wait
from tools.screenshots.hand import WINDOW, Hand
from tools.screenshots.recording import Recorder
from tools.screenshots.tutorial import Block, Part, Picture, Recording, Step, parts_of
from tools.screenshots.ui_thread import UiThread

_ACTION_MS, _KEY_MS, _POINT_MS, _WAIT_MS, _LAST_MS = 700, 250, 400, 300, 2000  # how long a picture is shown
_WAIT_PICTURES = 4  # at most, of one wait
_LIMIT_SECONDS = 1200  # a tutorial that takes longer hangs: where is printed


class Follower:
    """Goes through the parts of a tutorial.

    Args:
        ui: the thread of the window.
        folder: the working folder, where blocks run and relative files are written.
        shots: where its pictures go.
    """

    def __init__(self, ui: UiThread, folder: Path, shots: Path) -> None:
        self._ui = ui
        self._folder = folder
        self._shots = shots
        self._hand = Hand(ui, self._mouse_at)
        self._recorder: Recorder | None = None
        self._recorded = Path()
        self._blocks = Blocks(folder)

    def follow(self, tutorial: Path) -> None:
        """Do everything that a tutorial asks for.

        Raises:
            Exception: with the line of the page, if something is not as it says.
        """
        try:
            for part in parts_of(tutorial):
                print(f"{tutorial.name}:{part.line}: {_title(part)}", flush=True)
                self._do(part)
        finally:
            self._blocks.close()

    def _do(self, part: Part) -> None:
        if isinstance(part, Step):
            for action in part.actions:
                self._act(action)
        elif isinstance(part, Block):
            self._blocks.run(part)
        elif isinstance(part, Picture):
            self._take(part)
        elif part.name:
            self._recorder, self._recorded = Recorder(), self._shots / part.name
        elif self._recorder is not None:
            self._record(_LAST_MS)
            self._recorder.save(self._recorded)
            print(f"{self._recorded.name}: {self._recorder.seconds():.1f} s", flush=True)
            self._recorder = None

    def _act(self, action: Action) -> None:
        """Do one action; in a recording, each press of a key and the first moments of a wait can be seen."""
        if self._recorder is None:
            self._hand.do(action)
        elif isinstance(action, Press):
            for _ in range(action.times):
                self._hand.do(Press(action.keys))
                self._record(_KEY_MS if action.times > 1 else _ACTION_MS)
        elif isinstance(action, Wait):
            for _ in range(_WAIT_PICTURES):
                if not self._ui.ask(lambda: self._hand.sees(action.text) == action.present):
                    self._record(_WAIT_MS)
                    time.sleep(_WAIT_MS / 1000)
            self._hand.do(action)
            self._record(_ACTION_MS)
        else:
            self._hand.do(action)
            self._record(_ACTION_MS)

    def _record(self, milliseconds: int) -> None:
        if self._recorder is not None:
            window = self._hand.window()
            self._recorder.add(self._ui.ask(lambda: pictures.grab(window)), milliseconds)

    def _mouse_at(self, point: QPoint) -> None:
        """Draw the mouse at a place of the recording before it clicks there."""
        if self._recorder is not None:
            self._recorder.pointer = self._ui.ask(lambda: self._hand.window().mapFromGlobal(point))
            self._record(_POINT_MS)

    def _take(self, picture: Picture) -> None:
        """Keep what the window shows, or a file that a block has written."""
        target = self._shots / Path(picture.path).name
        if picture.of and (made := self._folder / picture.of).is_file():
            with Image.open(made) as image:
                pictures.save(image.convert("RGB"), target)
            return
        window = self._hand.window()
        if (size := (window.width(), window.height())) != WINDOW:
            raise NotFoundError(f"The window has grown to {size[0]} × {size[1]} pixels.")
        shot = pictures.at_rest(self._ui, window)
        if picture.of:
            shot = self._ui.ask(lambda: pictures.of_dock(shot, window, picture.of))
        pictures.save(shot, target)


def _title(part: Part) -> str:
    if isinstance(part, Step):
        return part.words
    if isinstance(part, Recording):
        return f"recording {part.name}" if part.name else "end of the recording"
    return part.path if isinstance(part, Picture) else part.code.splitlines()[0]


def run_in_window(work: Any) -> int:
    """Call ``work(ui)`` in a thread beside the window's, and return 0, or 1 if it failed."""
    app = QApplication.instance() or _application()
    app.setQuitOnLastWindowClosed(False)
    ui = UiThread()
    status = 1

    def run() -> None:
        nonlocal status
        try:
            work(ui)
            status = 0
        except Exception:
            traceback.print_exc()
        ui.post(lambda: app.exit(status))

    thread = threading.Thread(target=run, name="follower", daemon=True)
    QTimer.singleShot(0, thread.start)
    app.exec()
    return status


def _application() -> Any:
    from napari.qt import get_qapp

    return get_qapp()


def main() -> None:
    tutorial, shots = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    given = Path(sys.argv[3]).resolve() if len(sys.argv) > 3 else None
    folder = given or Path(tempfile.mkdtemp(prefix="segcam-tutorial-"))
    os.chdir(folder)
    faulthandler.dump_traceback_later(_LIMIT_SECONDS, exit=True)
    status = run_in_window(lambda ui: Follower(ui, folder, shots).follow(tutorial))
    os.chdir("/")
    if given is None:
        shutil.rmtree(folder, ignore_errors=True)
    sys.stdout.flush()
    os._exit(status)  # the window's own farewell, with its questions, is not part of a tutorial


if __name__ == "__main__":
    main()
