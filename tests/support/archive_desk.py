"""The archive slice over a real database, asked as through the stream."""

from __future__ import annotations

from contextlib import nullcontext
from itertools import count
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

from stanzavault.archive.routes import ArchiveRoutes
from stanzavault.kernel.limits import Limits
from stanzavault.runtime.boundary import Addressing, Boundary, Pace, Privileges, Terms
from stanzavault.runtime.stream import to_wire
from support.service import Inside

COMPONENT = "jabber:component:accept"
VAULT = "vault.example.org"
HOSTS = ("example.org", "montague.net", "capulet.com")
ARCHIVE = "urn:xmpp:archive"
ROMEO = "romeo@montague.net/orchard"
_STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"


class Refused(Exception):
    """The vault answered with an error."""

    def __init__(self, condition: str, text: str) -> None:
        super().__init__(f"{condition}: {text}")
        self.condition = condition
        self.text = text


class ArchiveDesk:
    """The archive's routes behind a boundary; every answer passes what the stream demands of it."""

    def __init__(
        self, service: Inside, *, limits: Limits | None = None, quota: int = 1 << 30, client: str = ROMEO
    ) -> None:
        self.service = service
        self.limits = limits or Limits()
        self.client = client
        self.unopened = 0
        self.sent: list[Element] = []
        self._ids = count()
        self.routes = ArchiveRoutes(
            service.database, limits=self.limits, quota=quota, unopened=self.count_unopened
        ).routes()
        self.boundary = Boundary(
            Addressing(VAULT, HOSTS),
            Terms(self.limits.reply, Pace(1, 1_000_000), answer_within=60.0, version="1"),
            [self.routes], Privileges(), self, observer=self, correlated=lambda _id: nullcontext(),
        )  # fmt: skip

    def count_unopened(self) -> None:
        self.unopened += 1

    # What the boundary sends with and tells.

    async def send(self, stanza: Element) -> None:
        said = to_wire(stanza).decode().replace("<iq", f"<iq xmlns='{COMPONENT}'", 1)
        self.sent.append(ET.fromstring(said))

    async def request(self, iq: Element, within: float) -> Element:
        raise AssertionError("the archive asks nobody")

    def settled(self, kind: str, outcome: str, seconds: float) -> None:
        pass

    # What a client says.

    async def ask(
        self, type_: str, payload: Element | str, *, sender: str = "", to: str = VAULT
    ) -> Element | None:
        """The payload of the result, None for an empty one.

        Raises:
            Refused: an error was answered.
        """
        addressed = {"type": type_, "id": f"q{next(self._ids)}", "from": sender or self.client, "to": to}
        iq = Element(f"{{{COMPONENT}}}iq", addressed)
        iq.append(ET.fromstring(payload) if isinstance(payload, str) else payload)
        return result_of(await self.hand(iq))

    async def hand(self, iq: Element) -> Element:
        """The stanza that answers an IQ."""
        mine = [iq.get("id"), iq.get("from")]
        await self.boundary.handle(iq)
        (answer,) = [each for each in self.sent if [each.get("id"), each.get("to")] == mine]
        self.sent.remove(answer)
        return answer

    async def get(self, payload: Element | str, **how: str) -> Element:
        """The payload of the result of an IQ of type get."""
        answer = await self.ask("get", payload, **how)
        assert answer is not None
        return answer

    async def set(self, payload: Element | str, **how: str) -> Element | None:
        """The payload of the result of an IQ of type set."""
        return await self.ask("set", payload, **how)


def result_of(answer: Element) -> Element | None:
    """The payload of a result.

    Raises:
        Refused: the answer is an error.
    """
    error = answer.find(f"{{{COMPONENT}}}error")
    if error is not None:
        assert answer.get("type") == "error"
        conditions = [child.tag.split("}")[1] for child in error if child.tag.startswith(f"{{{_STANZAS}}}")]
        raise Refused(conditions[0], error.findtext(f"{{{_STANZAS}}}text") or "")
    assert answer.get("type") == "result"
    assert len(answer) <= 1
    return answer[0] if len(answer) else None
