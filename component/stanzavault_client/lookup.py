"""Finding another plugin of the same client, with its type."""

from __future__ import annotations

from typing import TypeVar

from slixmpp.basexmpp import BaseXMPP
from slixmpp.plugins import BasePlugin

Plugin = TypeVar("Plugin", bound=BasePlugin)


def plugin_of(client: BaseXMPP, kind: type[Plugin]) -> Plugin:
    """The plugin of that class, which has to be enabled.

    Raises:
        TypeError: another plugin has its name.
    """
    found = client.plugin[kind.name]  # type: ignore[literal-required]  # slixmpp's types know its own plugins
    if not isinstance(found, kind):
        raise TypeError(f"another plugin than {kind.__name__} is called {kind.name!r}")
    return found
