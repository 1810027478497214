"""The log: nothing of a patient gets in, from wherever it comes; several processes; a full life of its file."""

from __future__ import annotations

import logging
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset

from napari_segcam import logs
from napari_segcam.errors import SegcamError
from napari_segcam.imaging.opening import open_cine
from napari_segcam.logs import HIDDEN, last_lines, log_path, start_log, stop_log
from napari_segcam.preferences import present

SECRETS = ("MUELLER", "Erika", "19610917", "MRN-4711", "1.2.826.0.1.99", "oncology_ward")


@pytest.fixture(autouse=True)
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("NAPARI_SEGCAM_LOG_FOLDER", str(tmp_path / "log"))
    stop_log()
    start_log()
    yield
    stop_log()


def written() -> str:
    stop_log()
    return "\n".join(file.read_text("utf-8") for file in log_path().parent.glob("*.log*"))


def within_package(source: str) -> Callable[..., None]:
    """Return a function ``act(log, *values)`` whose code seems to be that of a file of the package."""
    path = str(Path(logs.__file__).parent / "demo.py")
    names: dict[str, Callable[..., None]] = {}
    exec(compile(f"def act(log, *values):\n    {source}", path, "exec"), names)
    return names["act"]


def test_our_own_messages_are_written_with_numbers() -> None:
    logging.getLogger("napari_segcam.explanation").info("not a string of the package %s", 7)
    text = written()
    assert "napari-segcam 0" in text
    assert "logs:" in text
    assert "not a string of the package" not in text


@pytest.mark.parametrize(
    "source",
    [
        'log.error("Cannot read %s", values[0])',
        'log.error(f"Cannot read {values[0]}")',
        "log.error(values[0])",
        'log.error("Cannot read %s", [values[0]])',
        'log.error("Cannot read %s", Path(values[0]))',
        'log.error("Cannot read", extra={"file": values[0]})',
        'log.error("Cannot read", stack_info=True)',
        'log.error("%s", type(values[0], (), {}))',
        'log.error("%s", ValueError(values[0]))',
    ],
)
def test_no_text_of_a_patient_gets_in_with_a_message(source: str) -> None:
    act = within_package(f"from pathlib import Path; {source}")
    for secret in SECRETS:
        act(logging.getLogger("napari_segcam.imaging"), secret)
        logging.getLogger(f"napari_segcam.{secret}").warning("opened %s", secret)
    text = written()
    assert HIDDEN in text
    assert not [secret for secret in SECRETS if secret in text]


def test_no_text_of_a_patient_gets_in_with_an_exception() -> None:
    log = logging.getLogger("napari_segcam.imaging")
    for secret in SECRETS:
        made: type[Exception] = type(secret.replace("-", "_").replace(".", "_"), (SegcamError,), {})
        try:
            try:
                raise FileNotFoundError(2, "no such file", f"/data/{secret}.dcm")
            except OSError as error:
                raise made(f"{secret} is damaged") from error
        except SegcamError:
            log.exception("failed")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.warn(secret, stacklevel=1)
    text = written()
    assert "builtins.FileNotFoundError: <text>" in text
    assert not [secret for secret in SECRETS if secret.replace("-", "_").replace(".", "_") in text or secret in text]


def test_a_damaged_file_of_a_patient_leaves_no_trace_of_her(tmp_path: Path) -> None:
    file = tmp_path / "MUELLER_Erika" / "MRN-4711.dcm"
    file.parent.mkdir()
    data = Dataset()
    data.PatientName, data.PatientBirthDate = "MUELLER^Erika", "19610917"
    file.write_bytes(b"\x00" * 128 + b"DICM" + b"\x10\x00\x10\x00PN\xff\xffMUELLER^Erika 19610917")
    act = within_package('log.exception("%s failed", values[0])')
    try:
        open_cine(file)
        raise AssertionError("the file is not damaged enough")
    except SegcamError as error:
        act(logging.getLogger("napari_segcam.imaging"), error)
    text = written()
    assert "napari_segcam.SegcamError: <text>" in text
    assert "imaging/opening.py:" in text
    assert not [secret for secret in SECRETS if secret in text]
    assert str(tmp_path) not in text


def test_the_preference_says_how_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_SEGCAM_LOG", "error")
    start_log()
    log = logging.getLogger("napari_segcam")
    log.warning("a warning")
    log.error("an error")
    monkeypatch.setenv("NAPARI_SEGCAM_LOG", "off")
    start_log()
    log.error("another")
    text = written()
    assert (text.count(" WARNING "), text.count(" ERROR ")) == (0, 1)


def test_verbose_writes_to_the_terminal_without_texts_too(capsys: pytest.CaptureFixture[str]) -> None:
    start_log(1)
    logging.getLogger("napari_segcam").warning("MUELLER")
    logging.getLogger("napari_segcam").debug("MUELLER")
    shown = capsys.readouterr().err
    assert "napari-segcam 0" in shown
    assert "WARNING" in shown
    assert "DEBUG" not in shown
    assert "MUELLER" not in shown


def test_the_file_is_rotated(monkeypatch: pytest.MonkeyPatch) -> None:
    stop_log()
    monkeypatch.setattr(logs, "_BYTES", 4000)
    start_log()
    for _ in range(300):
        logging.getLogger("napari_segcam").warning("hidden")
    assert last_lines(5)[-1].endswith(HIDDEN)
    assert len(last_lines(5)) == 5
    stop_log()
    files = sorted(log_path().parent.glob("*.log*"))
    assert len([file for file in files if not file.name.startswith(".")]) == 3
    assert all(file.stat().st_size <= 4200 for file in files)


def test_two_processes_have_a_file_each(tmp_path: Path) -> None:
    program = "import logging\nfrom napari_segcam.logs import start_log, log_path\nstart_log()\nprint(log_path().name)"
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == "napari-segcam-2.log"
    stop_log()
    again = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert again.stdout.strip() == "napari-segcam.log"
    assert (tmp_path / "log" / "napari-segcam-2.log").read_text("utf-8")


def test_a_folder_that_cannot_be_written_disturbs_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stop_log()
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("NAPARI_SEGCAM_LOG_FOLDER", str(tmp_path / "file"))
    start_log()
    logging.getLogger("napari_segcam").error("an error")
    assert last_lines() == []


@pytest.mark.parametrize(
    ("template", "args"), [("%(file)s", ({"file": "MUELLER"},)), ("%d", ("MUELLER",)), ("%s %s", ("MUELLER",))]
)
def test_a_message_that_does_not_fit_its_arguments_is_hidden(
    monkeypatch: pytest.MonkeyPatch, template: str, args: tuple[object, ...]
) -> None:
    monkeypatch.setattr(logs, "_literals", lambda _path: frozenset({template}))
    record = logging.LogRecord("napari_segcam", logging.INFO, logs.__file__, 1, template, args, None)
    assert logs.SafeFormatter().format(record).endswith(f": {HIDDEN}")


def test_numbers_enums_and_classes_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_literals", lambda _path: frozenset({"%s %s %s %s"}))
    record = logging.LogRecord("napari_segcam", logging.INFO, logs.__file__, 1, "%s %s %s %s", (), None)
    record.args = (3, 2.5, np.ndarray, "cuda")
    assert logs.SafeFormatter().format(record).endswith("3 2.5 numpy.ndarray cuda")
    assert present.preferences().log == "info"
