"""The questions about the loaded network: what each answer gives on the frame in view, and the answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_segcam.network.questions.questions import Option, Question, questions_of
from napari_segcam.viewer.layers.frame_names import frame_in_words
from napari_segcam.viewer.questions.pictures import AnswerPicture, Shown, all_alike, answer_pictures
from napari_segcam.viewer.review.losses import ask_before_loading
from napari_segcam.viewer.worker.worker import Job

if TYPE_CHECKING:  # torch comes with these, and is imported in the worker first
    from napari_segcam.network.network import Network
    from napari_segcam.viewer.review.session import ReviewSession

_REST_MS = 250  # the user has stopped at a frame


class _Text:
    """Every text of the controller."""

    NO_IMAGE = "Open an image to see what each answer finds."
    ALIKE = "On {frame}, all answers give the same."
    WAITING = "The pictures follow after: {title}."
    OF = "On {frame}. Click the picture that is right."
    USING = "Using {label}"


class QuestionsController(QObject):
    """One per session, as its child; found by ``controller_of``. The worker makes the pictures between frames.

    Attributes:
        questions: about the loaded network, open ones and answered ones.
        pictures: of the opened question's answers, by their index; they may be of the frame before.
    """

    changed = Signal()
    answered = Signal(object)

    def __init__(self, session: ReviewSession) -> None:
        super().__init__(session)
        self._session = session
        self.questions: tuple[Question, ...] = ()
        self.pictures: dict[int, AnswerPicture] = {}
        self._opened = ""
        self._is_watched = False
        self._network: Network | None = None
        self._answering: Network | None = None
        self._job: Job | None = None
        self._asked: tuple[object, ...] = ()  # what the pictures that are wanted, or made, depend on
        self._shown_key: tuple[object, ...] = ()  # the same for those that are shown
        self._new: set[int] = set()
        self._rest = QTimer(self, singleShot=True, interval=_REST_MS)
        self._rest.timeout.connect(self._start)
        session.network_changed.connect(self._on_network)
        for signal in (session.frame_changed, session.image_changed, session.record_changed, session.job_changed):
            signal.connect(self._on_change)
        session.background.changed.connect(self.changed)

    # What is shown

    @property
    def opened(self) -> Question | None:
        """The question whose answers are shown."""
        return next((question for question in self.questions if question.name == self._opened), None)

    @property
    def open_count(self) -> int:
        """How many questions have no answer yet."""
        return sum(question.is_open for question in self.questions)

    def is_new(self, index: int) -> bool:
        """Whether the picture of an answer is of the frame in view."""
        return index in self._new

    def words(self) -> str:
        """Return what the pictures show, or why there are none, in a sentence."""
        question, session = self.opened, self._session
        if question is None or not question.options:
            return ""
        if session.image is None:
            return _Text.NO_IMAGE
        if session.background.job is not None and len(self._new) < len(question.options):
            return _Text.WAITING.format(title=session.background.job.title)
        frame = frame_in_words(session.image, session.current_frame())
        if len(self._new) == len(question.options) and all_alike(list(self.pictures.values())):
            return _Text.ALIKE.format(frame=frame)
        return _Text.OF.format(frame=frame)

    # What the user does

    def open(self, name: str) -> None:
        """Show the answers of a question; an empty name shows none."""
        if name != self._opened:
            self._opened, self.pictures, self._new = name, {}, set()
            self._on_change()
            self.changed.emit()

    def watch(self, is_watched: bool) -> None:
        """Make pictures only while somebody can see them."""
        self._is_watched = is_watched
        self._on_change()

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

    # Pictures

    def _on_network(self) -> None:
        network = self._session.network
        self.questions = () if network is None else questions_of(network)
        if network is None or network is not self._answering:
            first = next((question for question in self.questions if question.is_open and question.options), None)
            self._opened, self.pictures = "" if first is None else first.name, {}
        self._answering = None
        self._new = set()
        self._on_change()
        self.changed.emit()

    def _on_change(self, _of: object = None) -> None:
        """Make other pictures if they are needed, once the user has stopped at a frame."""
        wanted, question = self._wanted_key(), self.opened
        if wanted == self._asked:
            return
        self._asked = wanted
        if self._job is not None:
            self._job.cancel()
        self._rest.stop()
        is_shown = wanted == self._shown_key and question is not None and len(self._new) == len(question.options)
        if wanted and not is_shown:
            self._new = set()
            self._rest.start()
            self.changed.emit()

    def _wanted_key(self) -> tuple[object, ...]:
        """Return what the pictures depend on; empty if none are wanted."""
        session, question = self._session, self.opened
        shown = self._shown()
        if not self._is_watched or shown is None or question is None or not question.options:
            return ()
        return (session.network, question.name, *shown.key)

    def _shown(self) -> Shown | None:
        session = self._session
        review = session.review
        if review is None or session.network is None:
            return None
        return Shown(review.input.source, session.current_frame(), session.threshold, session.class_colors)

    def _start(self) -> None:
        question, shown, network = self.opened, self._shown(), self._session.network
        if not self._asked or question is None or shown is None or network is None:
            return
        self._shown_key = self._asked
        options = question.options
        job = self._job = Job(
            "questions",
            question.title,
            lambda: answer_pictures(network, options, shown, lambda: job.cancelled),
            len(options),
            in_background=True,
        )
        job.on_result = lambda picture: self._take(job, picture)
        job.on_done = lambda error: self._end(job, error)
        self._session.submit(job)

    def _take(self, job: Job, picture: AnswerPicture) -> None:
        if job is self._job and not job.cancelled:
            self.pictures[picture.index] = picture
            self._new.add(picture.index)
            self.changed.emit()

    def _end(self, job: Job, error: str | None) -> None:
        if job is self._job:
            self._job = None
            if error is not None:
                self._session.viewer.status = error
            self.changed.emit()
