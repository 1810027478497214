"""The cluster: images processed by several processes, on this machine or on others, with Dask."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Empty, Queue
from typing import TYPE_CHECKING

from napari_segcam.batch.image_processing import ProcessedImage
from napari_segcam.batch.images import BatchImage
from napari_segcam.batch.worker import WorkerSetup, process_in_worker
from napari_segcam.errors import SegcamError, error_text
from napari_segcam.optional import needed
from napari_segcam.tuning.openmp import passive_waiting

if TYPE_CHECKING:
    from distributed import Client, Future

_TIMEOUT = 30  # seconds, for a scheduler to answer and its first worker to appear
_QUEUED = 2  # images that each worker has, so that it never waits for the next one
_POLL = 0.2  # seconds between two checks whether to stop


@dataclass(frozen=True)
class Cluster:
    """The processes that share the work.

    Attributes:
        workers: processes to start on this machine; not used if there is a scheduler.
        scheduler: address of a Dask scheduler, ``tcp://HOST:PORT``. Its workers must find the images, masks and
            checkpoint at the same paths, and have the same packages. Empty for none.
    """

    workers: int = 1
    scheduler: str = ""

    def check(self) -> None:
        """Check the cluster before anything takes long.

        Raises:
            SegcamError: if a package is missing, or the number of workers is below 1.
        """
        needed("distributed", "The work is to be shared")
        if not self.scheduler:
            needed("cryptography", "The work is to be shared among processes with keys")
        if self.workers < 1:
            raise SegcamError(f"At least 1 worker is needed, not {self.workers}.")


def processed_on(
    cluster: Cluster, setup: WorkerSetup, images: Sequence[BatchImage], cancelled: Callable[[], bool] = lambda: False
) -> Iterator[tuple[BatchImage, ProcessedImage]]:
    """Give each image with its results as it is finished. If a worker is lost, another takes over its images.

    Args:
        cluster: the processes that do the work.
        setup: of the workers.
        images: to be processed.
        cancelled: asked regularly whether to stop.

    Raises:
        SegcamError: if the cluster cannot be reached, or its workers cannot do the work.
    """
    setup = replace(setup, model=setup.model.anywhere())
    remaining = iter(images)
    with ExitStack() as stack:
        client = _client(cluster, setup.threads, stack)
        submitted: dict[Future, BatchImage] = {}
        finished: Queue[Future] = Queue()
        stack.callback(lambda: client.cancel(list(submitted)))
        while not cancelled():
            while (
                len(submitted) < _QUEUED * max(1, len(client.nthreads()))
                and (image := next(remaining, None)) is not None
            ):
                future = client.submit(_on_worker, setup, _with_absolute_paths(image), pure=False)
                submitted[future] = image
                future.add_done_callback(finished.put)
            if not submitted:
                return
            with suppress(Empty):
                future = finished.get(timeout=_POLL)
                yield submitted.pop(future), _result(future)
                future.release()


def _on_worker(setup: WorkerSetup, image: BatchImage) -> ProcessedImage:
    from distributed import get_worker

    name = get_worker().name  # a number if the worker was started by this run
    return process_in_worker(setup, image, name if isinstance(name, int) else 0)


def _result(future: Future) -> ProcessedImage:
    from distributed import CancelledError
    from distributed.scheduler import KilledWorker

    try:
        return future.result()
    except SegcamError:
        raise
    except KilledWorker:
        return ProcessedImage(
            error="The processes that worked on it ended before they finished, perhaps because memory ran out."
        )
    except CancelledError as error:
        raise SegcamError("The connection to the scheduler is lost. The same command resumes the run.") from error
    except Exception as error:  # a worker without this package, for example
        raise SegcamError(f"The workers cannot do this work: {type(error).__name__}: {error_text(error)}.") from error


def _client(cluster: Cluster, threads: int, stack: ExitStack) -> Client:
    from distributed import Client, LocalCluster
    from distributed.security import Security

    if not cluster.scheduler:
        with _worker_environment(threads), _interrupts_ignored():
            local = LocalCluster(
                # These processes run whatever a client sends them: only clients with the keys of this run can connect.
                protocol="tls://",
                security=Security.temporary(),
                n_workers=cluster.workers,
                threads_per_worker=1,
                processes=True,
                scheduler_kwargs={
                    "dashboard": False,
                    "dashboard_address": "127.0.0.1:0",
                },  # a free port
                memory_limit=0,  # as much as a single process may take
                silence_logs=logging.CRITICAL,
            )
        stack.enter_context(local)
        return stack.enter_context(Client(local, set_as_default=False))
    try:
        client = stack.enter_context(Client(cluster.scheduler, timeout=_TIMEOUT, set_as_default=False))
    except (OSError, ValueError) as error:  # TimeoutError is an OSError
        raise SegcamError(f"There is no Dask scheduler at {cluster.scheduler}: give tcp://HOST:PORT.") from error
    try:
        client.wait_for_workers(1, timeout=_TIMEOUT)
    except TimeoutError as error:
        raise SegcamError(f"The scheduler {cluster.scheduler} has no worker. Start some with: dask worker.") from error
    return client


@contextmanager
def _worker_environment(threads: int) -> Iterator[None]:
    """Set the environment variables of the processes that are started meanwhile.

    Threads that spin while they wait would take the processor from the other workers.
    """
    import dask

    count = str(threads)
    environment = {
        "OMP_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": count,
        "OMP_WAIT_POLICY": "PASSIVE",
        "GOMP_SPINCOUNT": "0",  # overrides the policy; the replacement of a lost worker would inherit this process's
    }
    settings = {
        "distributed.nanny.pre-spawn-environ": environment,
        # Status pages, which nobody looks at and which need no key.
        "distributed.scheduler.http.routes": [],
        "distributed.worker.http.routes": [],
    }
    with dask.config.set(settings), passive_waiting():
        yield


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Let the processes that are started meanwhile ignore Ctrl-C, which a terminal sends to all: this one ends them."""
    if threading.current_thread() is not threading.main_thread():  # only the main thread can set signals
        yield
        return
    previous_handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous_handler)


def _with_absolute_paths(image: BatchImage) -> BatchImage:
    """Return the image with paths that are valid in every process."""
    truths = [Path(os.path.abspath(path)) for path in image.truths]
    return replace(
        image,
        path=Path(os.path.abspath(image.path)),
        truth=truths[0] if truths else None,
        more_truths=tuple(truths[1:]),
        class_truths=tuple(path and Path(os.path.abspath(path)) for path in image.class_truths),
    )
