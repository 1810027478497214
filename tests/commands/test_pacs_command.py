"""The commands ``pacs``, as somebody types them, against a real PACS and without one."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from orthanc import Orthanc, pacs
from pydicom import dcmread

from napari_segcam import cli
from napari_segcam.demo import sample_cine
from napari_segcam.imaging.opening import open_cine

__all__ = ["pacs"]

Run = Callable[..., int]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """``napari-segcam pacs …`` with settings of its own: its exit code."""
    monkeypatch.setenv("NAPARI_SEGCAM_CONFIG", str(tmp_path / "config"))
    for name in ("URL", "USER", "PASSWORD", "TOKEN", "CA", "NAME"):
        monkeypatch.delenv(f"NAPARI_SEGCAM_PACS_{name}", raising=False)

    def run(*arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", ["napari-segcam", "pacs", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0)

    return run


@pytest.mark.parametrize(
    "command", [["search"], ["fetch", "1.2.3"], ["send", sample_cine()]], ids=lambda words: words[0]
)
def test_without_a_server_no_socket_is_opened(
    run: Run, command: list[object], capsys: pytest.CaptureFixture[str]
) -> None:
    opened: list[str] = []
    watched = {"socket.__new__", "socket.connect", "socket.getaddrinfo", "socket.gethostbyname"}
    is_watching = [True]
    sys.addaudithook(lambda event, _values: opened.append(event) if is_watching[0] and event in watched else None)
    assert run(*command) == 2
    is_watching[0] = False
    assert opened == []
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "No server is configured" in error
    assert "napari-segcam pacs add NAME URL" in error


def test_round_trip(run: Run, pacs: Orthanc, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    header = dcmread(sample_cine())
    header.PatientName = "Exempel^Åsa"
    header.save_as(tmp_path / "cine.dcm")
    shutil.copy(tmp_path / "cine.dcm", tmp_path / "sent.dcm")
    assert run("add", "clinic", pacs.url) == 0
    assert run("search", "--patient-name", "Åsa") == 0
    assert "Nothing matches." in capsys.readouterr().out
    assert run("send", tmp_path / "sent.dcm") == 0
    assert "PACS clinic has 1 of 1 files." in capsys.readouterr().out
    assert run("search", "--patient-name", "Åsa", "--json") == 0
    (series,) = json.loads(capsys.readouterr().out)
    assert (series["patient_name"], series["instances"]) == ("Exempel, Åsa", 1)
    for uid in (series["study_uid"], series["series_uid"], str(header.SOPInstanceUID)):
        assert run("fetch", uid, "--out", tmp_path / "fetched") == 0
    (path,) = (tmp_path / "fetched").iterdir()
    assert path.read_bytes() == (tmp_path / "cine.dcm").read_bytes()
    np.testing.assert_array_equal(open_cine(path)[30], open_cine(sample_cine())[30])
    capsys.readouterr()
    assert run("send", tmp_path) == 0  # the folder and its subfolder: three copies of the same instance
    said = capsys.readouterr().out
    assert said.count("present") == 3
    assert said.count("It is the same as") == 2


def test_what_cannot_be_sent_is_said_for_each(
    run: Run, pacs: Orthanc, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("add", "clinic", pacs.url)
    (tmp_path / "notes.txt").write_text("no DICOM")
    shutil.copy(sample_cine(), tmp_path / "cine.dcm")
    capsys.readouterr()
    assert run("send", tmp_path / "notes.txt", tmp_path / "cine.dcm") == 1
    said = capsys.readouterr().out
    assert "unsent" in said
    assert "notes.txt is no DICOM file with UIDs." in said
    assert "has 1 of 2 files" in said


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signal")
def test_ctrl_c_stops_at_once(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:  # it takes the request, and says nothing
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/dicom-web"
        program = "from napari_segcam.cli import main; main()"
        arguments = [
            sys.executable,
            "-c",
            program,
            "pacs",
            "fetch",
            "1.2.3",
            "--server",
            url,
            "--out",
            tmp_path / "out",
        ]
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        listener.settimeout(60)
        connection, _ = listener.accept()
        with connection:
            process.send_signal(signal.SIGINT)
            _, error = process.communicate(timeout=20)
    assert process.returncode == 130
    assert error.splitlines() == ["Stopping …", "Stopped; the same command goes on."]
    assert not (tmp_path / "out").exists()


def test_the_settings_hold_no_password(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("add", "clinic", "https://anna:geheim@pacs.example.org/dicom-web") == 2
    said = capsys.readouterr()
    assert "geheim" not in said.out + said.err
    assert not (tmp_path / "config").exists()
    assert run("add", "clinic", "https://pacs.example.org/dicom-web/", "--user", "anna") == 0
    text = (tmp_path / "config" / "pacs.yaml").read_text()
    assert "url: https://pacs.example.org/dicom-web\n" in text
    (tmp_path / "config" / "pacs.yaml").write_text(text + "    password: geheim\n")
    capsys.readouterr()
    assert run("servers") == 2
    error = capsys.readouterr().err
    assert "holds a password of clinic" in error
    assert "geheim" not in error


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["add", "clinic", "http://pacs.example.org/x"], "Use https"),
        (["add", "clinic", "ftp://pacs.example.org"], "no URL of a server"),
        (["add", "clinic", "https://pacs.example.org/x?y=1"], "must end before"),
        (["add", "my clinic", "https://pacs.example.org"], "cannot be named"),
        (["add", "clinic", "https://pacs.example.org", "--ca", "nothere.pem"], "no certificate file"),
        (["search", "--server", "nowhere"], "There is no server nowhere"),
        (["search", "--server", "http://127.0.0.1:9", "--date", "31.1.2026"], "is no date"),
        (["search", "--server", "http://127.0.0.1:9", "--date", "2026-02-01..2026-01-01"], "no range of dates"),
        (["search", "--server", "http://127.0.0.1:9", "--patient-id", "a\\b"], "backslash"),
        (["search", "--server", "http://127.0.0.1:9", "--study", "../x"], "is no UID"),
        (["search", "--server", "http://127.0.0.1:9"], "cannot be reached"),
        (["fetch", "--server", "http://127.0.0.1:9"], "Say what to fetch"),
        (["fetch", "1.2.3", "--server", "http://127.0.0.1:9", "--out", str(sample_cine())], "is a file"),
        (["send", "nothere.dcm", "--server", "http://127.0.0.1:9"], "There is no file or folder"),
        (["logout", "nowhere"], "There is no server"),
    ],
)
def test_wrong_arguments_are_one_line(
    run: Run, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
