"""Requests to the vault: ElementTree out and in, over slixmpp's IQs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Literal, TypeVar
from xml.etree.ElementTree import Element

from slixmpp.basexmpp import BaseXMPP
from slixmpp.exceptions import IqError

from stanzavault.kernel.errors import StanzaError
from stanzavault_client.errors import AnswerMalformed

Result = TypeVar("Result")

_PAUSES: Final = (0.2, 0.5, 1.0, 2.0, 4.0)
"""Seconds between attempts of a question that the vault has no time for, as when it is asked too often."""


class Asker:
    """Asks the vault.

    Args:
        client: over whose stream.
        answer_within: seconds after which a request counts as unanswered.
    """

    def __init__(self, client: BaseXMPP, answer_within: float) -> None:
        self._client = client
        self._answer_within = answer_within

    async def get(self, payload: Element, to: str | None) -> Element:
        """Ask; again and more slowly where the vault says to wait, since a question changes nothing.

        Args:
            payload: the child of the IQ.
            to: whom; None for one's own account, where the server hands over (XEP-0355).

        Raises:
            IqError: it is refused.
            IqTimeout: nobody answers.
            AnswerMalformed: the answer is empty.
        """
        for pause in _PAUSES:
            try:
                return _payload(await self._send("get", payload, to))
            except IqError as error:
                if (error.etype, error.condition) != ("wait", "resource-constraint"):
                    raise
            await asyncio.sleep(pause)
        return _payload(await self._send("get", payload, to))

    async def get_empty(self, payload: Element, to: str | None) -> None:
        """Ask what is answered beside the IQ, once.

        Raises:
            IqError: it is refused.
            IqTimeout: nobody answers.
        """
        await self._send("get", payload, to)

    async def set(self, payload: Element, to: str | None) -> Element | None:
        """Change something, once; the payload of the result, None where it has none.

        Raises:
            IqError: it is refused.
            IqTimeout: nobody answers, so that nobody knows whether it was done.
        """
        answer = await self._send("set", payload, to)
        return answer[0] if len(answer) else None

    async def _send(self, type_: Literal["get", "set"], payload: Element, to: str | None) -> Element:
        iq = self._client.make_iq(itype=type_, ito=to)
        iq.append(payload)
        answer = await iq.send(timeout=self._answer_within)  # type: ignore[no-untyped-call]  # slixmpp
        xml: Element = answer.xml
        return xml


def read(answer: Element, reader: Callable[[Element], Result]) -> Result:
    """What `reader` makes of an answer.

    Raises:
        AnswerMalformed: it is not of its schema.
    """
    try:
        return reader(answer)
    except StanzaError as error:
        raise AnswerMalformed(f"The vault's answer can't be read: {error.text}") from error


def _payload(answer: Element) -> Element:
    if not len(answer):
        raise AnswerMalformed("The vault's answer is empty.")
    return answer[0]
