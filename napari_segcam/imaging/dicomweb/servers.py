"""The servers that the user has configured: in a file of settings, or in the environment. By default there are none."""

from __future__ import annotations

import ipaddress
import math
import os
import re
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from napari_segcam.errors import SegcamError, error_text
from napari_segcam.files import whole_file
from napari_segcam.preferences.folder import config_folder
from napari_segcam.remedies import remedy

_ENVIRONMENT = "NAPARI_SEGCAM_PACS"
_FILE = "pacs.yaml"
_FILE_BYTES = 2**17
_NAME = re.compile(r"[\w.-]{1,40}")
_LONGEST_URL = 1000
_ALLOW = "To allow it all the same, within a network that you trust, {allow}."


class NoServerError(SegcamError):
    """No server is configured."""


@dataclass(frozen=True)
class Server:
    """A PACS with DICOMweb services. It holds no password.

    Attributes:
        name: that the user gives it.
        url: of its DICOMweb services, without a slash at the end.
        user: whose password is asked for; None for a server that wants none, or a token.
        ca_file: certificates to trust, PEM; None for those of the system.
        allow_http: whether the connection may be without encryption, although the server is on another machine.
        timeout_s: the longest silence, in seconds.
        qido, wado, stow: what follows the URL for searching, fetching and sending, if these differ.
        proxy: URL of a proxy; None for a direct connection. The proxies of the environment are not used.
        source: where it is configured.
    """

    name: str
    url: str
    user: str | None = None
    ca_file: Path | None = None
    allow_http: bool = False
    timeout_s: float = 20.0
    qido: str = ""
    wado: str = ""
    stow: str = ""
    proxy: str | None = None
    source: Literal["settings", "environment", "url"] = "settings"

    def __post_init__(self) -> None:
        object.__setattr__(self, "url", checked_url(self.url))
        if not _NAME.fullmatch(self.name):
            raise SegcamError(f"A server cannot be named {self.name!r}: use letters, digits and . _ -, at most 40.")
        if not (math.isfinite(self.timeout_s) and 0 < self.timeout_s <= 3600):
            raise SegcamError(f"The timeout of {self.name} must be more than 0 and at most 3600 seconds.")
        if self.user is not None and (":" in self.user or not self.user.isprintable() or not self.user):
            raise SegcamError(f"The user of {self.name} cannot be empty or hold a colon.")
        for prefix in (self.qido, self.wado, self.stow):
            if prefix and not re.fullmatch(r"(?!\.)[\w.~-]+(/(?!\.)[\w.~-]+)*", prefix):
                raise SegcamError(
                    f"{prefix!r} cannot follow the URL of {self.name}: give it without slashes around it."
                )
        if self.proxy is not None:
            checked_url(self.proxy)
        if self.is_unsafe and not self.allow_http:
            raise SegcamError(
                f"{self.url} begins with http: patient data and passwords would cross the network for everybody to "
                f"read. Use https. {_ALLOW.format(allow=remedy('allow_http'))}"
            )

    @property
    def title(self) -> str:
        """The server in the words of a message."""
        return f"PACS {self.name}"

    @property
    def is_unsafe(self) -> bool:
        """Whether others in the network can read along."""
        parts = urlsplit(self.url)
        return parts.scheme == "http" and not _is_loopback(parts.hostname or "")


def checked_url(url: str) -> str:
    """Return the URL of a server without the slash at its end.

    Raises:
        SegcamError: if it is no such URL, or holds a password.
    """
    wrong = SegcamError(f"{url} is no URL of a server, such as https://pacs.example.org/dicom-web.")
    if len(url) > _LONGEST_URL or not url.isprintable() or re.search(r"\s", url):
        raise wrong
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise wrong from None
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise SegcamError(
            f"The URL of {parts.hostname or 'the server'} holds a user or password, where everybody can read it. Leave "
            f"it out, and give them apart: {remedy('user_and_password', server='NAME')}"
        )
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise wrong
    if parts.query or parts.fragment:
        raise SegcamError(f"The URL of {parts.hostname} must end before ? and #.")
    return url.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def settings_path() -> Path:
    """Return the path of the file of settings, which need not exist."""
    return config_folder() / _FILE


def servers() -> tuple[Server, ...]:
    """Return the configured servers: those of the file of settings, then that of the environment.

    Raises:
        SegcamError: if the settings are wrong.
    """
    from_environment = _of_environment()
    return (*_of_file().values(), *([from_environment] if from_environment else []))


