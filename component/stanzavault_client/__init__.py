"""For client developers and users: slixmpp plugins on the vault, and the command `stanzavault-client`.

`register(client, store=...)` enables them all; docs/client.md is the page to begin with. One folder is one
plugin: `keys`, `archive` and `offline` serve what the vault keeps, `vault.py` finds it, and `esession` holds
encrypted sessions. `storage` keeps what a user has to keep, `recovery` brings it to a second device.

This package takes the vault's own reading and writing of XML (the rooms `stanza` and `model` of its slices),
and nothing that runs it. Names are imported when they are first used, so that the command's help is quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stanzavault_client.errors import (
        AnswerMalformed,
        ClientError,
        LoginFailed,
        NoRecipient,
        NotTrusted,
        NoVault,
        SaveInterrupted,
        StoreInUse,
        StoreUnreadable,
        WrongCode,
        WrongPassphrase,
    )
    from stanzavault_client.login import Login, logged_in, new_client
    from stanzavault_client.policy import Policy
    from stanzavault_client.registration import Plugins, register
    from stanzavault_client.storage import SQLiteStore, Store

__all__ = [
    "AnswerMalformed",
    "ClientError",
    "Login",
    "LoginFailed",
    "NoRecipient",
    "NoVault",
    "NotTrusted",
    "Plugins",
    "Policy",
    "SQLiteStore",
    "SaveInterrupted",
    "Store",
    "StoreInUse",
    "StoreUnreadable",
    "WrongCode",
    "WrongPassphrase",
    "logged_in",
    "new_client",
    "register",
]

_ELSEWHERE = {
    "login": ("Login", "logged_in", "new_client"),
    "policy": ("Policy",),
    "registration": ("Plugins", "register"),
    "storage": ("SQLiteStore", "Store"),
}
_MODULES = {name: module for module, names in _ELSEWHERE.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES.get(name, 'errors')}"), name)
