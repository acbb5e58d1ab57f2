"""The plugin `archive`: conversations, plain or sealed to one's own keys (XEP-0136, XEP-0241)."""

from stanzavault.archive.model import Change, CollectionName, Summary
from stanzavault_client.archive.model import ArchivedMessage, Entry, Note, Saved, Unopened
from stanzavault_client.archive.plugin import ArchivePlugin

__all__ = [
    "ArchivePlugin",
    "ArchivedMessage",
    "Change",
    "CollectionName",
    "Entry",
    "Note",
    "Saved",
    "Summary",
    "Unopened",
]
