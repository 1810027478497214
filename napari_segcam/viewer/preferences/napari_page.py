"""The page of napari's own preferences dialog: it shows our values, and a change there is a change here."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject

from napari_segcam.errors import SegcamError
from napari_segcam.preferences.catalog import Value
from napari_segcam.preferences.napari_page import changed_there, read_agreed, write_agreed
from napari_segcam.preferences.present import in_file
from napari_segcam.viewer.docks import PLUGIN
from napari_segcam.viewer.preferences.preferences_controller import PreferencesController
from napari_segcam.viewer.worker.worker import Job

if TYPE_CHECKING:
    from napari_segcam.viewer.review.session import ReviewSession

_log = logging.getLogger(__name__)


class NapariPage(QObject):
    """Keeps napari's page and the file of preferences alike; the last change counts, wherever it was made.

    Values of the environment are not shown there, since napari would keep them.
    """

    def __init__(self, session: ReviewSession, controller: PreferencesController) -> None:
        super().__init__(controller)
        self._session = session
        self._controller = controller
        self._groups: dict[str, Any] = {}  # by the names of preferences
        self._is_showing = False
        self._place = ""
        try:
            from napari.settings import get_plugin_settings

            settings = get_plugin_settings(PLUGIN)
        except Exception:  # an older napari, a damaged file of napari's: our own dialog remains
            _log.warning("napari shows no page of preferences", exc_info=True)
            return
        self._place = str(settings.config_path)
        for section in type(settings).model_fields:
            group = getattr(settings, section)
            for name in getattr(type(group), "model_fields", ()):
                self._groups[name] = group
                getattr(group.events, name).connect(self._on_napari)
        self._begin()
        controller.changed.connect(self._show)

    def values(self) -> dict[str, Value]:
        """Return what napari's page shows."""
        return {name: getattr(group, name) for name, group in self._groups.items()}

    def _begin(self) -> None:
        """Take over what was changed in napari's dialog while there was no session; then show ours."""
        try:
            self._controller.change(changed_there(self.values(), read_agreed(self._place)))
        except SegcamError:
            _log.warning("A preference in napari's dialog has a value that it cannot have")
        self._show()

    def _on_napari(self, event: Any) -> None:
        name = str(event.type)
        value = getattr(self._groups[name], name)
        if not self._is_showing and value != in_file()[name]:
            try:
                self._controller.change({name: value})
            except SegcamError:  # napari's form has the same limits
                _log.warning("A preference in napari's dialog has a value that it cannot have")

    def _show(self, _names: object = None) -> None:
        """Show the values of the file in napari's page, and note that they agree."""
        wanted = in_file()
        self._is_showing = True
        try:
            for name, group in self._groups.items():
                if getattr(group, name) != wanted[name]:
                    setattr(group, name, wanted[name])
        finally:
            self._is_showing = False
        page, place = self.values(), self._place

        def work() -> Iterator[None]:
            if page != read_agreed(place):
                write_agreed(place, page)
            yield None

        self._session.submit(Job("preferences", "Saving the preferences", work))
