"""What a user has to keep: own keys, known keys of others, and secrets retained from sessions.

`Store` is the interface, and `SQLiteStore` keeps it in a file sealed under a passphrase.
"""

from stanzavault_client.storage.model import OwnKey, RememberedKey
from stanzavault_client.storage.sqlite import SQLiteStore
from stanzavault_client.storage.store import KeyMemory, OfflineMemory, OwnKeys, SecretMemory, Store

__all__ = [
    "KeyMemory",
    "OfflineMemory",
    "OwnKey",
    "OwnKeys",
    "RememberedKey",
    "SQLiteStore",
    "SecretMemory",
    "Store",
]
