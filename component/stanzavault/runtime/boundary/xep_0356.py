"""What servers allow the vault (XEP-0356), in the version of Prosody (2) and in that of ejabberd (1)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from stanzavault.wire.xml import qualified, split

VERSIONS = ("urn:xmpp:privilege:1", "urn:xmpp:privilege:2")

_NOTICES = frozenset(qualified(version, "privilege") for version in VERSIONS)
_READS = frozenset({"get", "both"})
_TYPES = {
    "roster": frozenset({"get", "set", "both"}),
    "message": frozenset({"outgoing"}),
    "presence": frozenset({"managed_entity", "roster"}),
}
_IQ_TYPES = frozenset({"get", "set", "both"})

_log = logging.getLogger("stanzavault.boundary")


@dataclass(frozen=True, slots=True)
class Granted:
    """What one host allows; "none" is the word of the specification for what it does not.

    Attributes:
        namespace: the version in which the host speaks.
        roster: "none", "get", "set" or "both".
        message: "none" or "outgoing".
        presence: "none", "managed_entity" or "roster".
        iqs: "get", "set" or "both" for each namespace in which the vault may ask for an account.
    """

    namespace: str
    roster: str = "none"
    message: str = "none"
    presence: str = "none"
    iqs: Mapping[str, str] = field(default_factory=dict)

    @property
    def reads_rosters(self) -> bool:
        """Whether the rosters of the host's accounts may be read."""
        return self.roster in _READS


def parse(notice: Element) -> Granted:
    """Read `<privilege/>` as servers send it; what is unknown in it grants nothing.

    Prosody nests each `<namespace/>` of an IQ permission in the one before, where the text has them side by
    side: both shapes are read.
    """
    namespace = split(notice.tag)[0]
    types: dict[str, str] = {}
    iqs: dict[str, str] = {}
    for permission in notice.iterfind(qualified(namespace, "perm")):
        access, type_ = permission.get("access", ""), permission.get("type", "")
        if type_ in _TYPES.get(access, ()):
            types[access] = type_
        if access == "iq":
            for each in permission.iter(qualified(namespace, "namespace")):
                if each.get("type") in _IQ_TYPES:
                    iqs[each.get("ns", "")] = each.get("type", "")
    return Granted(namespace, iqs=iqs, **types)


class Privileges:
    """What each host allows at present; hosts tell it whenever the vault connects."""

    def __init__(self) -> None:
        self._granted: dict[str, Granted] = {}

    def record(self, host: str, notice: Element) -> None:
        """Take over what a configured host tells; a version that is not spoken grants nothing."""
        if notice.tag not in _NOTICES:
            _log.warning("a server grants privileges in an unknown version", extra={"action": "privilege"})
            return
        granted = self._granted[host] = parse(notice)
        told = (
            "a server lets us read rosters" if granted.reads_rosters else "a server keeps rosters to itself"
        )
        _log.info(told, extra={"action": "privilege"})

    def of(self, host: str) -> Granted | None:
        """What a host allows, None where it told nothing."""
        return self._granted.get(host)

    def forget(self) -> None:
        """The link is gone, and with it what was allowed on it."""
        self._granted.clear()
