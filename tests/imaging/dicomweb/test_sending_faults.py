"""Sending to servers that refuse, break off or lie: it is known what became of each file, and none is sent twice."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from hostile_server import HostileServer, Request, answer, as_files, certificate, resets, silent_after, tls
from orthanc import Orthanc, free_port
from pydicom import dcmread
from pydicom.uid import generate_uid

from napari_segcam.demo import sample_cine
from napari_segcam.imaging.dicomweb import sending
from napari_segcam.imaging.dicomweb.client import PacsClient
from napari_segcam.imaging.dicomweb.found import FoundInstance
from napari_segcam.imaging.dicomweb.sending import SentFile
from napari_segcam.imaging.dicomweb.servers import Server
from napari_segcam.imaging.dicomweb.watch import CancelledError

UID = str(dcmread(sample_cine(), stop_before_pixels=True).SOPInstanceUID)
FOUND = json.dumps([{"00080018": {"Value": [UID]}}]).encode()
NOTHING = b"[]"

Store = Callable[[socket.socket, Request], None]


def _result(tag: str, reason_tag: str | None = None, reason: int = 0, uid: str = UID) -> bytes:
    item: dict[str, object] = {"00081155": {"vr": "UI", "Value": [uid]}}
    if reason_tag:
        item[reason_tag] = {"vr": "US", "Value": [reason]}
    return json.dumps({tag: {"vr": "SQ", "Value": [item]}}).encode()


STORED = _result("00081199")


def _says(body: bytes, status: str = "200 OK", kind: str = "application/dicom+json") -> Store:
    return lambda connection, _request: connection.sendall(answer(body, kind, status))


@pytest.fixture
def cine(tmp_path: Path) -> Path:
    return Path(shutil.copy(sample_cine(), tmp_path / "cine.dcm"))


def send(
    store: Store, paths: list[Path], *found: bytes, again: bool = False, timeout_s: float = 20
) -> tuple[list[SentFile], int]:
    """Send files to a server that stores like this; its answers to searches follow one another, the last stays.

    Returns:
        what became of the files, and how often one was sent.
    """
    searches = iter(found)
    last = [found[-1]]

    def behave(connection: socket.socket, request: Request) -> None:
        if request.line.startswith("POST"):
            store(connection, request)
        else:
            connection.sendall(answer(next(searches, last[0])))

    with HostileServer(behave) as server, PacsClient(Server("ward", server.url, timeout_s=timeout_s)) as client:
        results = client.send(paths, again=again)
        return results, sum(request.line.startswith("POST") for request in server.requests)


@pytest.mark.parametrize(
    ("store", "found", "state", "words"),
    [
        (_says(STORED), [NOTHING], "stored", ""),
        (_says(_result("00081199", "00081196", 0xB000)), [NOTHING], "stored", "changed some values (B000)"),
        (_says(b"[" + STORED + b"]"), [NOTHING], "stored", ""),
        (_says(_result("00081198", "00081197", 0xA700), "409 Conflict"), [NOTHING], "refused", "no space left (A700)"),
        (_says(_result("00081198", "00081197", 0x0122), "200 OK"), [NOTHING], "refused", "files of this kind (0122)"),
        (_says(_result("00081198", "00081197", 0xC123), "409 Conflict"), [NOTHING], "refused", "understand the file"),
        (_says(_result("00081198", "00081197", 0x7777), "409 Conflict"), [NOTHING], "refused", "number 7777"),
        (_says(_result("00081198"), "409 Conflict"), [NOTHING], "refused", "gives no reason"),
        (_says(b"", "413 Too Large"), [NOTHING], "refused", "too large (413)"),
        (_says(b"", "415 No"), [NOTHING], "refused", "files of this kind (415)"),
        (_says(b"", "401 Unauthorized"), [NOTHING], "refused", "asks for a user and password (401)"),
        (_says(b"", "500 Oops"), [NOTHING], "refused", "failed inside (500)"),
        (_says(b"", "500 Oops"), [NOTHING, FOUND], "stored", "But a search finds it"),
        (_says(b"", "503 Busy"), [NOTHING], "refused", "(503)"),
        (_says(b""), [NOTHING, FOUND], "stored", "does not say whether it has stored the file. But a search finds it"),
        (_says(b"<NativeDicomModel/>", kind="application/dicom+xml"), [NOTHING, FOUND], "stored", "a search finds it"),
        (_says(b"{nonsense"), [NOTHING], "unknown", "A search does not find it"),
        (_says(_result("00081199", uid="1.2.3")), [NOTHING], "unknown", "A search does not find it"),
        (_says(b"<html>", kind="text/html"), [NOTHING], "unknown", "web page"),
        (resets, [NOTHING, FOUND], "stored", "But a search finds it"),
        (resets, [NOTHING], "unknown", "A search does not find it: send it again."),
        (silent_after(), [NOTHING, FOUND], "stored", "silent for 1 s"),
        (silent_after(b"HTTP/1.1 200 OK\r\nContent-"), [NOTHING], "unknown", "silent for 1 s"),
        (_says(b"", "302 Found\r\nLocation: http://example.org/"), [NOTHING], "unknown", "not followed"),
    ],
)
def test_what_became_of_a_file(store: Store, found: list[bytes], state: str, words: str, cine: Path) -> None:
    (result,), posts = send(store, [cine], *found, timeout_s=1 if "silent" in words else 20)
    assert (result.state, result.uid, result.path) == (state, UID, cine)
    assert words in result.reason
    assert "\n" not in result.reason
    assert posts == 1


def test_what_the_server_has_is_not_sent(cine: Path) -> None:
    (result,), posts = send(_says(STORED), [cine], FOUND)
    assert (result.state, posts) == ("present", 0)
    (result,), posts = send(_says(STORED), [cine], FOUND, again=True)
    assert (result.state, posts) == ("stored", 1)


def test_the_file_arrives_as_it_is(cine: Path) -> None:
    received: list[Request] = []

    def store(connection: socket.socket, request: Request) -> None:
        received.append(request)
        connection.sendall(answer(STORED))

    send(store, [cine], NOTHING)
    (request,) = received
    boundary = request.headers["content-type"].partition("boundary=")[2].encode()
    head, content = request.body.split(b"\r\n\r\n", 1)
    assert head == b"--" + boundary + b"\r\nContent-Type: application/dicom"
    assert content == cine.read_bytes() + b"\r\n--" + boundary + b"--\r\n"
    assert request.path == "/dicom-web/studies"


def test_one_refused_file_does_not_keep_the_others(cine: Path, tmp_path: Path) -> None:
    header = dcmread(cine)
    header.SOPInstanceUID = header.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    header.save_as(tmp_path / "other.dcm")
    (tmp_path / "cut.dcm").write_bytes(cine.read_bytes()[:140])

    def store(connection: socket.socket, request: Request) -> None:
        refused = _result("00081198", "00081197", 0xA900, "1.2.3")
        connection.sendall(answer(refused if b"1.2.3\0" in request.body[:2000] else STORED))

    results, _ = send(store, [tmp_path / "other.dcm", tmp_path / "cut.dcm", cine], NOTHING)
    assert [result.state for result in results] == ["refused", "unsent", "stored"]


def test_a_server_that_is_not_there_gets_nothing(cine: Path) -> None:
    with PacsClient(Server("ward", f"http://127.0.0.1:{free_port()}", timeout_s=20)) as client:
        results = client.send([cine, sample_cine()])
    assert [result.state for result in results] == ["unsent", "unsent"]
    assert all("cannot be reached" in result.reason for result in results)


def test_cancel_while_the_server_does_not_read(cine: Path, tmp_path: Path) -> None:
    large = tmp_path / "large.dcm"
    large.write_bytes(cine.read_bytes() + bytes(5 * 10**7))
    stop = [False]

    def behave(connection: socket.socket, request: Request) -> None:
        if request.line.startswith("GET"):
            connection.sendall(answer(NOTHING))
        else:
            stop[0] = True
            silent_after()(connection, request)

    with HostileServer(behave, reads_body=False) as server:
        client = PacsClient(Server("ward", server.url, timeout_s=30), cancelled=lambda: stop[0])
        with client, pytest.raises(CancelledError):
            client.send([large])


@pytest.fixture
def large_cine(tmp_path: Path) -> Path:
    """A cine of 60 MB, more than the buffers of a connection."""
    header = dcmread(sample_cine())
    header.decompress()
    header.PixelData = header.PixelData[: 256 * 320] * 750
    header.NumberOfFrames = 750
    header.SOPInstanceUID = header.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    header.save_as(tmp_path / "large.dcm")
    return tmp_path / "large.dcm"


def test_a_pacs_that_is_killed_while_it_sends(pacs: Orthanc, large_cine: Path, tmp_path: Path) -> None:
    pacs.store(large_cine)
    uid = str(dcmread(large_cine, stop_before_pixels=True).SOPInstanceUID)
    with PacsClient(Server("clinic", pacs.url, timeout_s=5)) as client:
        (instance,) = client.find(uid)
        cine = None
        with pytest.raises(Exception, match=r"PACS clinic (broke|closed)") as failed:  # noqa: PT012
            for arrival in client.stream(instance, tmp_path / "out"):
                cine = arrival.cine or cine
                if cine is not None:
                    assert cine[0].shape == (256, 320)
                    pacs.kill()
        assert cine is not None
        with pytest.raises(Exception, match="is not there: PACS clinic"):
            cine[0]
        assert list((tmp_path / "out").iterdir()) == []
        pacs.start()
        (path,) = client.fetch([instance], tmp_path / "out")
        assert path.read_bytes() == large_cine.read_bytes()
    assert type(failed.value).__name__ == "ServerError"


def test_a_large_file_goes_and_comes_through_tls(large_cine: Path, tmp_path: Path) -> None:
    path, content = certificate(tmp_path, "server"), large_cine.read_bytes()
    uid = str(dcmread(large_cine, stop_before_pixels=True).SOPInstanceUID)

    def behave(connection: socket.socket, request: Request) -> None:
        if request.line.startswith("POST"):
            assert content in request.body
            connection.sendall(answer(_result("00081199", uid=uid)))
        elif "/instances/" in request.path:
            connection.sendall(as_files(content))
        else:
            connection.sendall(answer(NOTHING))

    header = dcmread(large_cine, stop_before_pixels=True)
    instance = FoundInstance(header.StudyInstanceUID, header.SeriesInstanceUID, uid)
    with HostileServer(behave, tls(path)) as server:
        with PacsClient(Server("clinic", server.url)) as client:
            (result,) = client.send([large_cine])
            assert result.state == "unsent"
            assert "not trusted: self" in result.reason
        with PacsClient(Server("clinic", server.url, ca_file=path)) as client:
            (result,) = client.send([large_cine])
            assert result.state == "stored"
            (fetched,) = client.fetch([instance], tmp_path / "out")
            assert fetched.read_bytes() == content


def test_a_pacs_that_is_killed_while_it_receives(
    pacs: Orthanc, large_cine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = sending._Body.read
    left = [10**7]

    def read_and_kill(body: sending._Body, count: int = 1 << 16) -> bytes:
        piece = read(body, count)
        left[0] -= len(piece)
        if left[0] < 0:
            pacs.kill()
        return piece

    with PacsClient(Server("clinic", pacs.url, timeout_s=5)) as client:
        monkeypatch.setattr(sending._Body, "read", read_and_kill)
        (result,) = client.send([large_cine])
        assert result.state == "unknown"
        assert "search for it later" in result.reason
        monkeypatch.setattr(sending._Body, "read", read)
        pacs.start()
        (result,) = client.send([large_cine])
        assert result.state == "stored"
        (path,) = client.fetch(client.find(result.uid), tmp_path / "out")
        assert path.read_bytes() == large_cine.read_bytes()


def test_a_pacs_that_is_killed_between_two_files(pacs: Orthanc, cine: Path, tmp_path: Path) -> None:
    paths = []
    for number in range(3):
        header = dcmread(cine)
        header.SOPInstanceUID = header.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        header.save_as(tmp_path / f"{number}.dcm")
        paths.append(tmp_path / f"{number}.dcm")
    with PacsClient(Server("clinic", pacs.url, timeout_s=5)) as client:
        results = client.send(paths, lambda _sent, done, _total: pacs.kill() if done == 1 else None)
        assert [result.state for result in results] == ["stored", "unsent", "unsent"]
        pacs.start()
        again = client.send(paths)
        assert [result.state for result in again] == ["present", "stored", "stored"]
