"""The plugin `offline`: messages for the absent (XEP-0160, XEP-0013)."""

from stanzavault_client.offline.model import Header, LeftMessage
from stanzavault_client.offline.plugin import OfflinePlugin

__all__ = ["Header", "LeftMessage", "OfflinePlugin"]
