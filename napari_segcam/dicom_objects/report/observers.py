"""Who observed: this program, and the reader who judged or edited masks (TID 1002 of PS3.16)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_segcam.dicom_objects.algorithm import MANUFACTURER
from napari_segcam.errors import printable
from napari_segcam.version import __version__

if TYPE_CHECKING:  # it comes with an extra
    from highdicom.sr import ObservationContext

_PROGRAM_UID = "2.25.214463278510387464117962834503316410211"  # names this program as a device, in all its versions
_LONGEST_NAME = 64  # of each group of a person's name


def observation_context(reader: str = "") -> ObservationContext:
    """Return this program as the device that observed, and the reader as the person.

    Args:
        reader: name, as typed; empty where nobody judged or edited a mask, or the name is not known.
    """
    import highdicom.sr as sr
    from pydicom.sr.codedict import codes

    device = sr.ObserverContext(
        codes.DCM.Device,
        sr.DeviceObserverIdentifyingAttributes(
            _PROGRAM_UID, name=MANUFACTURER, manufacturer_name=MANUFACTURER, model_name=f"{MANUFACTURER} {__version__}"
        ),
    )
    if not (name := person_name(reader)):
        return sr.ObservationContext(observer_device_context=device)
    attributes = sr.PersonObserverIdentifyingAttributes(name)
    return sr.ObservationContext(sr.ObserverContext(codes.DCM.Person, attributes), device)


def person_name(typed: str) -> str:
    r"""Return a name as typed as a person's name of DICOM: ``Jane Doe`` becomes ``Jane Doe^``, all in the family name.

    Which word is the family name is not guessed. The characters that have a meaning in such names, ``\ ^ =``, become
    spaces.
    """
    plain = " ".join(printable(typed, keep="\n\t").translate(dict.fromkeys(map(ord, "\\^="), " ")).split())
    return f"{plain[: _LONGEST_NAME - 1].rstrip()}^" if plain else ""
