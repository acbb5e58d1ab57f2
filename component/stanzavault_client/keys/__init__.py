"""The plugin `keys`: public keys, revocations and attestations (XEP-0189)."""

from stanzavault_client.keys.model import KeysChanged, SeenKey, Trust
from stanzavault_client.keys.plugin import KeysPlugin

__all__ = ["KeysChanged", "KeysPlugin", "SeenKey", "Trust"]
