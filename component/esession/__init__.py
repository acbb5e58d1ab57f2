"""Encrypted sessions between XMPP entities, as a pure library.

The protocol is that of XEP-0116, 0155, 0187, 0200, 0201 and 0217, which are Deferred: hardly a peer speaks
it, and nobody has audited this code. Who needs protection today takes OMEMO or MLS.

No sockets, no clock, no files and no randomness of its own: entropy and the time come in; effects to carry
out, and events to show, go out. Stanzas are elements of the standard library's ElementTree. Start with
docs/esession/api.md.
"""

from esession.crypto import SigningKey
from esession.errors import (
    DamagedError,
    ESessionError,
    MalformedError,
    MisuseError,
    OptionsError,
    RefusedError,
)
from esession.events import Outcome
from esession.keys import Identity, RSAPublicKey
from esession.negotiation.established import Party
from esession.policy import LoggingPreference, Policy
from esession.secret import Secret
from esession.session import Session
from esession.state import State
from esession.storage import KnownKey, KnownKeys, Nothing, RetainedSecret, RetainedSecrets
from esession.suite import GAJIM, XEP

__all__ = [
    "GAJIM",
    "XEP",
    "DamagedError",
    "ESessionError",
    "Identity",
    "KnownKey",
    "KnownKeys",
    "LoggingPreference",
    "MalformedError",
    "MisuseError",
    "Nothing",
    "OptionsError",
    "Outcome",
    "Party",
    "Policy",
    "RSAPublicKey",
    "RefusedError",
    "RetainedSecret",
    "RetainedSecrets",
    "Secret",
    "Session",
    "SigningKey",
    "State",
]
