"""The one session of each viewer, with its keys and its questions before anything is lost."""

from __future__ import annotations

import logging
import sys
import weakref

from napari.components import ViewerModel
from qtpy.QtCore import QTimer

from napari_segcam.logs import ensure_log, version_of
from napari_segcam.remedies import speak_to
from napari_segcam.viewer.activity.session_activity import SessionActivity
from napari_segcam.viewer.calipers.caliper_mouse import CaliperMouse
from napari_segcam.viewer.calipers.calipers_controller import CalipersController
from napari_segcam.viewer.calipers.kept_measurements import KeptMeasurements
from napari_segcam.viewer.calipers.saving import unsaved_measurements
from napari_segcam.viewer.click.click_controller import ClickController
from napari_segcam.viewer.click.mouse import ClickMouse
from napari_segcam.viewer.comparison.compared_classes import compared_classes
from napari_segcam.viewer.docking.dock_corners import DockCorners
from napari_segcam.viewer.docking.dock_fonts import DockFonts
from napari_segcam.viewer.docking.dock_tabs import DockTabs
from napari_segcam.viewer.docking.focus_ring import FocusRings
from napari_segcam.viewer.docks import COMMANDS, PLUGIN, dock_names, share_names, titles
from napari_segcam.viewer.doubt.doubt_controller import DoubtController
from napari_segcam.viewer.doubt.doubt_pixels import DoubtPixels
from napari_segcam.viewer.dropped_files.file_drops import FileDrops
from napari_segcam.viewer.ensemble.disagreement_pixels import DisagreementPixels
from napari_segcam.viewer.evidence.evidence_controller import EvidenceController
from napari_segcam.viewer.keys import bind_keys
from napari_segcam.viewer.mending.mends import offer_mends
from napari_segcam.viewer.napari_internals.canvas import canvas_of
from napari_segcam.viewer.napari_internals.plugin_menu import add_to_plugin_menu
from napari_segcam.viewer.napari_internals.proxies import without_proxy
from napari_segcam.viewer.overlays.overlays_controller import OverlaysController
from napari_segcam.viewer.pacs.pacs_controller import PacsController
from napari_segcam.viewer.preferences.napari_page import NapariPage
from napari_segcam.viewer.preferences.preferences_controller import PreferencesController
from napari_segcam.viewer.project.project_controller import ProjectController
from napari_segcam.viewer.questions.offers_controller import OffersController
from napari_segcam.viewer.questions.questions_controller import QuestionsController
from napari_segcam.viewer.review.losses import LossGuard
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.second_checkpoint.second_controller import SecondController
from napari_segcam.viewer.second_checkpoint.second_of_project import SecondOfProject
from napari_segcam.viewer.verdicts.blinding_controller import BlindingController
from napari_segcam.viewer.verdicts.verdicts_controller import VerdictsController

_log = logging.getLogger(__name__)
_sessions: weakref.WeakValueDictionary[int, ReviewSession] = weakref.WeakValueDictionary()


def session_of(viewer: ViewerModel) -> ReviewSession:
    """Return the session of a viewer, the same for all of its widgets; it lives as long as one of them."""
    viewer = without_proxy(viewer)
    session = _sessions.get(id(viewer))
    if session is None:
        ensure_log()
        speak_to("window")  # the messages of this process are read there from now on
        _log.info("A session begins: napari %s, Python %d.%d", version_of("napari"), *sys.version_info[:2])
        session = _sessions[id(viewer)] = ReviewSession(viewer)
        canvas = canvas_of(viewer)
        guard = LossGuard(session, None if canvas is None else canvas.window())
        if canvas is not None:
            window = canvas.window()
            DockTabs.begin(window, titles())
            names = [name for title in titles() for name in (title, *dock_names(title))]
            DockFonts.begin(window, names)
            DockCorners.begin(window, names)
            FocusRings.begin(window, names)
            add_to_plugin_menu(PLUGIN, COMMANDS)
        session.reviews.notes.append(compared_classes)
        project = ProjectController(session)  # before the guards of others, and before widgets that follow its settings
        BlindingController(session, project)  # before anything is computed
        VerdictsController(session, project)
        EvidenceController(session)  # children of the session, which ``controller_of`` finds
        ClickMouse(viewer, ClickController(session))
        calipers = CalipersController(session)
        CaliperMouse(session, calipers)
        KeptMeasurements(session, project, calipers)
        guard.other_work.append(unsaved_measurements(session, calipers))
        OverlaysController(session)
        DoubtController(session)
        DoubtPixels(session)
        DisagreementPixels(session)
        SecondOfProject(session, project, SecondController(session))
        QuestionsController(session)
        OffersController(session)
        NapariPage(session, PreferencesController(session))
        SessionActivity(session)
        guard.other_running.append(PacsController(session).sending.in_progress)
        FileDrops(viewer, session)
        offer_mends()
        bind_keys(session)
    QTimer.singleShot(0, lambda: share_names(viewer))  # a widget that asks for its session is docked next
    return session
