"""Servers that fail in every way: one line in words, in time, and nothing half-written is left."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import logging
import re
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hostile_server import (
    BOUNDARY,
    Behavior,
    HostileServer,
    answer,
    as_files,
    certificate,
    endless,
    multipart,
    resets,
    says,
    says_json,
    silent_after,
    tls,
    trickles,
)
from orthanc import free_port
from pydicom import dcmread

from napari_segcam.demo import sample_cine
from napari_segcam.errors import LONGEST, SegcamError
from napari_segcam.imaging.dicomweb import fetching, transport, writing
from napari_segcam.imaging.dicomweb.client import PacsClient
from napari_segcam.imaging.dicomweb.found import FoundInstance
from napari_segcam.imaging.dicomweb.servers import Server
from napari_segcam.imaging.dicomweb.watch import CancelledError

TIMEOUT_S = 1.0
PATIENT_S = 20.0
CINE = sample_cine().read_bytes()
_HEADER = dcmread(sample_cine(), stop_before_pixels=True)
INSTANCE = FoundInstance(
    _HEADER.StudyInstanceUID, _HEADER.SeriesInstanceUID, _HEADER.SOPInstanceUID, frames=60, rows=256, columns=320
)
OTHER = FoundInstance("1.2.3", "1.2.4", "1.2.5")
FILES = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'
SECRET = "s3cr3t-of-anna"

Operation = Callable[[PacsClient, Path], object]


def search(client: PacsClient, _folder: Path) -> object:
    return client.search(patient_id="A1")


def instances(client: PacsClient, _folder: Path) -> object:
    from napari_segcam.imaging.dicomweb.found import FoundSeries

    return client.instances(FoundSeries(INSTANCE.study_uid, INSTANCE.series_uid))


def fetch(client: PacsClient, folder: Path) -> object:
    return client.fetch([INSTANCE], folder)


def stream(client: PacsClient, folder: Path) -> object:
    return list(client.stream(INSTANCE, folder))


def thumbnail(client: PacsClient, _folder: Path) -> object:
    return client.thumbnail(INSTANCE)


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_SEGCAM_PACS_PASSWORD_WARD", SECRET)


@contextmanager
def client_of(url: str, ca_file: Path | None = None, timeout_s: float = PATIENT_S) -> Iterator[PacsClient]:
    server = Server("ward", url, user="anna", ca_file=ca_file, timeout_s=timeout_s)
    with PacsClient(server) as client:
        yield client


def fails(operation: Operation, url: str, folder: Path, words: str, ca_file: Path | None = None) -> str:
    """Run an operation that must fail, and return its message."""
    out = folder / "out"
    before = {thread.ident for thread in threading.enumerate() if thread.name != "hostile server"}
    start = time.monotonic()
    timeout_s = TIMEOUT_S if re.search("silent|slow", words) else PATIENT_S
    with pytest.raises(SegcamError, match=words) as failed, client_of(url, ca_file, timeout_s) as client:
        operation(client, out)
    assert time.monotonic() - start < 10
    message = str(failed.value)
    assert "PACS ward" in message
    assert len(message) <= LONGEST
    assert "\n" not in message
    assert SECRET not in message
    for python in ("Error", "Exception", "Pool", "object at", "urllib3", "[Errno", "('", "None"):
        assert python not in message, message
    assert [path for path in out.rglob("*") if path.is_file()] == []
    after = {thread.ident for thread in threading.enumerate() if thread.name != "hostile server"}
    assert after <= before
    return message


ANY = [search, instances, fetch, stream, thumbnail]
FILE = [fetch, stream]
LIST = [search, instances]

FAULTS: list[tuple[str, Behavior, list[Operation], str]] = [
    ("breaks the connection", resets, ANY, "broke the connection|closed the connection"),
    ("closes without an answer", says(b""), ANY, "without an answer"),
    ("is silent", silent_after(), ANY, "silent for 1 s"),
    ("is silent in its headers", silent_after(b"HTTP/1.1 200 OK\r\nContent-Ty"), ANY, "silent for 1 s"),
    ("is silent in its list", silent_after(answer(b'[{"0020', length=1000)), LIST, "silent for 1 s"),
    ("is silent in a file", silent_after(as_files(CINE)[:500000]), FILE, "silent for 1 s"),
    ("trickles its headers", trickles(answer(b"[]", "a" * 1000)), ANY, "too slow"),
    ("trickles its list", trickles(answer(b"[" + b" " * 1000), 100), LIST, "too slow"),
    ("trickles a file", trickles(as_files(CINE), 100000), FILE, "too slow"),
    ("400", says(answer(status="400 Bad Request")), [search, *FILE], r"\(400\)"),
    ("401", says(answer(status="401 Unauthorized")), ANY, r"does not accept the password \(401\).*pacs login ward"),
    ("403", says(answer(status="403 Forbidden")), ANY, r"does not allow this.*\(403\)"),
    ("404", says(answer(status="404 Not Found")), ANY, r"nothing there \(404\)"),
    ("406", says(answer(status="406 Not Acceptable")), FILE, r"\(406\)"),
    ("407", says(answer(status="407 Proxy Authentication Required")), ANY, "proxy"),
    ("418", says(answer(status="418 I'm a teapot")), ANY, "the status 418"),
    ("500", says(answer(b"Traceback: secret", "text/plain", "500 Oops")), ANY, r"failed inside \(500\)"),
    ("503", says(answer(status="503 Busy")), ANY, r"\(503\).*later"),
    ("no HTTP", says(b"SSH-2.0-OpenSSH_9.2\r\n"), ANY, "not answer as a web server|cut short"),
    ("a status of letters", says(b"HTTP/1.1 abc OK\r\n\r\n"), ANY, "not answer as a web server"),
    ("headers without end", endless(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n" * 100), ANY, "not answer as a web server"),
    ("a header without end", endless(b"HTTP/1.1 200 OK\r\nX-A: ", b"b" * 9999), ANY, "not answer as a web server"),
    ("continues for ever", trickles(b"HTTP/1.1 100 Continue\r\n\r\n" * 200, 500), ANY, "too slow"),
    ("cut by its length", says(answer(b'[{"0020', length=99)), LIST, "cut short"),
    ("a file cut by its length", says(as_files(CINE)[:-5000]), FILE, "cut short"),
    ("a file without its end", says(answer(multipart(CINE, end=""), FILES)), FILE, "cut short"),
    ("a file cut in its pieces", says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: "
     + FILES.encode() + b"\r\n\r\n3E8\r\n" + multipart(CINE)[:700]), FILE, "cut short"),
    ("another boundary", says(answer(multipart(CINE, boundary="x"), FILES)), FILE, "not where it says"),
    ("no boundary", says(answer(multipart(CINE), "multipart/related")), FILE, "instead of a DICOM file"),
    ("a page to log in", says(answer(b"<html>Log in</html>", "text/html; charset=utf-8")), ANY, "web page instead"),
    ("JSON instead of a file", says_json([{"a": 1}]), FILE, "instead of a DICOM file"),
    ("text instead of a file", says(answer(multipart(b"Nothing here. " * 50), FILES)), FILE, "no DICOM file"),
    ("no content in a file", says(answer(multipart(b""), FILES)), FILE, "no DICOM file"),
    ("no part at all", says(answer(f"--{BOUNDARY}--\r\n".encode(), FILES)), FILE, "without any content|cut short"),
    ("no list", says(answer(b"[{", "application/dicom+json")), LIST, "something else than DICOM in JSON"),
    ("an error in JSON", says_json({"error": "x"}), LIST, "nothing with valid UIDs"),
    ("a list of numbers", says_json([1, 2]), LIST, "something else than a list"),
    ("a text in JSON", says_json("hello"), LIST, "something else than a list"),
    ("elements of another kind", says_json([{"0020000D": 1, "0020000E": {"Value": [{"a": []}]}}]), LIST, "valid UIDs"),
    ("lists in lists", says(answer(b"[" * 200000)), LIST, "something else than DICOM in JSON"),
    ("numbers without end", says(answer(b"[" + b"9" * 100000 + b"]")), LIST, "something else"),
    ("a length of a petabyte", says(answer(b"[", length=10**15)), LIST, "more than"),
    ("a file of a petabyte", says(answer(b"-", FILES, length=10**15)), FILE, "more than"),
    ("a list without end", endless(b"HTTP/1.1 200 OK\r\n\r\n[", b"1, " * 9999), LIST, "more than"),
    ("a file without end", endless(b"HTTP/1.1 200 OK\r\nContent-Type: " + FILES.encode() + b"\r\n\r\n"
     + multipart(CINE)[:-50], b"\0" * 9999), FILE, "more than"),
    ("compressed", says(answer(gzip.compress(b"[" + b" " * 10**7), "application/json", "200 OK",
     "Content-Encoding: gzip")), ANY, "compresses its answer"),
    ("to another host", says(answer(b"", "a/b", "302 Found", "Location: http://example.org/x")), ANY,
     "redirects to http://example.org.*not followed"),
    ("to no place", says(answer(b"", "a/b", "302 Found", "Location: http://[::1/x")), ANY, "redirects to"),
    ("to itself", says(answer(b"", "a/b", "307 Again", "Location: /dicom-web/x")), ANY, "in a circle"),
    ("from the loopback address to TLS", says(answer(b"", "a/b", "301 Moved", "Location: https://127.0.0.1/")), ANY,
     "not followed"),
    ("nothing of a file", says(answer(status="204 No Content")), FILE, "nothing of"),
    ("another instance", says(as_files(CINE)), [lambda client, folder: client.fetch([OTHER], folder)],
     "something else than was asked for"),
    ("the same file twice", says(as_files(CINE, CINE)), FILE, "more than the one file"),
    ("no picture", says(answer(b"\xff\xd8\xff\xe0 no JPEG", "image/jpeg")), [thumbnail], "image/jpeg instead"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("behavior", "operation", "words"),
    [
        pytest.param(
            behavior, operation, words, id=f"{name}-{getattr(operation, '__name__', 'fetch')}".replace(" ", "_")
        )
        for name, behavior, operations, words in FAULTS
        for operation in operations
    ],
)
def test_a_fault_is_one_line(
    behavior: Behavior, operation: Operation, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "ANSWER_BYTES", 10**6)
    monkeypatch.setattr(fetching, "FILE_BYTES", 4 * 10**6)
    with HostileServer(behavior) as server:
        fails(operation, server.url, tmp_path, words)


@pytest.mark.parametrize("operation", ANY)
def test_nobody_listens(operation: Operation, tmp_path: Path) -> None:
    fails(operation, f"http://127.0.0.1:{free_port()}/dicom-web", tmp_path, "cannot be reached.*refused")


def test_an_unknown_host(tmp_path: Path) -> None:
    fails(search, "https://no-such-host.invalid/dicom-web", tmp_path, "not known by its name")


@pytest.mark.parametrize(
    ("host", "days", "words"),
    [
        ("127.0.0.1", (-1, 30), "not trusted: self.signed certificate"),
        ("127.0.0.1", (-30, -1), "not trusted: certificate has expired"),
        ("127.0.0.1", (1, 30), "not trusted: certificate is not yet valid"),
        ("other.example.org", (-1, 30), "not trusted: .*mismatch"),
    ],
)
def test_a_certificate_that_is_not_to_be_trusted(host: str, days: tuple[int, int], words: str, tmp_path: Path) -> None:
    path = certificate(tmp_path, "server", host=host, days=days)
    with HostileServer(says_json([]), tls(path)) as server:
        fails(search, server.url, tmp_path, words, None if "self" in words else path)
        assert server.requests == []


def test_a_certificate_that_the_user_names(tmp_path: Path) -> None:
    path = certificate(tmp_path, "server")
    with HostileServer(says_json([]), tls(path)) as server, client_of(server.url, path) as client:
        assert client.search() == []
    with HostileServer(silent_after(), tls(path)) as server:
        fails(search, server.url, tmp_path, "silent", path)
    with HostileServer(says(as_files(CINE)), tls(path)) as server, client_of(server.url, path) as client:
        (fetched,) = client.fetch([INSTANCE], tmp_path / "out")
        assert fetched.read_bytes() == CINE


def test_tls_where_there_is_none(tmp_path: Path) -> None:
    with HostileServer(says_json([])) as server:
        fails(search, server.url.replace("http:", "https:"), tmp_path, "No safe connection|silent")
    path = certificate(tmp_path, "server")
    with HostileServer(says_json([]), tls(path)) as server:
        fails(search, server.url.replace("https:", "http:"), tmp_path, "without an answer|broke the connection")


def test_a_certificate_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    fails(
        search,
        "https://127.0.0.1:9/dicom-web",
        tmp_path,
        "holds no certificate in PEM",
        tmp_path / "ca.pem",
    )


def test_the_environment_has_no_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with HostileServer(says_json([])) as proxy, HostileServer(says_json([])) as server:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("no_proxy", "")
        (tmp_path / ".netrc").write_text("machine 127.0.0.1 login eve password other\n")
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
        with client_of(server.url) as client:
            assert client.search() == []
        assert proxy.requests == []
        assert server.requests[0].headers["authorization"].startswith("Basic YW5uYTpzM2NyM3Q")
        assert server.requests[0].headers["host"] == f"127.0.0.1:{server.port}"


def test_a_proxy_is_used_where_the_settings_name_one() -> None:
    with HostileServer(says_json([])) as proxy:
        server = Server("ward", "http://127.0.0.1:9/dicom-web", proxy=f"http://127.0.0.1:{proxy.port}")
        with PacsClient(server) as client:
            assert client.search() == []
        assert proxy.requests[0].path.startswith("http://127.0.0.1:9/dicom-web/series")


def test_a_server_at_an_address_of_version_6(tmp_path: Path) -> None:
    try:
        listening = HostileServer(says(as_files(CINE)), address="::1")
    except OSError:
        pytest.skip("this computer has no IPv6")
    with listening as server, client_of(server.url) as client:
        (path,) = client.fetch([INSTANCE], tmp_path)
        assert path.read_bytes() == CINE
        assert server.requests[0].headers["host"] == f"[::1]:{server.port}"


def test_no_log_holds_the_password(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    caplog.set_level(logging.DEBUG)
    for behavior in (says_json([]), says(answer(status="401 Unauthorized")), resets, says(as_files(CINE)[:50000])):
        with HostileServer(behavior) as server, client_of(server.url) as client:
            for operation in (search, fetch):
                with contextlib.suppress(SegcamError):
                    operation(client, tmp_path / "out")
            assert len(server.requests) >= 2
            assert SECRET not in repr((client, vars(client), client.server))
    encoded = base64.b64encode(f"anna:{SECRET}".encode()).decode()
    assert caplog.text
    assert SECRET not in caplog.text
    assert encoded not in caplog.text


def test_the_password_does_not_leave_the_server(tmp_path: Path) -> None:
    with HostileServer(says_json([])) as other:
        place = f"Location: http://127.0.0.1:{other.port}/dicom-web/series"
        with HostileServer(says(answer(b"", "a/b", "302 Found", place))) as server:
            fails(search, server.url, tmp_path, "not followed")
        assert other.requests == []


def test_a_redirect_within_the_server_is_followed() -> None:
    def behave(connection: socket.socket, request: object) -> None:
        moved = "/new/" in request.path  # type: ignore[attr-defined]
        connection.sendall(answer(b"[]") if moved else answer(b"", "a/b", "301 Moved", "Location: /new/series"))

    with HostileServer(behave) as server, client_of(server.url) as client:
        assert client.search() == []
        assert [request.path.partition("?")[0] for request in server.requests] == ["/dicom-web/series", "/new/series"]


def test_uids_that_are_paths_are_left_out(tmp_path: Path) -> None:
    good = {"0020000D": {"Value": ["1.2"]}, "0020000E": {"Value": ["1.3"]}}
    listed = [{**good, "0020000E": {"Value": [uid]}} for uid in ("../../etc", "1.2/3", "", "1.2\0", "a", "1" * 65)]
    with HostileServer(says_json([*listed, good])) as server, client_of(server.url) as client:
        (series,) = client.search()
        assert series.series_uid == "1.3"
        assert client.notes == ["PACS ward lists a series without a valid UID: it is left out."]
    with HostileServer(says_json(listed)) as server:
        fails(search, server.url, tmp_path, "valid UIDs")


def test_other_patients_are_left_out() -> None:
    def one(patient: str, date: str, modality: str) -> dict[str, object]:
        values = {"0020000D": "1.2", "0020000E": f"1.3.{len(patient + date + modality)}", "00100020": patient}
        return {tag: {"Value": [value]} for tag, value in (values | {"00080020": date, "00080060": modality}).items()}

    listed = [one("A1", "20260131", "US"), one("A123", "20260131", "US"), one("A1", "20260131", "CT1")]
    with HostileServer(says_json(listed)) as server, client_of(server.url) as client:
        assert [series.patient_id for series in client.search(patient_id="a1", modality="us", date="2026")] == ["A1"]
        assert "were not searched for" in client.notes[0]


def test_a_server_that_searches_studies_only() -> None:
    def item(**values: str) -> dict[str, object]:
        tags = {
            "study": "0020000D",
            "series": "0020000E",
            "patient": "00100020",
            "text": "0008103E",
            "modality": "00080060",
        }
        return {tags[name]: {"Value": [value]} for name, value in values.items()}

    series = {
        "1.1": [item(series="1.1.1", modality="US", text="Sweep"), item(series="1.1.2", modality="SEG", text="Masks")],
        "1.2": [item(series="1.2.1", modality="US", text="Sweep")],
    }

    def behave(connection: socket.socket, request: object) -> None:
        path, _, query = request.path.removeprefix("/dicom-web/").partition("?")  # type: ignore[attr-defined]
        if path == "series":
            connection.sendall(answer(status="404 Not Found"))
        elif path == "studies":
            assert "Modality=" not in query
            studies = [item(study=uid, patient="A1") for uid in series]
            connection.sendall(answer(json.dumps(studies).encode()))
        else:
            assert "PatientID=" not in query
            of_study = [one for one in series[path.split("/")[1]] if "Modality=US" not in query or "US" in str(one)]
            connection.sendall(answer(json.dumps(of_study).encode()))

    with HostileServer(behave) as server, client_of(server.url) as client:
        found = client.search(patient_id="A1", modality="US")
        assert {(one.study_uid, one.series_uid) for one in found} == {("1.1", "1.1.1"), ("1.2", "1.2.1")}
        assert {(one.patient_id, one.series_description) for one in found} == {("A1", "Sweep")}
        assert len(client.search(patient_id="A1")) == 3


@pytest.mark.parametrize("operation", FILE)
def test_a_full_disk(operation: Operation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(writing.shutil, "disk_usage", lambda _folder: usage._replace(free=1000))
    with (
        HostileServer(says(as_files(CINE))) as server,
        client_of(server.url) as client,
        pytest.raises(SegcamError, match="Hardly any space is left"),
    ):
        operation(client, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = writing.path_of(INSTANCE, tmp_path)
    path.write_bytes(b"something of the user")
    with HostileServer(says(as_files(CINE))) as server, client_of(server.url) as client:
        with pytest.raises(SegcamError, match="something else: it is not overwritten"):
            client.fetch([INSTANCE], tmp_path)
        assert server.requests == []
    assert path.read_bytes() == b"something of the user"


@pytest.mark.parametrize(
    ("behavior", "operation"),
    [
        (silent_after(), search),
        (silent_after(b"HTTP/1.1 200 OK\r\nContent"), fetch),
        (silent_after(as_files(CINE)[:300000]), fetch),
        (silent_after(as_files(CINE)[:300000]), stream),
        (endless(b"HTTP/1.1 200 OK\r\n\r\n[", b" " * 9999), search),
    ],
    ids=["before_the_answer", "in_the_headers", "in_a_file", "in_a_stream", "in_a_flood"],
)
def test_cancel_works_within_a_second(
    behavior: Behavior, operation: Operation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "ANSWER_BYTES", 2**40)
    stop = threading.Event()
    with HostileServer(behavior) as server:
        settings = Server("ward", server.url, user="anna", timeout_s=30)
        with PacsClient(settings, cancelled=stop.is_set) as client:
            threading.Timer(0.3, stop.set).start()
            start = time.monotonic()
            with pytest.raises(CancelledError):
                operation(client, tmp_path / "out")
            assert time.monotonic() - start < 1.3
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == []


def test_a_search_is_json_of_the_answer() -> None:
    """The other side of all this: a plain answer is read."""
    with HostileServer(says(answer(json.dumps([]).encode()))) as server, client_of(server.url) as client:
        assert client.search(patient_name="A B*") == []
        assert "PatientName=A%20B*" in server.requests[0].path
