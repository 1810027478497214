"""The client of a PACS: search, thumbnails, files, cines frame by frame, and sending."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.cine import Frame
from napari_segcam.imaging.dicomweb.arriving import Arrival
from napari_segcam.imaging.dicomweb.fetching import FetchProgress, fetch_files, stream_cine
from napari_segcam.imaging.dicomweb.found import FoundInstance, FoundSeries, instance_of, is_uid, series_of, text_of
from napari_segcam.imaging.dicomweb.query import Search, loosened, uid_key
from napari_segcam.imaging.dicomweb.sending import SentFile, send_files
from napari_segcam.imaging.dicomweb.servers import Server
from napari_segcam.imaging.dicomweb.thumbnails import as_rgb, picture_of
from napari_segcam.imaging.dicomweb.watch import CancelledError, ServerError, Watch, never
from napari_segcam.optional import needed

_SERIES_FIELDS = (
    "PatientName", "PatientID", "PatientBirthDate", "StudyDate", "StudyTime", "StudyDescription", "AccessionNumber",
    "StudyInstanceUID", "SeriesInstanceUID", "SeriesDescription", "SeriesNumber", "Modality",
    "NumberOfSeriesRelatedInstances",
)  # fmt: skip
_INSTANCE_FIELDS = (
    "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID", "InstanceNumber", "NumberOfFrames",
    "Rows", "Columns",
)  # fmt: skip
_SERIES_KEYS = ("SeriesDescription", "SeriesInstanceUID", "Modality")
_STUDY_FIELDS = tuple(name for name in _SERIES_FIELDS if name.startswith(("Patient", "Study", "Accession")))
_STUDY_UID = "0020000D"
_NO_SEARCH_OF_ALL = (400, 404, 405, 501)
_PAGES = 1000
_LOOSE = 10  # times as many answers are read if they must be sifted here


class PacsClient:
    """A client of one server, for one thread at a time; each call waits for the server.

    Nothing is connected before the first call. Every failure is a SegcamError, and nothing incomplete is left behind.

    Args:
        server: to connect to.
        cancelled: tells whether to end; asked ten times a second, also while the server is silent.

    Attributes:
        notes: what the user should know, in sentences.

    Raises:
        SegcamError: if the library for DICOMweb is missing, or the password is not known.
    """

    def __init__(self, server: Server, *, cancelled: Callable[[], bool] = never) -> None:
        needed("dicomweb_client", f"{server.title} is a DICOMweb server", extra="pacs", pip_name="dicomweb-client")
        from dicomweb_client.api import DICOMwebClient

        from napari_segcam.imaging.dicomweb.transport import GuardedSession

        self.server = server
        self._session = GuardedSession(server, Watch(server.title, server.timeout_s, cancelled))
        prefixes = {f"{name}_url_prefix": getattr(server, name) or None for name in ("qido", "wado", "stow")}
        self._web = DICOMwebClient(server.url, session=self._session, **prefixes)
        self._web.set_http_retry_params(retry=False)  # by default it sends a request up to five times
        logging.getLogger("retrying").setLevel(logging.CRITICAL)  # it logs each failure with its traceback
        self.notes: list[str] = []
        if server.is_unsafe:
            self.notes.append(
                f"The connection to {server.title} is not encrypted: others in the network can read along."
            )

    def __enter__(self) -> PacsClient:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def search(self, *, limit: int = 100, **keys: str) -> list[FoundSeries]:
        """Search for series, and return them by date, the newest first.

        Args:
            limit: at most so many; a note says if there are more.
            keys: those of ``Search``.

        Raises:
            SegcamError: if a key cannot be searched for, or the server fails.
        """
        wanted = Search(**keys)
        found: dict[str, FoundSeries] = {}
        more = False
        for filters in wanted.filters():
            answers = self._search(filters, limit + 1)
            more |= len(answers) > limit
            self._refuse_none_valid([series_of(answer) for answer in answers])
            is_loose = not answers and loosened(filters) != filters
            for answer in self._search(loosened(filters), _LOOSE * limit) if is_loose else answers:
                series = series_of(answer)
                if series is None:
                    self._note(f"{self.server.title} lists a series without a valid UID: it is left out.")
                elif is_loose and not (wanted.matches(series) and wanted.resembles(series)):
                    continue
                elif wanted.matches(series):
                    found.setdefault(series.series_uid, series)
                else:
                    self._note(f"{self.server.title} lists series that were not searched for: they are left out.")
        ordered = sorted(found.values(), key=lambda series: (series.patient_name.casefold(), series.number or 0))
        ordered.sort(key=lambda series: (series.date, series.time), reverse=True)
        if more or len(ordered) > limit:
            self._note(f"More than {limit} series match: not all are shown. Search for something narrower.")
        return ordered[:limit]

    def instances(self, series: FoundSeries) -> list[FoundInstance]:
        """Return the instances of a series in the order of their numbers.

        Raises:
            SegcamError: if the server fails.
        """
        found: dict[str, FoundInstance] = {}
        for _ in range(_PAGES):
            answers = self._asked(
                self._web.search_for_instances,
                series.study_uid,
                series.series_uid,
                fields=_INSTANCE_FIELDS,
                offset=len(found) or None,
            )
            before = len(found)
            self._refuse_none_valid([instance_of(answer, series.study_uid, series.series_uid) for answer in answers])
            for answer in answers:
                instance = instance_of(answer, series.study_uid, series.series_uid)
                if instance is None or (instance.study_uid, instance.series_uid) != (
                    series.study_uid,
                    series.series_uid,
                ):
                    self._note(f"{self.server.title} lists an instance without a valid UID: it is left out.")
                else:
                    found.setdefault(instance.uid, instance)
            if len(found) == before or series.instances is None or len(found) >= series.instances:
                break
        return sorted(found.values(), key=lambda instance: (instance.number or 0, instance.uid))

    def find(self, uid: str) -> list[FoundInstance]:
        """Return the instances that a UID means: those of a study or series, or one instance.

        Args:
            uid: of a study, a series or an instance.

        Raises:
            SegcamError: if there are none, or the server fails.
        """
        if not uid_key(uid):
            raise SegcamError("Say what to fetch: the UID of a study, a series or an instance.")
        for level in ("series_uid", "study_uid"):
            if series := self.search(limit=_PAGES, **{level: uid}):
                return [instance for one in series for instance in self.instances(one)]
        answers = self._asked(
            self._web.search_for_instances, search_filters={"SOPInstanceUID": uid}, fields=_INSTANCE_FIELDS
        )
        found = [
            instance for answer in answers if (instance := instance_of(answer)) is not None and instance.uid == uid
        ]
        if not found:
            raise SegcamError(f"{self.server.title} has no study, series or instance {uid}.")
        return found[:1]

    def thumbnail(self, instance: FoundInstance, side: int = 128) -> NDArray[np.uint8]:
        """Return a small picture of an instance, of the middle frame of a cine, ``(Y, X, 3)``.

        The server draws it; if it cannot, the picture is of the first frame that comes.

        Args:
            instance: to show.
            side: the longest side, in pixels.

        Raises:
            SegcamError: if the instance has no pixels, or the server fails.
        """
        if not instance.is_image:
            raise SegcamError(f"{instance.uid} has no pictures: it is a report or the like.")
        try:
            picture = self._rendered(instance)
        except CancelledError:
            raise
        except ServerError as error:
            if error.status is None or error.status in (401, 403):
                raise
            picture = Image.fromarray(as_rgb(self._first_frame(instance)))
        picture.thumbnail((side, side))
        return np.asarray(picture.convert("RGB"))

    def fetch(
        self,
        instances: Sequence[FoundInstance],
        folder: Path,
        progress: Callable[[FetchProgress], None] = lambda _progress: None,
    ) -> list[Path]:
        """Fetch files into a folder, as they are stored, and return their paths; those already there are not fetched.

        Args:
            instances: from ``instances`` or ``find``.
            folder: created if it is missing.
            progress: called as bytes come.

        Raises:
            SegcamError: if one cannot be fetched; those before it are there, and the next call goes on.
        """
        return fetch_files(self._session, self.server, instances, folder, progress)

    def stream(self, instance: FoundInstance, folder: Path) -> Iterator[Arrival]:
        """Fetch a cine into a folder, and yield how far it has come; its frames can be read as they come.

        Args:
            instance: from ``instances`` or ``find``.
            folder: created if it is missing.

        Raises:
            SegcamError: if it does not come completely; then no file is kept.
        """
        return stream_cine(self._session, self.server, instance, folder)

    def send(
        self,
        paths: Sequence[Path],
        progress: Callable[[SentFile, int, int], None] = lambda _sent, _done, _total: None,
        *,
        again: bool = False,
    ) -> list[SentFile]:
        """Send DICOM files, and return what became of each; what the server has already is not sent.

        Args:
            paths: of the files.
            progress: called after each file, with how many of how many are done.
            again: send also what the server has already.

        Raises:
            CancelledError: if the user has cancelled; the files before are sent.
        """
        return send_files(self._session, self.server, self._has, paths, progress, again=again)

    def _search(self, filters: dict[str, str], limit: int) -> list[dict[str, Any]]:
        """Return at most so many series, as the server describes them."""
        try:
            return self._asked(self._web.search_for_series, search_filters=filters, fields=_SERIES_FIELDS, limit=limit)
        except ServerError as error:
            if error.status not in _NO_SEARCH_OF_ALL:
                raise
        return self._search_by_study(filters, limit)

    def _search_by_study(self, filters: dict[str, str], limit: int) -> list[dict[str, Any]]:
        """Search for studies, and list the series of each: not every server searches the series of all studies."""
        of_series = {key: value for key, value in filters.items() if key in _SERIES_KEYS}
        of_studies = {key: value for key, value in filters.items() if key not in _SERIES_KEYS}
        studies = self._asked(
            self._web.search_for_studies, search_filters=of_studies, fields=_STUDY_FIELDS, limit=limit
        )
        found: list[dict[str, Any]] = []
        for study in studies:
            uid = text_of(study, _STUDY_UID)
            if len(found) < limit and is_uid(uid):
                described = self._asked(
                    self._web.search_for_series, uid, search_filters=of_series, fields=_SERIES_FIELDS, limit=limit
                )
                found += [{**study, **{tag: value for tag, value in one.items() if value}} for one in described]
        return found[:limit]

    def _has(self, study_uid: str, series_uid: str, uid: str) -> bool:
        """Whether the server has an instance."""
        try:
            answers = self._asked(
                self._web.search_for_instances, study_uid, series_uid, search_filters={"SOPInstanceUID": uid}
            )
        except ServerError as error:
            if error.status == 404:
                return False
            raise
        return any((found := instance_of(answer, study_uid, series_uid)) and found.uid == uid for answer in answers)

    def _asked(self, query: Callable[..., Any], *keys: Any, **options: Any) -> list[dict[str, Any]]:
        """Return the items of an answer in JSON."""
        with self._no_nonsense():
            answers = query(*keys, **{name: value for name, value in options.items() if value is not None})
        for warning in self._session.warnings:
            self._note(warning)
        self._session.warnings.clear()
        if not isinstance(answers, list) or not all(isinstance(answer, dict) for answer in answers):
            raise ServerError(f"{self.server.title} answers something else than a list. Is its URL that of DICOMweb?")
        return answers

    @contextmanager
    def _no_nonsense(self) -> Iterator[None]:
        try:
            yield
        except SegcamError:
            raise
        except (ValueError, RecursionError) as error:  # requests' JSONDecodeError is a ValueError
            raise ServerError(
                f"{self.server.title} answers something else than DICOM in JSON. Is its URL that of DICOMweb?"
            ) from error

    def _rendered(self, instance: FoundInstance) -> Image.Image:
        uids = (instance.study_uid, instance.series_uid, instance.uid)
        media = ("image/jpeg",)
        with self._no_nonsense():
            if instance.frames > 1:
                data = self._web.retrieve_instance_frames_rendered(*uids, [instance.frames // 2 + 1], media_types=media)
            else:
                data = self._web.retrieve_instance_rendered(*uids, media_types=media)
        return picture_of(data, self.server.title)

    def _first_frame(self, instance: FoundInstance) -> Frame:
        with tempfile.TemporaryDirectory(prefix="segcam-pacs-", ignore_cleanup_errors=True) as folder:
            arrivals = stream_cine(self._session, self.server, instance, Path(folder))
            try:
                for arrival in arrivals:
                    if arrival.cine is not None:
                        return arrival.cine[0]
            finally:
                arrivals.close()
        raise ServerError(f"{self.server.title} has no frames of {instance.uid}.")

    def _refuse_none_valid(self, found: Sequence[object]) -> None:
        """Refuse an answer of which nothing is what was asked for, such as an error in JSON."""
        if found and all(one is None for one in found):
            raise ServerError(f"{self.server.title} lists nothing with valid UIDs. Is its URL that of DICOMweb?")

    def _note(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)
