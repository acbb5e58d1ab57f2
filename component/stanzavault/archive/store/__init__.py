"""An owner's archive in the database."""

from stanzavault.archive.store.collections import list_changes, list_collections
from stanzavault.archive.store.contents import Reading, retrieve
from stanzavault.archive.store.keys import delete_keys, list_keys
from stanzavault.archive.store.removing import remove_some
from stanzavault.archive.store.saving import save
from stanzavault.archive.store.shelf import Shelf

__all__ = [
    "Reading",
    "Shelf",
    "delete_keys",
    "list_changes",
    "list_collections",
    "list_keys",
    "remove_some",
    "retrieve",
    "save",
]
