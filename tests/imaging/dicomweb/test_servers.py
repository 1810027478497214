"""The configured servers and their passwords: where they come from, and where they never appear."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.dicomweb.client import PacsClient
from napari_segcam.imaging.dicomweb.passwords import (
    authorization_of,
    forget_password,
    has_password,
    keep_password,
    variable_of,
)
from napari_segcam.imaging.dicomweb.servers import (
    NoServerError,
    Server,
    add_server,
    find_server,
    remove_server,
    servers,
    settings_path,
)

URL = "https://pacs.example.org/dicom-web"
SECRET = "s3cr3t"


class MemoryKeyring(KeyringBackend):
    """A keyring that forgets everything at the end of a test."""

    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NAPARI_SEGCAM_CONFIG", str(tmp_path / "config"))
    for name in ("URL", "USER", "PASSWORD", "TOKEN", "CA", "NAME"):
        monkeypatch.delenv(f"NAPARI_SEGCAM_PACS_{name}", raising=False)


@pytest.fixture
def ring() -> Iterator[MemoryKeyring]:
    before, ring = keyring.get_keyring(), MemoryKeyring()
    keyring.set_keyring(ring)
    yield ring
    keyring.set_keyring(before)


def header_of(server: Server) -> str | None:
    """The header that a request to the server gets."""

    class Request:
        headers: dict[str, str] = {}  # noqa: RUF012

    authorize, request = authorization_of(server), Request()
    request.headers = {}
    if authorize is not None:
        authorize(request)
    return request.headers.get("Authorization")


def test_by_default_there_is_none() -> None:
    assert servers() == ()
    with pytest.raises(NoServerError, match="napari-segcam pacs add NAME URL"):
        find_server()


def test_settings_come_back_as_they_were(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    one = Server("clinic", URL, "änne", tmp_path / "ca.pem", timeout_s=5, qido="qido-rs", wado="a/b", stow="stow")
    two = Server("lab", "http://10.0.0.1:8042/x", allow_http=True, proxy="http://10.0.0.2:3128")
    for server in (one, two):
        add_server(server)
    assert servers() == (one, two)
    assert find_server("lab") == two
    with pytest.raises(SegcamError, match="Several servers are configured: clinic, lab"):
        find_server()
    remove_server("clinic")
    assert find_server() == two
    with pytest.raises(SegcamError, match="no server clinic"):
        remove_server("clinic")


def test_the_environment_describes_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_SEGCAM_PACS_URL", URL)
    monkeypatch.setenv("NAPARI_SEGCAM_PACS_USER", "anna")
    server = find_server()
    assert (server.name, server.url, server.user, server.source) == ("pacs.example.org", URL, "anna", "environment")
    assert variable_of(server) == "NAPARI_SEGCAM_PACS_PASSWORD"
    assert find_server(URL) == server


def test_a_url_is_a_server_too() -> None:
    server = find_server("http://localhost:8042/dicom-web/")
    assert (server.name, server.url, server.is_unsafe) == ("localhost_8042", "http://localhost:8042/dicom-web", False)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("servers: [1]", "must hold servers"),
        ("servers: {a: {}}", "has no url"),
        ("servers: {a: {url: 5}}", "has no url"),
        (f"servers: {{a: {{url: '{URL}', password: {SECRET}}}}}", "holds a password of a"),
        (f"servers: {{a: {{url: '{URL}', bearer_token: {SECRET}}}}}", "holds a password of a"),
        (f"servers: {{a: {{url: '{URL}', verify: false}}}}", "setting verify, which does not exist"),
        (f"servers: {{a: {{url: '{URL}', timeout_s: soon}}}}", "timeout_s of a cannot be 'soon'"),
        (f"servers: {{a: {{url: '{URL}', timeout_s: .nan}}}}", "timeout"),
        (f"servers: {{a: {{url: '{URL}', allow_http: 'yes'}}}}", "allow_http of a cannot be"),
        (f"servers: {{a: {{url: '{URL}', wado: '../x'}}}}", "cannot follow the URL"),
        (f"servers: {{a: {{url: 'https://anna:{SECRET}@x.org'}}}}", "holds a user or password"),
        (f"servers: {{a: {{url: '{URL}', proxy: 'http://anna:{SECRET}@x.org'}}}}", "holds a user or password"),
        ("servers: {a: {url: 'http://10.0.0.1'}}", "Use https"),
        ("a: [", "is not YAML"),
        ("!!python/object/apply:os.system [echo]", "is not YAML"),
        ("x" * 200000, "too large"),
    ],
)
def test_wrong_settings_are_one_line_without_the_password(text: str, words: str) -> None:
    settings_path().parent.mkdir(parents=True)
    settings_path().write_text(text)
    with pytest.raises(SegcamError, match=words) as failed:
        servers()
    assert SECRET not in str(failed.value)


@pytest.mark.parametrize(
    "url", ["", "x", "ftp://x", "https://", "https://x y", "https://x:99999", "https://x?a=1", "https://[::1", "//x"]
)
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(SegcamError):
        Server("a", url)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.3.2.1", "[::1]"])
def test_plain_http_is_for_the_same_computer(host: str) -> None:
    assert not Server("a", f"http://{host}:8042").is_unsafe


def test_a_password_is_kept_in_the_keyring(ring: MemoryKeyring) -> None:
    server = Server("clinic", URL, "anna")
    with pytest.raises(SegcamError, match="password of anna for PACS clinic is not known"):
        authorization_of(server)
    keep_password(server, SECRET)
    assert has_password(server)
    assert header_of(server) == "Basic YW5uYTpzM2NyM3Q="
    assert SECRET not in f"{server!r}{server}{authorization_of(server)!r}{pickle.dumps(server)!r}"
    assert not has_password(Server("clinic", "https://other.example.org", "anna"))  # it belongs to the host
    assert not has_password(Server("clinic", URL, "eva"))
    forget_password(server)
    assert not has_password(server)
    assert ring.kept == {}


def test_the_environment_comes_before_the_keyring(ring: MemoryKeyring, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server("my-clinic", URL, "anna")
    keep_password(server, "other")
    monkeypatch.setenv("NAPARI_SEGCAM_PACS_PASSWORD_MY_CLINIC", SECRET)
    assert header_of(server) == "Basic YW5uYTpzM2NyM3Q="
    assert len(ring.kept) == 1


def test_a_token_is_for_a_server_without_a_user(ring: MemoryKeyring) -> None:
    server = Server("clinic", URL)
    assert header_of(server) is None
    keep_password(server, SECRET)
    assert header_of(server) == f"Bearer {SECRET}"
    assert ring.kept


@pytest.mark.parametrize("secret", ["a\nb", "a\r\nHost: x", "\0"])
def test_a_password_that_would_break_the_request(
    secret: str, ring: MemoryKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server("clinic", URL, "anna")
    with pytest.raises(SegcamError, match="cannot be empty or hold"):
        keep_password(server, secret)
    if "\0" not in secret:  # an environment cannot hold it
        monkeypatch.setenv(variable_of(server), secret)
        with pytest.raises(SegcamError, match="characters that a password cannot have") as failed:
            authorization_of(server)
        assert secret not in str(failed.value)
    assert ring.kept == {}


def test_without_a_keyring_the_environment_is_named() -> None:
    from keyring.backends.fail import Keyring

    before = keyring.get_keyring()
    keyring.set_keyring(Keyring())
    try:
        with pytest.raises(
            SegcamError, match=r"keyring cannot be used.*Set NAPARI_SEGCAM_PACS_PASSWORD_CLINIC instead"
        ):
            keep_password(Server("clinic", URL, "anna"), SECRET)
        assert not has_password(Server("clinic", URL, "anna"))
    finally:
        keyring.set_keyring(before)


def test_plain_http_is_said_each_time() -> None:
    with PacsClient(Server("lab", "http://10.0.0.1:8042/x", allow_http=True)) as client:
        assert client.notes == ["The connection to PACS lab is not encrypted: others in the network can read along."]
    with PacsClient(Server("lab", "http://127.0.0.1:8042/x")) as client:
        assert client.notes == []
