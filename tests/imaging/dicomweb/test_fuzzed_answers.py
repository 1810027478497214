"""Answers with random damage: they are read, or give our own error, in time."""

from __future__ import annotations

import json
import random
import socket
from pathlib import Path

from hostile_server import HostileServer, Request, answer, as_files

from napari_segcam.demo import sample_cine
from napari_segcam.errors import SegcamError
from napari_segcam.imaging.dicomweb.client import PacsClient
from napari_segcam.imaging.dicomweb.found import FoundInstance, FoundSeries, instance_of, series_of
from napari_segcam.imaging.dicomweb.servers import Server

_TAGS = ("0020000D", "0020000E", "00080018", "00080020", "00080030", "00100010", "00100020", "00200011", "00280008")
_ODD = [None, True, 1, -1, 1e400, float("nan"), 2**70, "", "x", "1.2", "20260131", "\0\x1b[2J", "\ud800", [], {}, [[]],
        [None], ["1.2"], [1], [1e30], [{"Alphabetic": 1}], [{"Alphabetic": "A^B"}], {"Value": [1]}]  # fmt: skip


def test_odd_values_are_read_or_left_out() -> None:
    random.seed(5)
    read = 0
    for _ in range(3000):
        item = {
            tag: random.choice([{"Value": random.choice(_ODD)}, {"Value": ["1.2.3"]}, random.choice(_ODD)])
            for tag in _TAGS
        }
        for found in (series_of(item), instance_of(item)):
            read += found is not None
            if isinstance(found, FoundSeries):
                assert f"{found.patient_name}{found.patient_id}{found.date}".isprintable()
            if isinstance(found, FoundInstance):
                assert found.frames >= 1
    assert read > 100


def test_damaged_answers_are_our_own_errors(tmp_path: Path) -> None:
    random.seed(6)
    listed = {tag: {"vr": "UI", "Value": ["1.2.3"]} for tag in _TAGS}
    whole = {"series": answer(json.dumps([listed]).encode()), "file": as_files(sample_cine().read_bytes()[:200000])}
    failed = {"series": 0, "file": 0}

    def damaged(data: bytes) -> bytes:
        changed = bytearray(data)
        for _ in range(random.randint(1, 6)):
            place = random.randrange(min(len(changed), 2500))
            match random.randrange(4):
                case 0:
                    changed[place] = random.randrange(256)
                case 1:
                    del changed[place : place + random.randint(1, 40)]
                case 2:
                    changed[place:place] = random.randbytes(random.randint(1, 40))
                case _:
                    changed[place:] = changed[place:][: random.randrange(len(changed))]
        return bytes(changed)

    def behave(connection: socket.socket, request: Request) -> None:
        connection.sendall(damaged(whole["file" if "/instances/" in request.path else "series"]))

    instance = FoundInstance("1.2.3", "1.2.3", "1.2.3")
    with HostileServer(behave) as server:
        for _ in range(60):
            with PacsClient(Server("ward", server.url, timeout_s=0.3)) as client:
                try:
                    client.search()
                except SegcamError:
                    failed["series"] += 1
                try:
                    client.fetch([instance], tmp_path / "out")
                except SegcamError:
                    failed["file"] += 1
    assert failed["series"] > 10
    assert failed["file"] == 60  # the file is of another instance
    assert list((tmp_path / "out").iterdir()) == []
