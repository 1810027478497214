"""The report of a problem, from the window."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import napari.viewer
from napari.utils import sys_info
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QWidget

from napari_segcam.files import whole_file
from napari_segcam.viewer.mendable_errors import show_error, show_info
from napari_segcam.viewer.napari_internals.canvas import canvas_of
from napari_segcam.viewer.napari_internals.proxies import without_proxy
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.sessions import session_of
from napari_segcam.viewer.widgets.problem.problem_dialog import ProblemDialog
from napari_segcam.viewer.worker.worker import Job

# What napari says of the graphics; the rest of it has paths, or is in the report already.
_WANTED = re.compile(
    r"^\s*-?\s*(GL version|MAX_TEXTURE_SIZE|GL_MAX_3D_TEXTURE_SIZE|screen \d+|Qt):\s*(.*\S)", re.MULTILINE
)


def open_problem_report(viewer: napari.viewer.Viewer) -> ProblemDialog:
    """Open the dialog with the report of a problem, which the worker collects."""
    session = session_of(viewer)
    canvas = canvas_of(without_proxy(viewer))  # napari hands a command a proxy
    window: QWidget | None = None if canvas is None else canvas.window()
    dialog = ProblemDialog(lambda path, text: session.submit(_save_job(path, text)), window)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.show()
    session.submit(_report_job(session, dialog, window_facts()))
    return dialog


def window_facts() -> list[tuple[str, str]]:
    """Return what napari says of Qt, OpenGL and the screens."""
    return [(name, value) for name, value in _WANTED.findall(sys_info()) if "/" not in name]


def _report_job(session: ReviewSession, dialog: ProblemDialog, window: list[tuple[str, str]]) -> Job:
    network, is_open = session.network, [True]
    dialog.finished.connect(lambda _result: is_open.clear())

    def work() -> Iterator[str]:
        from napari_segcam.problem.network_facts import facts_of
        from napari_segcam.problem.problem_report import problem_report

        yield problem_report(() if network is None else facts_of(network), window)

    def take(text: str) -> None:
        if is_open:
            dialog.show_report(text)

    return Job("problem", "Collecting the report", work, on_result=take)


def _save_job(path: Path, text: str) -> Job:
    def work() -> Iterator[None]:
        with whole_file(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
        yield None

    def end(error: str | None) -> None:
        if error is None:
            show_info(f"The report is saved in {path}.")
        else:
            show_error(error)

    return Job("problem", f"Saving {path.name}", work, on_done=end)
