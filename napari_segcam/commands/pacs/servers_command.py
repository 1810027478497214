"""The commands ``pacs servers | add | remove | login | logout``."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from napari_segcam.commands.terminal import PlainConsole
from napari_segcam.errors import SegcamError
from napari_segcam.remedies import remedy

_Name = Annotated[str, typer.Argument(metavar="NAME", help="The name of the server.")]


def servers() -> None:
    """List the configured servers, and say whether their passwords are known."""
    from napari_segcam.imaging.dicomweb.passwords import has_password
    from napari_segcam.imaging.dicomweb.servers import servers as configured
    from napari_segcam.imaging.dicomweb.servers import settings_path

    console = PlainConsole()
    found = configured()
    for server in found:
        kind = f"user {server.user}, password" if server.user else "token"
        known = f"{kind} known" if has_password(server) else f"{kind} not known" if server.user else "no password"
        where = "" if server.source == "settings" else " (from the environment)"
        unsafe = ", not encrypted" if server.is_unsafe else ""
        console.print(f"{server.name}{where}: {server.url}, {known}{unsafe}", markup=False, soft_wrap=True)
    if not found:
        console.print(
            f"No server is configured, so nothing is connected. Configure yours: {remedy('new_server')}", soft_wrap=True
        )
    console.print(f"Settings: {settings_path()}", markup=False, highlight=False, soft_wrap=True)


def add(
    name: _Name,
    url: Annotated[
        str, typer.Argument(metavar="URL", help="Of its DICOMweb services, such as https://pacs.example.org/dicom-web.")
    ],
    *,
    user: Annotated[str | None, typer.Option(metavar="USER", help="The user, if it asks for a password.")] = None,
    ca: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Certificates to trust, in PEM: those of your clinic. Default: the system's."
        ),
    ] = None,
    allow_http: Annotated[
        bool,
        typer.Option(
            "--allow-http", help="Connect without encryption. Others in the network can then read patient data."
        ),
    ] = False,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", help="How long the server may be silent.", min=0.1, max=3600)
    ] = 20,
    qido: Annotated[str, typer.Option(metavar="PATH", help="What follows the URL for searching, if anything.")] = "",
    wado: Annotated[str, typer.Option(metavar="PATH", help="What follows the URL for fetching, if anything.")] = "",
    stow: Annotated[str, typer.Option(metavar="PATH", help="What follows the URL for sending, if anything.")] = "",
    proxy: Annotated[
        str | None, typer.Option(metavar="URL", help="A proxy; those of the environment are not used.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace the server of this name.")] = False,
) -> None:
    """Configure a server. Its password is given with `pacs login`, or in the environment, never here."""
    from napari_segcam.imaging.dicomweb.passwords import has_password, variable_of
    from napari_segcam.imaging.dicomweb.servers import Server, add_server
    from napari_segcam.imaging.dicomweb.servers import servers as configured

    if ca is not None and not ca.is_file():
        raise SegcamError(f"There is no certificate file {ca}.")
    server = Server(
        name, url, user, ca.resolve() if ca else None, allow_http, timeout, qido, wado, stow, proxy
    )  # checked here
    if not replace and any(known.name == name for known in configured()):
        raise SegcamError(f"There is a server {name} already: add --replace, or choose another name.")
    path = add_server(server)
    console = PlainConsole()
    console.print(f"{name} is configured in {path}", markup=False, highlight=False, soft_wrap=True)
    if user and not has_password(server):
        console.print(
            f"Give the password: napari-segcam pacs login {name}, or set {variable_of(server)}", soft_wrap=True
        )
    if server.is_unsafe:
        console.print("[yellow]The connection is not encrypted: others in the network can read along.", soft_wrap=True)


def remove(name: _Name) -> None:
    """Remove a server from the settings, and its password from the keyring."""
    from napari_segcam.imaging.dicomweb.passwords import forget_password
    from napari_segcam.imaging.dicomweb.servers import find_server, remove_server

    server = find_server(name)
    path = remove_server(name)
    with suppress(SegcamError):  # there may be no keyring
        forget_password(server)
    PlainConsole().print(f"{name} is removed from {path}", markup=False, highlight=False, soft_wrap=True)


def login(name: _Name) -> None:
    """Ask for the password of a server, or for its token if it has no user, and keep it in the system's keyring."""
    from napari_segcam.imaging.dicomweb.passwords import keep_password
    from napari_segcam.imaging.dicomweb.servers import find_server

    server = find_server(name)
    question = f"Password of {server.user} for {server.title}" if server.user else f"Token for {server.title}"
    keep_password(server, typer.prompt(question, hide_input=True, err=True))
    PlainConsole().print(
        f"Kept in the system's keyring. Forget it with: napari-segcam pacs logout {name}", markup=False
    )


def logout(name: _Name) -> None:
    """Remove the password of a server from the system's keyring."""
    from napari_segcam.imaging.dicomweb.passwords import forget_password
    from napari_segcam.imaging.dicomweb.servers import find_server

    forget_password(find_server(name))
    PlainConsole().print(f"The password for {name} is not in the keyring.", markup=False)
