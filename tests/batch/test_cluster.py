"""Shared work: the same results bit for bit on any worker, and none lost with a worker."""

from __future__ import annotations

import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from itertools import product
from pathlib import Path

import pytest
import torch
from batches import all_files, write_checkpoint, write_images

import napari_segcam as sc
from napari_segcam.batch.cluster import Cluster
from napari_segcam.batch.image_processing import OutputOptions
from napari_segcam.batch.images import images_of
from napari_segcam.batch.provenance import network_record, versions
from napari_segcam.batch.worker import WorkerSetup, process_in_worker
from napari_segcam.network.source import ModelSource

distributed = pytest.importorskip("distributed")
psutil = pytest.importorskip("psutil")  # which distributed needs

OPTIONS = sc.ExplainOptions(stages=["encoder_5", "decoder_last"])
COUNT = 8


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("checkpoint") / "unet.pth")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    write_images(folder / "data", COUNT, folder / "masks")
    (folder / "data" / "image_3.png").write_bytes(b"no image")
    return folder


@pytest.fixture(scope="module")
def alone(checkpoint: Path, images: Path) -> dict[str, bytes]:
    """The files of a run in this process; three threads sum in another order than one or two."""
    list(sc.run_batch(images / "data", images / "alone", source(checkpoint), OPTIONS, threads=3, **more(images)))
    return all_files(images / "alone")


def source(checkpoint: Path) -> ModelSource:
    return ModelSource(str(checkpoint), device="cpu")


def more(images: Path) -> dict[str, object]:
    return {"truth": images / "masks", "outputs": OutputOptions(overlays=True)}


def worker_processes() -> list[psutil.Process]:
    """The workers that this process has started, by what they say they are."""
    children = psutil.Process().children(recursive=True)
    return [child for child in children if any("spawn_main" in part for part in child.cmdline())]


def kill_a_worker_once(done: threading.Event, killed: list[int]) -> None:
    done.wait(120)
    victim = worker_processes()[0]
    victim.kill()
    killed.append(victim.pid)


@pytest.mark.slow
def test_two_workers_one_of_them_killed_give_the_same_bits(
    checkpoint: Path, images: Path, alone: dict[str, bytes], tmp_path: Path
) -> None:
    begun, killed = threading.Event(), []  # type: ignore[var-annotated]
    killer = threading.Thread(target=kill_a_worker_once, args=(begun, killed))
    killer.start()
    results = []
    for result in sc.run_batch(
        images / "data", tmp_path / "run", source(checkpoint), OPTIONS, threads=3, cluster=Cluster(2), **more(images)
    ):
        results.append(result)
        begun.set()
    killer.join()
    assert killed
    assert len({result.image for result in results}) == COUNT
    assert [result.image for result in results if result.error] == ["image_3.png"]
    assert all_files(tmp_path / "run") == alone
    assert not worker_processes()


