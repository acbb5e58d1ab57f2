"""The plugin `esession`: encrypted sessions with one peer, or with one who is offline.

Deferred protocols, no audit, hardly a peer: who needs protection today takes OMEMO or MLS.
"""

from stanzavault_client.esession.happenings import Happening
from stanzavault_client.esession.plugin import ESessionPlugin, NotArchivable
from stanzavault_client.esession.session import EncryptedSession, SessionFailed

__all__ = [
    "ESessionPlugin",
    "EncryptedSession",
    "Happening",
    "NotArchivable",
    "SessionFailed",
]
