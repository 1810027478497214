"""Ensembles in the Checkpoint widget: asked before several files become one network, and saved as one file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QMessageBox, QWidget

from napari_segcam.errors import SegcamError
from napari_segcam.files import natural_key
from napari_segcam.network.ensemble.ensemble_file import ENSEMBLE_SUFFIX, is_ensemble_file
from napari_segcam.network.ensemble.member_names import unique_names
from napari_segcam.network.model_card import ModelCard
from napari_segcam.network.source import ModelSource
from napari_segcam.viewer.mendable_errors import show_error
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.worker.worker import Job

_YES, _NO = QMessageBox.StandardButton.Yes, QMessageBox.StandardButton.No
_MOST_NAMES = 8


class _Text:
    """Every text of the questions."""

    TITLE = "Several checkpoints"
    ONE_NETWORK = (
        "One network of {count} members?\n\n{names}\n\nThe probabilities of all members are averaged. To load one of "
        "them, choose it alone."
    )
    MORE = "and {count} more"
    SAVE_TITLE = "Save the ensemble"
    FILE_TYPES = "Ensembles (*{suffix})"
    JOB = "Writing {name}"


def confirms_ensemble(parent: QWidget, paths: Sequence[str]) -> bool:
    """Ask whether several files are one network."""
    names = list(unique_names(sorted(paths, key=natural_key)))
    more = [_Text.MORE.format(count=len(names) - _MOST_NAMES)] if len(names) > _MOST_NAMES else []
    question = _Text.ONE_NETWORK.format(count=len(paths), names="\n".join([*names[:_MOST_NAMES], *more]))
    return QMessageBox.question(parent, _Text.TITLE, question, _YES | _NO, _YES) == _YES


def save_ensemble(
    parent: QWidget, session: ReviewSession, source: ModelSource, card: ModelCard, on_saved: Callable[[], None]
) -> None:
    """Write the file that stands for the members of an ensemble, with a card that holds for all of them.

    Args:
        parent: of the dialogs.
        session: of the network.
        source: of the ensemble: several checkpoints, or such a file, which is written again.
        card: to keep in it.
        on_saved: called when the file is written.
    """
    assert source.path is not None
    path = Path(source.path)
    if not is_ensemble_file(path):
        file_types = _Text.FILE_TYPES.format(suffix=ENSEMBLE_SUFFIX)
        proposed = str(path.parent / f"ensemble{ENSEMBLE_SUFFIX}")
        chosen, _ = QFileDialog.getSaveFileName(parent, _Text.SAVE_TITLE, proposed, file_types)
        if not chosen:
            return
        path = Path(chosen)

    def work() -> Iterator[str | None]:
        from napari_segcam.network.ensemble.ensemble_file import write_ensemble_file
        from napari_segcam.network.ensemble.members import member_list

        try:
            members = member_list(source.paths)
            assert members is not None
            fields = card.model_copy(update={"sha256": None, "architecture": None, "encoder": None})
            write_ensemble_file(path, members.paths, members.weights, fields, force=True)
        except SegcamError as fault:
            yield str(fault)
        else:
            yield None

    def end(error: str | None) -> None:
        if error is None:
            on_saved()
        else:
            show_error(error)

    session.submit(Job("card", _Text.JOB.format(name=path.name), work, on_result=end))
