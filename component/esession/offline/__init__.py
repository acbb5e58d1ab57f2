"""Encrypted sessions with a peer that is offline (XEP-0187).

Before leaving: `publish`. To reach someone who has left: `verify`, then `start`. On return: `Absence`.
"""

from esession.offline.absence import Absence
from esession.offline.options import OfferedOptions, Publication, publish, verify
from esession.offline.starting import start
from esession.offline.values import OfflineValues

__all__ = ["Absence", "OfferedOptions", "OfflineValues", "Publication", "publish", "start", "verify"]
