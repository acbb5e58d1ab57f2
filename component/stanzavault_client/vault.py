"""The plugin `vault`: finds the vault of an account by service discovery (XEP-0030)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from slixmpp import JID
from slixmpp.exceptions import XMPPError
from slixmpp.plugins import BasePlugin

from stanzavault.archive.stanza.xep_0136_parts import NAMESPACE as ARCHIVE
from stanzavault.kernel.address import Address
from stanzavault.kernel.errors import JidMalformed
from stanzavault.keys.stanza.xep_0189 import PUBKEY
from stanzavault.offline.stanza.xep_0013 import NAMESPACE as OFFLINE
from stanzavault_client.asking import Asker
from stanzavault_client.errors import NoVault
from stanzavault_client.policy import Policy
from stanzavault_client.storage import Store

__all__ = ["ARCHIVE", "OFFLINE", "PUBKEY", "FoundVault", "VaultPlugin"]

_LOOK_WITHIN: Final = 10.0  # seconds: a service that is down hides no other
_MOST_LOOKS: Final = 100
_IDENTITY: Final = ("component", "archive")


@dataclass(frozen=True, slots=True)
class FoundVault:
    """A vault as it presents itself.

    Attributes:
        jid: its address.
        features: what it serves.
    """

    jid: str
    features: frozenset[str] = field(repr=False)

    def address_of(self, account: Address) -> str:
        r"""Where this vault is asked about an account, or left a message for it: `user\40host@vault`."""
        return str(account.inside(self.jid))


class VaultPlugin(BasePlugin):
    """Finds vaults, and the way to one's own.

    Configuration: `jid` is the vault of one's own server, for where discovery does not show it. `way` is how
    one's own account is served: "directly" (the vault is asked), "account" (one's own account is asked, and
    the server hands it over, XEP-0355), or "any": directly where a vault is found, and else by account.
    """

    name = "vault"
    description = "Stanzavault: discovery of the vault"
    dependencies: ClassVar[set[str]] = {"xep_0030"}
    default_config: ClassVar[dict[str, Any]] = {"jid": "", "way": "any", "store": None, "policy": Policy()}

    store: Store
    policy: Policy

    def plugin_init(self) -> None:
        """See BasePlugin."""
        self.asker = Asker(self.xmpp, self.policy.answer_within)
        self._found: dict[str, FoundVault] = {}
        self._looking: asyncio.Task[FoundVault] | None = None
        self._handed_over: frozenset[str] | None = None

    def session_bind(self, jid: Any) -> None:  # noqa: ARG002 - slixmpp gives the address that the server bound
        """Forget what was found: another session may see another server."""
        self._found.clear()
        self._looking = None
        self._handed_over = None

    @property
    def own_account(self) -> Address:
        """The account of this client."""
        return Address.parse(self.xmpp.boundjid.bare)

    async def find(self, domain: str | None = None) -> FoundVault:
        """The vault of a host, by default one's own host's.

        Raises:
            NoVault: its server shows none, or several.
            IqError: its server does not say what it has.
            IqTimeout: it does not answer.
        """
        host = domain or self.own_account.domain
        if host not in self._found:
            self._found[host] = await self._discover(host)
        return self._found[host]

    def found(self, host: str) -> FoundVault | None:
        """The vault of a host, if it was found before."""
        return self._found.get(host)

    def with_own(self, handle: Callable[[FoundVault], None]) -> None:
        """Call `handle` with the vault of one's own host: at once if it was found, or else when it is.

        What the vault sends unasked may come before it was ever looked for. It is looked for once in a
        session, so that nobody who pretends to be a vault makes this client ask again and again.
        """
        own = self._found.get(self.own_account.domain)
        if own is not None:
            handle(own)
            return
        if self._looking is None:
            self._looking = asyncio.create_task(self.find())
        self._looking.add_done_callback(
            lambda task: handle(task.result()) if not task.cancelled() and not task.exception() else None
        )

    async def handed_over(self) -> frozenset[str]:
        """The namespaces of the vault's protocols that one's own account itself serves (XEP-0355)."""
        if self._handed_over is None:
            features = (await self._info(str(self.own_account))).features
            self._handed_over = features & {ARCHIVE, PUBKEY, OFFLINE}
        return self._handed_over

    async def way_to(self, namespace: str) -> str | None:
        """Where to ask about one's own account: the vault's address, or None for the account itself.

        Raises:
            NoVault: neither a vault nor the account serves this namespace.
        """
        if self.way != "account":
            try:
                return (await self.find()).jid
            except NoVault:
                if self.way == "directly":
                    raise
        if namespace in await self.handed_over():
            return None
        raise NoVault(f"Neither a vault nor {self.own_account} itself serves {namespace}.")

    async def address_of(self, account: Address) -> str:
        """Where to ask about an account, or to leave it a message.

        Raises:
            NoVault: its host has none.
        """
        return (await self.find(account.domain)).address_of(account)

    async def _discover(self, host: str) -> FoundVault:
        if self.jid and host == self.own_account.domain:
            return await self._info(self.jid)
        answer = await self.xmpp.plugin["xep_0030"].get_items(JID(host), timeout=self.policy.answer_within)
        domains = _domains(jid for jid, _, _ in answer["disco_items"]["items"])
        looks = await asyncio.gather(*(self._look_at(domain) for domain in domains))
        vaults = [vault for vault in looks if vault is not None]
        if len(vaults) == 1:
            return vaults[0]
        if vaults:
            names = ", ".join(vault.jid for vault in vaults)
            raise NoVault(f"{host} has several vaults ({names}): name one in the configuration.")
        raise NoVault(f"{host} shows no vault among its services.")

    async def _look_at(self, domain: str) -> FoundVault | None:
        """A service as a vault, None where it is something else or does not answer."""
        try:
            async with asyncio.timeout(_LOOK_WITHIN):
                answer = await self._ask_info(domain)
        except (XMPPError, TimeoutError):
            return None
        kinds = {(category, type_) for category, type_, _, _ in answer["identities"]}
        features = frozenset(answer["features"])
        return FoundVault(domain, features) if _IDENTITY in kinds and PUBKEY in features else None

    async def _info(self, jid: str) -> FoundVault:
        return FoundVault(jid, frozenset((await self._ask_info(jid))["features"]))

    async def _ask_info(self, jid: str) -> Any:
        answer = await self.xmpp.plugin["xep_0030"].get_info(
            JID(jid), local=False, cached=False, timeout=self.policy.answer_within
        )
        return answer["disco_info"]


def _domains(jids: Iterable[str]) -> list[str]:
    """The services among what a host lists: a host that lists no end of them is not asked about each."""
    found = set()
    for jid in jids:
        try:
            address = Address.parse(str(jid))
        except JidMalformed:
            continue
        if not address.local and address.is_bare:
            found.add(address.domain)
    return sorted(found)[:_MOST_LOOKS]
