"""A conversation on a terminal, over an encrypted session."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any, Final

from slixmpp import JID, ClientXMPP

from esession import MalformedError, MisuseError
from esession.events import EndReason, RenegotiationRequested, StanzaReceived, VerificationNeeded
from esession.keys import bare
from stanzavault_client.cli.terminal import visible
from stanzavault_client.cli.words import told
from stanzavault_client.esession import EncryptedSession, ESessionPlugin, Happening, SessionFailed
from stanzavault_client.esession.happenings import NAMES

HONESTY: Final = (
    "ESessions are a Deferred protocol, and nobody has audited this program."
    " Who needs protection today takes OMEMO or MLS."
)
_HEARD: Final = (set(NAMES.values()) - {"esession_requested"}) | {"esession_message"}
_LEAVE_WITHIN: Final = 5.0
_YES: Final = frozenset({"y", "yes"})
_NO: Final = frozenset({"n", "no"})


class Conversation:
    """One conversation on a terminal.

    Args:
        client: logged in.
        sessions: its plugin.
        lines: what the user types; it ends when the user has had enough.
        show: tells the user a line.
    """

    def __init__(
        self,
        client: ClientXMPP,
        sessions: ESessionPlugin,
        lines: AsyncIterator[str],
        show: Callable[[str], None],
    ) -> None:
        self._client = client
        self._sessions = sessions
        self._lines = lines
        self._show = show
        self._session: EncryptedSession | None = None
        self._asked: asyncio.Queue[EncryptedSession] = asyncio.Queue()
        self._unverified = False

    async def hold(self, peer: str, *, wait: bool = False) -> EndReason:
        """Hold a conversation until the user or the peer ends it.

        Args:
            peer: the other's address.
            wait: be asked for a session, instead of asking.

        Raises:
            SessionFailed: no session came about, with the reason.
        """
        self._show(HONESTY)
        handlers = dict.fromkeys(_HEARD, self._take) | {"esession_requested": self._take_request}
        for name, handler in handlers.items():
            self._client.add_event_handler(name, handler)
        try:
            session = await (self._wait_for(peer) if wait else self._open(peer))
            return await self._talk(session)
        finally:
            for name, handler in handlers.items():
                self._client.del_event_handler(name, handler)
            with suppress(TimeoutError):
                async with asyncio.timeout(_LEAVE_WITHIN):
                    await self._sessions.end_all()

    async def _open(self, peer: str) -> EncryptedSession:
        self._show(f"Asking {visible(peer)} for an encrypted session …")
        try:
            return await self._sessions.open(peer)
        except SessionFailed as failure:
            if failure.reason is not EndReason.CANCELLED or self._asked.empty():
                raise
            return await self._wait_for(peer)  # both have asked at once, and the other's request goes on

    async def _wait_for(self, peer: str) -> EncryptedSession:
        self._show(f"Waiting for {visible(peer)} to ask for an encrypted session …")
        while True:
            session = await self._asked.get()
            if JID(peer).bare == bare(session.peer):
                await session.accept()
                return session
            self._show(f"{visible(session.peer)} asks for a session too, and gets no answer.")

    async def _talk(self, session: EncryptedSession) -> EndReason:
        """Send what is typed, until there is no more or the session is over."""
        over = asyncio.ensure_future(session.until_over())
        typed: asyncio.Future[str | None] | None = None
        try:
            while not over.done():
                typed = typed or asyncio.ensure_future(anext(self._lines, None))
                either: set[asyncio.Future[Any]] = {over, typed}
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
                if typed.done():
                    line, typed = typed.result(), None
                    if line is None:
                        return (await session.end()).reason
                    await self._take_line(session, line)
            return over.result().reason
        finally:
            for each in (over, typed):
                if each is not None:
                    each.cancel()

    async def _take_line(self, session: EncryptedSession, line: str) -> None:
        if self._unverified:
            await self._take_comparison(session, line.strip().lower())
        elif line.strip() and session.is_talking:
            try:
                await session.send(body=line)
            except (MalformedError, MisuseError) as error:
                self._show(f"! This was not sent: {error}.")

    async def _take_comparison(self, session: EncryptedSession, answer: str) -> None:
        if answer in _NO:
            self._show("! Then somebody sits between you. The session is ended; trust nothing said in it.")
            await session.end()
            return
        self._unverified = False
        if answer in _YES:
            await session.confirm_sas()
            self._show("Remembered: the next session with this client is known to be with the same one.")
        else:
            self._show("Not compared: you will be asked again with the next session.")

    # --- what is shown --------------------------------------------------------------------------------

    def _take_request(self, happening: Happening) -> None:
        self._asked.put_nowait(happening.session)

    def _take(self, happening: Happening) -> None:
        event, peer = happening.event, visible(happening.session.peer)
        if isinstance(event, StanzaReceived):
            for line in (happening.stanza["body"] or "").splitlines():
                mark = "" if event.encrypted else "(not encrypted) "
                self._show(f"{peer}: {mark}{visible(line)}")
        elif isinstance(event, RenegotiationRequested):
            self._show(f"{peer} wants other terms, which this program does not offer: declined.")
            self._declining = asyncio.ensure_future(happening.session.answer_renegotiation(accept=False))
        else:
            self._unverified |= isinstance(event, VerificationNeeded)
            for line in told(event, peer):
                self._show(line)
