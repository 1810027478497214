"""Commands in the plugin's own submenu, where napari lets a manifest put widgets only."""

from __future__ import annotations

from collections.abc import Mapping

from app_model.types import CommandRule, MenuItem

from napari_segcam.viewer.napari_internals.replacement import log_once

_GROUP = "9_commands"  # after napari's groups of widgets


def add_to_plugin_menu(plugin: str, commands: Mapping[str, str]) -> None:
    """Add commands of a plugin's manifest to its submenu of *Plugins*, unless they are there.

    Args:
        plugin: its name, which its submenu has too, if it has several widgets.
        commands: titles by ids, in the order of the menu; napari registers the commands from the manifest, and adds the
            plugin's name to their titles.
    """
    try:
        from napari._app_model import get_app_model

        app = get_app_model()
        menu = f"napari/plugins/{plugin}"
        present = {item.command.id for item in app.menus.get_menu(menu) if isinstance(item, MenuItem)}
        app.menus.append_menu_items(
            [
                (menu, MenuItem(command=CommandRule(id=command, title=title), group=_GROUP, order=number))
                for number, (command, title) in enumerate(commands.items())
                if command not in present and command in app.registered_actions
            ]
        )
    except (ImportError, AttributeError, KeyError):
        log_once("This version of napari has no menu for commands of plugins; they are in its command palette")
