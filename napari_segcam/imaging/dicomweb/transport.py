"""HTTP to one server: certificates are verified, redirects leave no host, and each failure is one line in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection

from napari_segcam.errors import SegcamError, one_line
from napari_segcam.imaging.dicomweb.failures import is_lost, refuse_status, words_of
from napari_segcam.imaging.dicomweb.passwords import authorization_of
from napari_segcam.imaging.dicomweb.servers import Server
from napari_segcam.imaging.dicomweb.sockets import connect, tls_context
from napari_segcam.imaging.dicomweb.watch import ANSWER_SECONDS, ServerError, Watch
from napari_segcam.version import __version__

ANSWER_BYTES = 64 * 2**20
"""Of an answer that is not a file, such as the results of a search."""

_REDIRECTS = 5
_PIECE = 1 << 16


class WatchedAdapter(HTTPAdapter):
    """Opens its connections under a watch."""

    def __init__(self, server: Server, watch: Watch) -> None:
        class PlainConnection(HTTPConnection):
            def _new_conn(self) -> Any:
                return connect(self.host, self.port, watch)

        class TLSConnection(HTTPSConnection):
            def _new_conn(self) -> Any:
                return connect(self.host, self.port, watch)

        class PlainPool(urllib3.HTTPConnectionPool):
            ConnectionCls = PlainConnection

        class TLSPool(urllib3.HTTPSConnectionPool):
            ConnectionCls = TLSConnection

        self._pools = {"http": PlainPool, "https": TLSPool}
        self._context = tls_context(watch, server.ca_file) if server.url.startswith("https:") else None
        super().__init__(max_retries=0)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        super().init_poolmanager(connections, maxsize, block, ssl_context=self._context, **options)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        manager = super().proxy_manager_for(proxy, ssl_context=self._context, **options)
        manager.pool_classes_by_scheme = self._pools
        return manager

    def cert_verify(self, conn: Any, *_options: Any) -> None:
        """Leave the certificates to the context; requests would add its own to those that the user names."""
        conn.cert_reqs = "CERT_REQUIRED"


class LimitedBody:
    """The body of an answer, as `requests` reads it: at most so many bytes, and complete or an error.

    Args:
        body: of urllib3.
        limit: bytes.
        server: that sends it.
        watch: of its connection.
    """

    def __init__(self, body: Any, limit: int, server: Server, watch: Watch) -> None:
        self._body = body
        self._limit = limit
        self._server = server
        self._watch = watch
        self._count = 0
        stated = str(body.headers.get("Content-Length") or "")
        if stated.isdigit() and int(stated) > limit:
            self.close()
            self._refuse()

    def read(self, amount: int | None = None, **_options: Any) -> bytes:
        """Return the next bytes, as soon as there are some; empty at the end."""
        with failures(self._server, self._watch):
            data = self._body.read1(min(amount or _PIECE, _PIECE), decode_content=False)
        self._count += len(data)
        if self._count > self._limit:
            self.close()
            self._refuse()
        return data

    def _refuse(self) -> None:
        raise ServerError(
            f"{self._server.title} sends more than {self._limit / 2**20:,.0f} MB for one answer, which is not read."
        )

    def close(self) -> None:
        self._body.close()

    def release_conn(self) -> None:
        self._body.release_conn()


class GuardedSession(requests.Session):
    """A session with one server, whose every failure is a ServerError.

    It takes no proxy, password or certificate from the environment, follows redirects only within the server, and
    retries nothing.

    Args:
        server: the only one that it connects to.
        watch: of its connections.
    """

    def __init__(self, server: Server, watch: Watch) -> None:
        super().__init__()
        self._server = server
        self._watch = watch
        self.trust_env = False
        self.headers.update({"User-Agent": f"napari-segcam/{__version__}", "Accept-Encoding": "identity"})
        if server.proxy:
            self.proxies = {"http": server.proxy, "https": server.proxy}
        self.adapters.clear()
        self.mount(f"{urlsplit(server.url).scheme}://", WatchedAdapter(server, watch))
        self._authorization = authorization_of(server)
        self.limit = ANSWER_BYTES
        self.seconds = ANSWER_SECONDS
        self.refuses_status = True
        self.warnings: list[str] = []

    @contextmanager
    def limits(self, limit: int, seconds: float) -> Iterator[None]:
        """Set other limits of bytes and seconds for the requests in a block."""
        before = self.limit, self.seconds
        self.limit, self.seconds = limit, seconds
        try:
            yield
        finally:
            self.limit, self.seconds = before

    def drop_idle_connections(self) -> None:
        """Use a new connection for the next request: the server may just be closing one that is idle."""
        for adapter in self.adapters.values():
            adapter.close()

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Send a request, and return the answer if it is a success.

        Raises:
            ServerError: if it is not, or there is none.
            CancelledError: if the user has cancelled.
        """
        self._watch.begin(self.seconds)
        try:
            return self._answer(request, **options)
        except ServerError as error:
            error.is_sent = self._watch.has_sent
            raise

    def _answer(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        for _ in range(_REDIRECTS + 1):
            response = self._sent(request)
            if not response.is_redirect:
                break
            response.close()
            request = self._redirected(request, response)
        else:
            raise ServerError(f"{self._server.title} redirects in a circle. Is its URL right?")
        if self.refuses_status:
            with closed_on_error(response):
                refuse_status(response.status_code, self._server)
        if warning := response.headers.get("Warning"):
            self.warnings.append(f"{self._server.title} says: {one_line(warning, 200)}")
        if not options.get("stream"):
            response.content  # noqa: B018 - it is read here, within the limits
        return response

    def _sent(self, request: requests.PreparedRequest) -> requests.Response:
        request.headers.pop("Host", None)  # the library's lacks the port
        # Allowed as they are (RFC 3986, section 3.4); not every server decodes them, and + is a space in forms only.
        path, mark, query = str(request.url).partition("?")
        request.url = path + mark + query.replace("%2A", "*").replace("%3F", "?").replace("+", "%20")
        if self._authorization is not None:
            self._authorization(request)
        adapter = self.get_adapter(str(request.url))
        with failures(self._server, self._watch):
            try:
                response = adapter.send(request, stream=True, timeout=None, proxies=self.proxies)
            except requests.ConnectionError as error:
                if request.method != "GET" or self._watch.has_received or not is_lost(error):
                    raise
                # A server may close an idle connection at the moment when it is used again.
                response = adapter.send(request, stream=True, timeout=None, proxies=self.proxies)
        response.raw = LimitedBody(response.raw, self.limit, self._server, self._watch)
        with closed_on_error(response):
            encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
            if encoding not in ("", "identity"):
                raise ServerError(
                    f"{self._server.title} compresses its answer ({encoding}), although that was not asked for."
                )
            kind = response.headers.get("Content-Type", "").lower()
            if response.ok and not response.is_redirect and "html" in kind:
                raise ServerError(
                    f"{self._server.title} answers with a web page instead of data, perhaps to log in. Is its URL "
                    "that of DICOMweb?"
                )
        return response

    def _redirected(self, request: requests.PreparedRequest, response: requests.Response) -> requests.PreparedRequest:
        """Return the request at the place that a redirect names, which must be on the same server."""
        try:
            place = urljoin(str(request.url), response.headers["Location"])
            origin = _origin(place)
        except ValueError:
            raise ServerError(f"{self._server.title} redirects to a place that is no URL.") from None
        if origin != _origin(str(request.url)) or request.method != "GET":
            raise ServerError(
                f"{self._server.title} redirects to {origin[0]}://{origin[1] or ''}, which is not followed: data and "
                "password go to the configured server only. If that is the server, configure its URL."
            )
        followed = request.copy()
        followed.prepare_url(place, None)
        return followed


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


@contextmanager
def failures(server: Server, watch: Watch) -> Iterator[None]:
    """Turn each failure of a connection into a ServerError in words."""
    try:
        yield
    except SegcamError:
        raise
    except Exception as error:  # of requests, urllib3, ssl, http.client and sockets, each with its own
        raise ServerError(words_of(error, server), is_sent=watch.has_sent) from error


@contextmanager
def closed_on_error(response: requests.Response) -> Iterator[None]:
    """Close the connection of an answer if the block fails."""
    try:
        yield
    except BaseException:
        response.close()
        raise
