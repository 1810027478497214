"""The questions about the loaded network: what each answer gives on the frame in view, and the answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from napari_segcam.network.questions.questions import Option, Question, questions_of
from napari_segcam.viewer.layers.frame_names import frame_in_words
from napari_segcam.viewer.questions.picture_maker import PictureMaker, Wanted
from napari_segcam.viewer.questions.pictures import all_alike, answer_pictures
from napari_segcam.viewer.review.losses import ask_before_loading
from napari_segcam.viewer.worker.worker import Job

if TYPE_CHECKING:  # torch comes with these, and is imported in the worker first
    from napari_segcam.network.network import Network
    from napari_segcam.viewer.review.session import ReviewSession


class _Text:
    """Every text of the controller."""

    NO_IMAGE = "Open an image to see what each answer finds."
    ALIKE = "On {frame}, all answers give the same."
    WAITING = "The pictures follow after: {title}."
    OF = "On {frame}. Click the picture that is right."
    USING = "Using {label}"


class QuestionsController(QObject):
    """One per session, as its child; found by ``controller_of``.

    Attributes:
        questions: about the loaded network, open ones and answered ones.
        maker: of the pictures of the opened question's answers.
    """

    changed = Signal()
    answered = Signal(object)

    def __init__(self, session: ReviewSession) -> None:
        super().__init__(session)
        self._session = session
        self.questions: tuple[Question, ...] = ()
        self._opened = ""
        self._answering: Network | None = None
        self.maker = PictureMaker(session, self._wanted, self)
        self.maker.changed.connect(self.changed)
        session.network_changed.connect(self._on_network)

    # What is shown

    @property
    def opened(self) -> Question | None:
        """The question whose answers are shown."""
        return next((question for question in self.questions if question.name == self._opened), None)

    @property
    def open_count(self) -> int:
        """How many questions have no answer yet."""
        return sum(question.is_open for question in self.questions)

    def words(self) -> str:
        """Return what the pictures show, or why there are none, in a sentence."""
        question, session = self.opened, self._session
        if question is None or not question.options:
            return ""
        if session.image is None:
            return _Text.NO_IMAGE
        if (hidden := session.reviews.hiding.reason(session.image)) is not None:
            return hidden
        if session.background.job is not None and not self.maker.is_complete:
            return _Text.WAITING.format(title=session.background.job.title)
        frame = frame_in_words(session.image, session.current_frame())
        if self.maker.is_complete and all_alike(list(self.maker.pictures.values())):
            return _Text.ALIKE.format(frame=frame)
        return _Text.OF.format(frame=frame)

    # What the user does

    def open(self, name: str) -> None:
        """Show the answers of a question; an empty name shows none."""
        if name != self._opened:
            self._opened = name
            self.maker.forget()
            self.changed.emit()

    def answer(self, option: Option) -> None:
        """Use the network as this answer says; if that ends a run, ask first."""
        self._session.question = ask_before_loading(self._session, lambda: self._use(option))

    def _use(self, option: Option) -> None:
        session = self._session
        network, source, review = session.network, session.source, session.review
        if network is None:
            return
        plan = None if review is None else review.plan
        fields: Mapping[str, Any] = option.fields

        def work() -> Iterator[Network]:
            from napari_segcam.network.questions.answers import with_answer

            yield with_answer(network, fields, rewrite=True)

        def take(answered: Network) -> None:
            if session.network is not network:
                return
            self._answering = answered
            named = replace(source, output=fields["output"]) if source is not None and "output" in fields else source
            session.use(answered, named)
            self.answered.emit(answered.card)
            if plan is not None and session.review is review and answered.classes == network.classes:
                request = replace(plan.request, stages=None) if plan.is_slow else plan.request
                session.run(request, "current")

        session.start_job(Job("load", _Text.USING.format(label=option.label), work, on_result=take))

    def _on_network(self) -> None:
        network = self._session.network
        self.questions = () if network is None else questions_of(network)
        is_answered = network is not None and network is self._answering
        if not is_answered:
            first = next((question for question in self.questions if question.is_open and question.options), None)
            self._opened = "" if first is None else first.name
        self._answering = None
        self.maker.forget(keep_old=is_answered)
        self.changed.emit()

    def _wanted(self) -> Wanted | None:
        network, question = self._session.network, self.opened
        if network is None or question is None or not question.options:
            return None
        options = question.options
        return Wanted(
            (network, question.name),
            question.title,
            len(options),
            lambda shown, cancelled: answer_pictures(network, options, shown, cancelled),
        )
