"""The section "To confirm" of ``inspect``: what a checkpoint does not say, with what each answer gives on an image."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from napari_segcam.errors import SegcamError

if TYPE_CHECKING:
    from napari_segcam.explanation.answer_masks import AnswerMask
    from napari_segcam.network.network import Network
    from napari_segcam.network.questions.questions import Question

TITLE = "To confirm"


def print_questions(network: Network, console: Console, frame: TrialFrame | None = None) -> None:
    """Print the open questions about a network, each with its answers and how to give them.

    Args:
        network: the network.
        console: to print to.
        frame: also print how much of this frame each answer marks.
    """
    from napari_segcam.network.ensemble.ensemble import Ensemble
    from napari_segcam.network.questions.questions import open_questions

    questions = open_questions(network)
    if not questions:
        console.print(f"[bold]{TITLE}[/bold]: nothing. The file and its model card say everything.")
        return
    console.print(f"[bold]{TITLE}[/bold]: what the file does not say (●: assumed)")
    for question in questions:
        console.print(f"[bold]{escape(question.title)}[/bold]: {escape(question.words)}", soft_wrap=True)
        answers = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
        for row in _rows(question, None if frame is None else frame.masks(network, question)):
            answers.add_row(*map(escape, row))
        console.print(answers)
    if frame is not None:
        console.print(f"Percentages: how much of {escape(frame.name)} the mask covers with this answer.")
    if isinstance(network, Ensemble):
        console.print("--write-ensemble NAME keeps your answers, for all members.")
    else:
        console.print("--write-card keeps your answers in the model card.")


def _rows(question: Question, masks: list[AnswerMask] | None) -> Iterator[tuple[str, ...]]:
    """Yield each answer, what it finds if there is an image, and the options of ``inspect`` that give it."""
    if question.current is None or question.used != question.options[question.current].label:
        yield (f"  ● {question.used}", *(("",) if masks is not None else ()), "" if question.options else question.how)
    for index, option in enumerate(question.options):
        mark = "●" if index == question.current else " "
        found = () if masks is None else (masks[index].words,)
        yield (f"  {mark} {option.label}", *found, option.flag or question.how)


class TrialFrame:
    """One frame of an image, on which ``inspect`` tries the answers.

    Args:
        path: of the image.
        number: of the frame; by default the one in the middle.

    Raises:
        SegcamError: if the image cannot be read, or has no such frame.
    """

    def __init__(self, path: Path, number: int | None) -> None:
        from napari_segcam.imaging.opening import open_cine

        self._cine = open_cine(path)
        count = len(self._cine)
        number = count // 2 if number is None else number
        if not 0 <= number < count:
            numbers = f"{count} frames, numbered 0 to {count - 1}" if count > 1 else "only frame, 0"
            raise SegcamError(f"--frame {number} goes beyond this image's {numbers}.")
        self._number = number
        self.name = self._cine.name if count == 1 else f"frame {number} of {self._cine.name}"

    def masks(self, network: Network, question: Question) -> list[AnswerMask]:
        from napari_segcam.explanation.answer_masks import answer_masks

        cine = self._cine
        return list(
            answer_masks(
                network, question.options, cine[self._number], cine.value_range, pixel_aspect=cine.pixel_aspect
            )
        )
