"""The plugin `esession`: encrypted sessions over slixmpp (XEP-0116, 0155, 0187, 0200, 0201, 0217)."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar
from xml.etree import ElementTree as ET

from slixmpp import JID, ClientXMPP
from slixmpp.plugins import BasePlugin
from slixmpp.xmlstream import StanzaBase

from esession import Identity, MisuseError, Outcome, Party, Session, State
from esession import Policy as SessionPolicy
from esession.keys import bare
from esession.wire.xep_0155 import FEATURES, ROSTER_EXCHANGE
from stanzavault_client.archive import ArchivePlugin, Saved
from stanzavault_client.errors import ClientError
from stanzavault_client.esession.absence import OfflineSessions
from stanzavault_client.esession.routing import Router
from stanzavault_client.esession.sending import Sender
from stanzavault_client.esession.session import EncryptedSession
from stanzavault_client.esession.sessions import Sessions, thread_of
from stanzavault_client.esession.transcript import Transcript
from stanzavault_client.lookup import plugin_of
from stanzavault_client.policy import Policy
from stanzavault_client.storage import Store


class NotArchivable(ClientError):
    """The session may not be archived, or nothing of it was kept."""


class ESessionPlugin(BasePlugin):
    """Encrypted sessions, explicit ones: what is sent through a session is encrypted, and nothing else.

    The protocol is Deferred, hardly a peer speaks it, and nobody has audited this code: who needs protection
    today takes OMEMO or MLS. The handlers of each event `esession_…` are given a `Happening`; which events
    exist, and what each obliges a client to show, stands in docs/esession/first-chat.md and events.md.

    Configuration: `sessions` is what is offered and accepted; `peers` pins another such policy for a bare
    JID, with another profile for instance; `transcripts` keeps the messages of each session in memory, where
    its terms allow that, so that it can be archived.
    """

    name = "esession"
    description = "Stanzavault: encrypted sessions (XEP-0116)"
    dependencies: ClassVar[set[str]] = {"xep_0030", "xep_0115"}
    default_config: ClassVar[dict[str, Any]] = {
        "store": None,
        "policy": Policy(),
        "sessions": SessionPolicy(),
        "peers": {},
        "transcripts": False,
    }

    store: Store
    policy: Policy
    sessions: SessionPolicy
    peers: Mapping[str, SessionPolicy]
    transcripts: bool

    def plugin_init(self) -> None:
        """See BasePlugin."""
        if not isinstance(self.xmpp, ClientXMPP):
            raise TypeError("encrypted sessions are for clients, not for components")
        self.client: ClientXMPP = self.xmpp
        for event, handler in self._handlers().items():
            self.client.add_event_handler(event, handler)
        self.sender = Sender(self.client)
        self.offline = OfflineSessions(self)
        self._sessions = Sessions()
        self._router = Router(self.client, self._sessions, self.sender, self)
        self.client.add_filter("in", self._filter)

    def plugin_end(self) -> None:
        """See BasePlugin."""
        self._lose_all({})
        for event, handler in self._handlers().items():
            self.client.del_event_handler(event, handler)
        self.client.del_filter("in", self._filter)
        self.sender.close()
        for feature in self._features:
            self.client.plugin["xep_0030"].del_feature(feature=feature)

    def session_bind(self, jid: Any) -> None:  # noqa: ARG002 - slixmpp gives the address that the server bound
        """Tell what this client supports (XEP-0116 section 3), in the capabilities of its presence too."""
        for feature in self._features:
            self.xmpp.plugin["xep_0030"].add_feature(feature)
        self._capabilities = asyncio.ensure_future(self.xmpp.plugin["xep_0115"].update_caps(broadcast=False))

    # --- sessions -------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[EncryptedSession]:
        """All sessions that are not over."""
        return iter(self._sessions)

    async def open(
        self,
        peer: str,
        *,
        policy: SessionPolicy | None = None,
        other_secret: bytes = b"",
        one_shot: StanzaBase | ET.Element | None = None,
    ) -> EncryptedSession:
        """Ask a peer for a session, and wait until it stands.

        Args:
            peer: its JID; of a bare one, the first resource that answers is taken.
            policy: what is offered; by default what is pinned for the peer, or the plugin's.
            other_secret: a secret that both users know (XEP-0116 section 4.6.3).
            one_shot: a message to send in isolation, in place of a session (XEP-0116 section 4.6.4).

        Raises:
            MisuseError: the policy can't be offered, or there is a session with this very resource.
            SessionFailed: the peer declined, was not reached, or failed.
        """
        address = str(JID(peer))
        policy = policy or self.policy_for(address)
        if not policy.multisession:
            self.require_no_session_with(address)
        single = one_shot.xml if isinstance(one_shot, StanzaBase) else one_shot
        party = self.party(policy, other_secret)
        session = self.take_in(*Session.open(party, address, self.now(), one_shot=single))
        try:
            await session.until_active()
        except BaseException:
            session.terminate()
            raise
        return session

    async def end_all(self) -> None:
        """Terminate every session, as all have to be before going offline (XEP-0116 section 5)."""
        for session in self._sessions:
            session.terminate()
        for session in self._sessions:
            await session.until_over()

    async def archive(self, session: EncryptedSession) -> Saved:
        """Save the messages of a finished session, encrypted again under the user's own keys (XEP-0241).

        Such a copy gives up the forward secrecy that the session had.

        Raises:
            NotArchivable: its terms forbade to keep messages, none were kept, or it isn't over.
            NoRecipient: there is no key to seal it to.
        """
        if session.state is not State.ENDED:
            raise NotArchivable("The session is not over yet.")
        if session.transcript is None:
            raise NotArchivable("Nothing was kept of the session: set `transcripts` before it begins.")
        if not session.transcript.messages:
            raise NotArchivable("Nothing of the session may be kept, or nothing was said in it.")
        archive = plugin_of(self.client, ArchivePlugin)
        saved = await archive.save_messages(
            bare(session.peer), session.transcript.messages, thread=session.thread
        )
        session.transcript.forget()
        return saved

    # --- for this package's own modules ---------------------------------------------------------------

    @property
    def answer_within(self) -> float:
        """Seconds after which a request counts as unanswered."""
        return self.policy.answer_within

    def now(self) -> datetime:
        """The present time."""
        return datetime.now(UTC)

    def policy_for(self, peer: str) -> SessionPolicy:
        """What is offered to a peer, and accepted from it."""
        return self.peers.get(bare(peer), self.sessions)

    def party(self, policy: SessionPolicy, other_secret: bytes = b"") -> Party:
        """Our side of a negotiation: the newest valid key, a published one before others, identifies us."""
        now = self.now()
        own = [key for key in self.store.own_keys.of(self.client.boundjid.bare) if key.is_valid_at(now)]
        own.reverse()
        own.sort(key=lambda key: not key.item_id)
        return Party(
            Identity(self.client.boundjid.full, tuple(key.private for key in own)),
            policy,
            secrets.token_bytes,
            self.store.retained_secrets,
            self.store.known_keys.for_sessions,
            other_secret,
        )

    def require_no_session_with(self, jid: str) -> None:
        """Refuse a second session with the same address (XEP-0155 section 4, XEP-0187 section 3).

        Raises:
            MisuseError: there is one.
        """
        if any(jid in {each.peer, bare(each.peer)} for each in self._sessions):
            raise MisuseError("there is a session with this peer already")

    def take_in(
        self, session: Session, outcome: Outcome, *, said: ET.Element | None = None
    ) -> EncryptedSession:
        """Take in a session that has just begun.

        Args:
            session: the library's.
            outcome: what its beginning brought.
            said: a message of ours that went along.
        """
        transcript = Transcript() if self.transcripts else None
        if transcript is not None and said is not None:
            transcript.add(said, session.terms, self.now(), incoming=False)
        taken = EncryptedSession(session, self, transcript)
        self._sessions.add(taken)
        taken.apply(outcome)
        return taken

    def stands(self, session: EncryptedSession) -> None:
        """See Desk: an older session with the same resource is over, unless several were agreed on."""
        if session.terms is not None and not session.terms.multisession:
            for each in self._sessions:
                if each is not session and each.peer == session.peer and each.is_talking:
                    each.lose()

    def ended(self, session: EncryptedSession) -> None:
        """See Desk."""
        self._sessions.end(session)

    def requested(self, stanza: ET.Element) -> None:
        """See Newcomers: nothing is answered before the application accepts or rejects."""
        sender = stanza.get("from", "")
        policy = self.policy_for(sender)
        rivals = [each for each in self._sessions if each.peer in {sender, bare(sender)}]
        for rival in rivals if not policy.multisession else []:
            if rival.state is State.REQUESTED:
                # Both have asked at once: both let the request with the lesser thread go on.
                if rival.thread < thread_of(stanza):
                    return
                rival.terminate()
        self.take_in(*Session.asked(self.party(policy), stanza, self.now()))

    def started_offline(self, stanza: ET.Element) -> None:
        """See Newcomers."""
        self.offline.take(stanza)

    def comes_early(self, stanza: ET.Element) -> bool:
        """See Newcomers."""
        return self.offline.hold(stanza)

    def take_again(self, stanza: ET.Element) -> None:
        """Take a stanza that was held back, in its turn."""
        self._router.take_element(stanza)

    def came_online(self, jid: str) -> None:
        """End sessions with one who was offline, as soon as it is online (XEP-0187 section 5)."""
        for session in self._sessions:
            if session.state is State.SENDING and bare(session.peer) == bare(jid):
                session.terminate()

    # --- the stream -----------------------------------------------------------------------------------

    @property
    def _features(self) -> tuple[str, ...]:
        gajim = any(each.profile.name == "gajim" for each in (self.sessions, *self.peers.values()))
        return (*FEATURES, ROSTER_EXCHANGE) if gajim else FEATURES

    def _handlers(self) -> dict[str, Any]:
        return {
            "connecting": self._place_filters,
            "disconnected": self._interrupted,
            "session_resumed": self._continued,
            "session_start": self._lose_all,
            "session_end": self._lose_all,
        }

    def _place_filters(self, _event: object) -> None:
        """Place the filters behind those of all other plugins: stream management has to count first."""
        self.client.del_filter("in", self._filter)
        self.client.add_filter("in", self._filter)
        self.sender.be_last()

    def _filter(self, stanza: StanzaBase) -> StanzaBase | None:
        return self._router.take(stanza)

    def _interrupted(self, _event: object) -> None:
        """Keep sessions over an interruption only where the stream can be resumed (XEP-0198)."""
        if self.client.end_session_on_disconnect:
            self._lose_all({})

    def _continued(self, _event: object) -> None:
        for session in self._sessions:
            session.resumed()

    def _lose_all(self, _event: object) -> None:
        """End every session without a word: this is another stream, and stanzas may be missing."""
        self.sender.forget()
        for session in self._sessions:
            session.lose()
