"""The component's stream to its server (XEP-0114), which a hostile or broken server side can't drop or stall.

Use ``Stream`` with ``StreamSettings``; everything else here is what its interface speaks of.
"""

from .failures import ConfigurationError, Disconnected, Failure, FailureReason
from .observer import SilentObserver, StreamObserver
from .refusals import Refusal
from .settings import QueueLimits, ReconnectPace, StanzaLimits, StreamSettings
from .stream import Stream
from .writer import COMPONENT, to_wire

__all__ = [
    "COMPONENT",
    "ConfigurationError",
    "Disconnected",
    "Failure",
    "FailureReason",
    "QueueLimits",
    "ReconnectPace",
    "Refusal",
    "SilentObserver",
    "StanzaLimits",
    "Stream",
    "StreamObserver",
    "StreamSettings",
    "to_wire",
]