@pytest.mark.slow
def test_workers_leave_the_processor_to_each_other_while_they_wait(
    checkpoint: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOMP_SPINCOUNT", "20000000")  # as the command has it for its own threads
    run = sc.run_batch(
        images / "data", tmp_path / "run", source(checkpoint), OPTIONS, num_samples=2, cluster=Cluster(1)
    )
    with closing(run):
        next(run)
        environments = [worker.environ() for worker in worker_processes()]
    assert {environment["GOMP_SPINCOUNT"] for environment in environments} == {"0"}


@pytest.fixture(autouse=True)
def _own_threads() -> Iterator[None]:
    """A worker in this process sets torch's threads for good."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """A scheduler with a worker that stands for another machine."""
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None, protocol="tcp"
    ) as cluster:
        yield cluster.scheduler_address


@pytest.mark.slow
def test_a_scheduler_of_ones_own_gives_the_same_bits(
    scheduler: str,
    checkpoint: Path,
    images: Path,
    alone: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(images)
    cluster = Cluster(scheduler=scheduler)
    relative = ModelSource(os.path.relpath(checkpoint), device="cpu")
    given = {"truth": Path("masks"), "outputs": OutputOptions(overlays=True)}
    list(sc.run_batch("data", tmp_path / "run", relative, OPTIONS, threads=3, cluster=cluster, **given))  # type: ignore[arg-type]
    assert all_files(tmp_path / "run") == alone


@pytest.mark.slow
def test_leaving_early_stops_and_the_rest_follows(
    scheduler: str, checkpoint: Path, images: Path, alone: dict[str, bytes], tmp_path: Path
) -> None:
    given = (images / "data", tmp_path / "run", source(checkpoint), OPTIONS)
    for _ in sc.run_batch(*given, threads=3, cluster=Cluster(scheduler=scheduler), **more(images)):
        break
    assert 0 < len(list((tmp_path / "run" / "images").iterdir())) < COUNT
    list(sc.run_batch(*given, **more(images)))  # alone, with the threads it was begun with
    assert all_files(tmp_path / "run") == alone


def test_cancelling_ends_the_waiting(scheduler: str, checkpoint: Path, images: Path, tmp_path: Path) -> None:
    start = time.monotonic()
    results = sc.run_batch(
        images / "data",
        tmp_path / "run",
        source(checkpoint),
        sc.ExplainOptions(("scorecam",), ["encoder_5"]),  # minutes
        cluster=Cluster(scheduler=scheduler),
        num_samples=1,
        cancelled=lambda: time.monotonic() > start + 1,
    )
    assert list(results) == []
    assert time.monotonic() < start + 30


def answer(port: int, context: ssl.SSLContext | None) -> bytes:
    """Return what a port answers to a client without the keys of the run; nothing if the connection is refused."""
    with (
        suppress(OSError),
        socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
        context.wrap_socket(plain) if context else plain as stream,
    ):
        stream.sendall(b"GET /info/main/workers.html HTTP/1.0\r\n\r\n")
        return bytes(stream.recv(100))
    return b""


def listening() -> set[int]:
    """The ports at which this process and those it has started wait for connections."""
    processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
    found = [one for process in processes for one in process.net_connections("tcp")]
    return {one.laddr.port for one in found if one.status == psutil.CONN_LISTEN}


@pytest.mark.slow
def test_who_has_not_the_keys_of_a_run_gets_no_answer(checkpoint: Path, images: Path, tmp_path: Path) -> None:
    """A client that reaches a worker or the scheduler can have it run anything; it may be another user."""
    other_keys = distributed.security.Security.temporary().get_connection_args("client")["ssl_context"]
    no_keys = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for context in (other_keys, no_keys):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    before = listening()
    run = sc.run_batch(
        images / "data", tmp_path / "run", source(checkpoint), OPTIONS, num_samples=3, cluster=Cluster(1)
    )
    with closing(run):
        next(run)
        ports = listening() - before
        with ThreadPoolExecutor(3 * len(ports)) as pool:  # at once: a port that says nothing takes 5 s
            contexts = (None, no_keys, other_keys)
            answers = list(pool.map(answer, *zip(*product(ports, contexts), strict=True)))
    assert len(ports) >= 3  # of the scheduler, the worker and its nanny
    assert {text[9:12] for text in answers} <= {b"", b"404"}


def test_a_run_without_the_package_for_keys_is_refused(
    checkpoint: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_segcam.optional.find_spec", lambda name: None if name == "cryptography" else name)
    with pytest.raises(sc.SegcamError, match="pip install cryptography"):
        sc.run_batch(images / "data", tmp_path / "run", checkpoint, cluster=Cluster(1))


def test_what_does_not_go_is_said(checkpoint: Path, images: Path, tmp_path: Path) -> None:
    with pytest.raises(sc.SegcamError, match="At least 1 worker"):
        sc.run_batch(images / "data", tmp_path / "run", checkpoint, cluster=Cluster(0))
    network = sc.load_network(checkpoint, "cpu")
    with pytest.raises(sc.SegcamError, match="cannot share a loaded network"):
        sc.run_batch(images / "data", tmp_path / "run", network, cluster=Cluster(2))
    with pytest.raises(sc.SegcamError, match="no Dask scheduler at nowhere"):
        list(sc.run_batch(images / "data", tmp_path / "run", checkpoint, cluster=Cluster(scheduler="nowhere://x")))


@pytest.mark.parametrize(
    ("changed", "said"),
    [({"versions": {"torch": "1.0"}}, "install the same"), ({"network_record": {"sha256": "0"}}, "another network")],
)
def test_a_worker_that_is_not_alike_is_refused(
    checkpoint: Path, images: Path, changed: dict[str, dict[str, str]], said: str
) -> None:
    model = source(checkpoint)
    alike = {"network_record": network_record(model.load()), "versions": versions()}
    job = WorkerSetup(model, OPTIONS, OutputOptions(), None, 1, **(alike | changed))
    with pytest.raises(sc.SegcamError, match=said):
        process_in_worker(job, images_of(images / "data")[0])