def find_server(name: str | None = None) -> Server:
    """Return a configured server.

    Args:
        name: its name, or the URL of one that is not configured; None for the only one.

    Raises:
        NoServerError: if none is configured.
        SegcamError: if there is none of that name, or several and none is named.
    """
    if name is not None and "://" in name:
        url = checked_url(name)
        known = [server for server in servers() if server.url == url]
        return known[0] if known else Server(_name_of(url), url, source="url")
    found = servers()
    names = ", ".join(server.name for server in found)
    if name is not None:
        for server in found:
            if server.name == name:
                return server
        known_names = f"Configured are: {names}." if names else f"None is configured yet: {remedy('new_server')}"
        raise SegcamError(f"There is no server {name}. {known_names}")
    if not found:
        raise NoServerError(
            f"No server is configured, so nothing is connected. Configure yours: {remedy('new_server')}, or set "
            f"{_ENVIRONMENT}_URL."
        )
    if len(found) > 1:
        raise SegcamError(f"Several servers are configured: {names}. {remedy('server')}")
    return found[0]


def add_server(server: Server) -> Path:
    """Write a server into the file of settings, in the place of one of the same name; return the file's path."""
    return _write({**_of_file(), server.name: replace(server, source="settings")})


def remove_server(name: str) -> Path:
    """Remove a server from the file of settings; return the file's path.

    Raises:
        SegcamError: if it is not there.
    """
    found = _of_file()
    if name not in found:
        raise SegcamError(f"There is no server {name} in {settings_path()}.")
    return _write({key: server for key, server in found.items() if key != name})


def _write(found: dict[str, Server]) -> Path:
    import yaml

    content: dict[str, dict[str, Any]] = {}
    for server in found.values():
        defaults = asdict(Server(server.name, server.url, allow_http=True)) | {"allow_http": False}
        values = {key: value for key, value in asdict(server).items() if value != defaults[key] or key == "url"}
        content[server.name] = {
            key: str(value) if isinstance(value, Path) else value for key, value in values.items() if key != "name"
        }
    path = settings_path()
    with whole_file(path) as temporary:
        temporary.write_text(
            "# Servers of napari-segcam. No passwords here: they are in the system's keyring.\n"
            + yaml.safe_dump({"servers": content}, allow_unicode=True, sort_keys=False),
            encoding="utf-8",
        )
    return path


def _of_file() -> dict[str, Server]:
    """Return the servers of the file of settings by their names."""
    path = settings_path()
    try:
        with path.open("rb") as file:
            data = file.read(_FILE_BYTES + 1)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SegcamError(f"{path} cannot be read: {error_text(error)}.") from error
    import yaml

    if len(data) > _FILE_BYTES:
        raise SegcamError(f"{path} is too large for a file of settings.")
    try:
        content = yaml.safe_load(data.decode("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise SegcamError(f"{path} is not YAML: {error_text(error, 200)}.") from error
    listed = content.get("servers") if isinstance(content, dict) else content
    if listed is None:
        return {}
    if not isinstance(listed, dict):
        raise SegcamError(f"{path} must hold servers: with the settings of each under its name.")
    return {str(name): _of_settings(str(name), values, path) for name, values in listed.items()}


def _of_settings(name: str, values: Any, path: Path) -> Server:
    known = {field.name: field for field in fields(Server)}
    if not isinstance(values, dict) or not isinstance(values.get("url"), str):
        raise SegcamError(f"{path}: the server {name} has no url.")
    for key, value in values.items():
        if "password" in str(key).lower() or "token" in str(key).lower():
            raise SegcamError(
                f"{path} holds a password of {name}, which does not belong in a file. Remove it, and give it with: "
                f"{remedy('password', server=name)}"
            )
        if key not in known or key in ("name", "source"):
            raise SegcamError(f"{path}: {name} has the setting {key}, which does not exist.")
        wanted: Any = {"allow_http": bool, "timeout_s": (int, float)}.get(key, str)
        if not isinstance(value, wanted) or (key == "timeout_s" and isinstance(value, bool)):
            raise SegcamError(f"{path}: {key} of {name} cannot be {value!r}.")
    settings = dict(values)
    if "ca_file" in settings:
        settings["ca_file"] = Path(settings["ca_file"]).expanduser()
    return Server(name, **settings)


def _of_environment() -> Server | None:
    """Return the server that the environment variables describe."""
    url = os.environ.get(f"{_ENVIRONMENT}_URL")
    if not url:
        return None
    ca_file = os.environ.get(f"{_ENVIRONMENT}_CA")
    return Server(
        os.environ.get(f"{_ENVIRONMENT}_NAME") or _name_of(checked_url(url)),
        url,
        user=os.environ.get(f"{_ENVIRONMENT}_USER") or None,
        ca_file=Path(ca_file) if ca_file else None,
        source="environment",
    )


def _name_of(url: str) -> str:
    return re.sub(r"[^\w.-]", "_", urlsplit(url).netloc)[:40]
