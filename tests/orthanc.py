"""A real PACS for tests: Orthanc with its DICOMweb plugin, on the loopback address, with a store of its own.

In Debian: ``apt install orthanc orthanc-dicomweb``. In a ``conftest.py``: ``from orthanc import pacs``, the fixture.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

_PLUGIN = "libOrthancDicomWeb.so"
_PLUGIN_FOLDERS = ("/usr/share/orthanc/plugins", "/usr/lib/orthanc", "/usr/local/share/orthanc/plugins")
_START_SECONDS = 60
_PROGRAMS = ("Orthanc", "/usr/sbin/Orthanc", "/usr/local/sbin/Orthanc")


class Orthanc:
    """A running Orthanc; what it stores is in ``folder`` and outlives a stop.

    Attributes:
        url: of its DICOMweb services.
        rest_url: of its own interface.
        user, password: what it asks for; empty if it asks for nothing.
    """

    def __init__(self, folder: Path, *, user: str = "", password: str = "", **settings: Any) -> None:
        self.folder = folder
        self.user, self.password = user, password
        self._settings = settings
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.rest_url = f"http://127.0.0.1:{self._port}"
        self.url = f"{self.rest_url}/dicom-web"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        program, plugin = _installed()
        store = self.folder / "store"
        store.mkdir(parents=True, exist_ok=True)
        settings = {
            "Name": "napari-segcam tests",
            "StorageDirectory": str(store),
            "IndexDirectory": str(store),
            "Plugins": [plugin],
            "HttpPort": self._port,
            "RemoteAccessAllowed": False,
            "DicomServerEnabled": False,
            "AuthenticationEnabled": bool(self.user),
            "RegisteredUsers": {self.user: self.password} if self.user else {},
            "SaveJobs": False,
            "DefaultEncoding": "Utf8",  # of its answers
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "EnableWado": False},
            **self._settings,
        }
        path = self.folder / "orthanc.json"
        path.write_text(json.dumps(settings), encoding="utf-8")
        with (self.folder / "orthanc.log").open("ab") as log:
            self._process = subprocess.Popen([program, str(path)], stdout=log, stderr=subprocess.STDOUT)
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end:
            assert self._process.poll() is None, self.log[-2000:]
            with suppress(OSError):
                self.rest("/system")
                return
            time.sleep(0.05)
        raise AssertionError(f"Orthanc did not start in {_START_SECONDS} s: {self.log[-2000:]}")

    def stop(self) -> None:
        """Stop it; what it stores is kept."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
            self._process = None

    def kill(self) -> None:
        """End it at once, as a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def rest(self, path: str, content: bytes | None = None) -> Any:
        """Ask its own interface, such as ``/instances``; with content, POST it."""
        request = urllib.request.Request(f"{self.rest_url}{path}", data=content)
        passwords = urllib.request.HTTPPasswordMgrWithPriorAuth()
        passwords.add_password(None, self.rest_url, self.user, self.password, is_authenticated=bool(self.user))
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPBasicAuthHandler(passwords)
        )
        with opener.open(request, timeout=10) as answer:
            body = answer.read()
        return json.loads(body) if "json" in answer.headers.get("Content-Type", "") else body

    def store(self, path: Path) -> str:
        """Store a DICOM file by its own interface, and return its number of it."""
        return self.rest("/instances", path.read_bytes())["ID"]

    def file_of(self, sop_instance_uid: str) -> bytes:
        """Return a stored file, as it was sent."""
        found = self.rest("/tools/lookup", sop_instance_uid.encode())
        (number,) = [item["ID"] for item in found if item["Type"] == "Instance"]
        return self.rest(f"/instances/{number}/file")

    @property
    def log(self) -> str:
        return (self.folder / "orthanc.log").read_text(encoding="utf-8", errors="replace")


def _installed() -> tuple[str, str]:
    """Return the program and its DICOMweb plugin; skip the test where they are not installed."""
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if program is None:
        pytest.skip("Orthanc is not installed: apt install orthanc orthanc-dicomweb")
    for folder in _PLUGIN_FOLDERS:
        for plugin in sorted(Path(folder).glob(f"{_PLUGIN}*")):
            return program, os.fspath(plugin)
    pytest.skip("Orthanc's DICOMweb plugin is not installed: apt install orthanc-dicomweb")


def free_port() -> int:
    """Return a port of the loopback address that nobody listens to."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def running_orthanc(folder: Path, **options: Any) -> Iterator[Orthanc]:
    """Give a running Orthanc; it ends with the block."""
    server = Orthanc(folder, **options)
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="module")
def pacs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """An empty PACS, the same for all tests of a module."""
    with running_orthanc(tmp_path_factory.mktemp("orthanc")) as server:
        yield server
