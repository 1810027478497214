"""The cluster: images examined by several processes, of this machine or of others, through Dask."""

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

from napari_segcam.batch.image_job import ImageJob, do
from napari_segcam.batch.image_processing import ProcessedImage
from napari_segcam.batch.images import BatchImage
from napari_segcam.errors import SegcamError
from napari_segcam.optional import needed
from napari_segcam.tuning.openmp import passive_waiting

if TYPE_CHECKING:
    from distributed import Client, Future

_PATIENCE = 30  # seconds, for a scheduler to answer and its first worker to be there
_AHEAD = 2  # images that each worker has at hand, so that it need not wait for the next
_GLANCE = 0.2  # seconds between two looks at whether to stop


@dataclass(frozen=True)
class Cluster:
    """Who shares the work.

    Attributes:
        workers: processes to start on this machine; not used where there is a scheduler.
        scheduler: address of a Dask scheduler, ``tcp://HOST:PORT``; its workers must find the images, the masks and
            the checkpoint at the same paths, and have the same packages. Empty for none.
    """

    workers: int = 1
    scheduler: str = ""

    def check(self) -> None:
        """Refuse what cannot be, before anything takes long.

        Raises:
            SegcamError: if the package is missing, or there would be no worker.
        """
        needed("distributed", "The work is to be shared")
        if not self.scheduler:
            needed("cryptography", "The work is to be shared among processes, which know one another by keys")
        if self.workers < 1:
            raise SegcamError(f"At least 1 worker is needed, but {self.workers} are asked for.")


def processed_on(
    cluster: Cluster, job: ImageJob, images: Sequence[BatchImage], cancelled: Callable[[], bool] = lambda: False
) -> Iterator[tuple[BatchImage, ProcessedImage]]:
    """Each image with what came of it, as they are finished; what a lost worker had at hand is done by another.

    Args:
        cluster: who does it.
        job: what to do.
        images: to be examined.
        cancelled: asked again and again whether to stop.

    Raises:
        SegcamError: if the cluster cannot be reached, or its workers cannot do the job.
    """
    job = replace(job, model=job.model.anywhere())
    waiting = iter(images)
    with ExitStack() as stack:
        client = _client(cluster, job.threads, stack)
        sent: dict[Future, BatchImage] = {}
        finished: Queue[Future] = Queue()
        stack.callback(lambda: client.cancel(list(sent)))
        while not cancelled():
            while len(sent) < _AHEAD * max(1, len(client.nthreads())) and (image := next(waiting, None)) is not None:
                future = client.submit(_on_worker, job, _anywhere(image), pure=False)
                sent[future] = image
                future.add_done_callback(finished.put)
            if not sent:
                return
            with suppress(Empty):
                future = finished.get(timeout=_GLANCE)
                yield sent.pop(future), _result(future)
                future.release()


def _on_worker(job: ImageJob, image: BatchImage) -> ProcessedImage:
    from distributed import get_worker

    number = get_worker().name  # counted where this machine's workers were started here
    return do(job, image, number if isinstance(number, int) else 0)


def _result(future: Future) -> ProcessedImage:
    from distributed import CancelledError
    from distributed.scheduler import KilledWorker

    try:
        return future.result()
    except SegcamError:
        raise
    except KilledWorker:
        return ProcessedImage(
            error="The processes that examined it ended before they were done, perhaps for want of memory."
        )
    except CancelledError as error:
        raise SegcamError("The connection to the scheduler is lost. The same command goes on with the rest.") from error
    except Exception as error:  # a worker without this package, for example
        raise SegcamError(f"The workers cannot do this work: {type(error).__name__}: {error}.") from error


def _client(cluster: Cluster, threads: int, stack: ExitStack) -> Client:
    from distributed import Client, LocalCluster
    from distributed.security import Security

    if not cluster.scheduler:
        with _environment(threads), _deaf_to_interrupts():
            local = LocalCluster(
                # Whoever reaches these processes has them run anything: only who has the keys of this run does.
                protocol="tls://",
                security=Security.temporary(),
                n_workers=cluster.workers,
                threads_per_worker=1,
                processes=True,
                scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},  # no port that is known
                memory_limit=0,  # what one process alone may take
                silence_logs=logging.CRITICAL,
            )
        stack.enter_context(local)
        return stack.enter_context(Client(local, set_as_default=False))
    try:
        client = stack.enter_context(Client(cluster.scheduler, timeout=_PATIENCE, set_as_default=False))
    except (OSError, ValueError) as error:  # TimeoutError is an OSError
        raise SegcamError(f"There is no Dask scheduler at {cluster.scheduler}: give tcp://HOST:PORT.") from error
    try:
        client.wait_for_workers(1, timeout=_PATIENCE)
    except TimeoutError as error:
        raise SegcamError(f"The scheduler {cluster.scheduler} has no worker. Start some with: dask worker.") from error
    return client


@contextmanager
def _environment(threads: int) -> Iterator[None]:
    """What the processes that are started meanwhile find in their environment.

    Threads that spin while they wait would take the processor from the other workers.
    """
    import dask

    count = str(threads)
    environment = {
        "OMP_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": count,
        "OMP_WAIT_POLICY": "PASSIVE",
        "GOMP_SPINCOUNT": "0",  # goes before the policy, and a lost worker's successor would have this process's
    }
    settings = {
        "distributed.nanny.pre-spawn-environ": environment,
        # Pages on what is at work, which nobody looks at and which ask for no key.
        "distributed.scheduler.http.routes": [],
        "distributed.worker.http.routes": [],
    }
    with dask.config.set(settings), passive_waiting():
        yield


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Let processes that are started meanwhile ignore Ctrl-C, which a terminal sends to all: this one ends them."""
    if threading.current_thread() is not threading.main_thread():  # only there can signals be set
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _anywhere(image: BatchImage) -> BatchImage:
    """The image with paths that mean the same in every process."""
    truths = [Path(os.path.abspath(path)) for path in image.truths]
    return replace(
        image,
        path=Path(os.path.abspath(image.path)),
        truth=truths[0] if truths else None,
        more_truths=tuple(truths[1:]),
        class_truths=tuple(path and Path(os.path.abspath(path)) for path in image.class_truths),
    )
