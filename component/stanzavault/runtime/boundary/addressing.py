"""Who sends a stanza, and which account it is about (docs/architecture.md, "How the vault is addressed")."""

from __future__ import annotations

from collections.abc import Iterable

from stanzavault.kernel.address import Address
from stanzavault.kernel.errors import BadRequest, Forbidden, ItemNotFound, JidMalformed, ServiceUnavailable
from stanzavault.kernel.request import Principal, Way


class Addressing:
    """The addresses of one deployment.

    Args:
        component: the vault's own address, a domain.
        hosts: the hosts whose accounts the vault serves, and which may hand over for them.
    """

    def __init__(self, component: str, hosts: Iterable[str]) -> None:
        self.component = Address.parse(component).domain
        self._hosts = frozenset(Address.parse(host).domain for host in hosts)

    def is_server(self, address: Address) -> bool:
        """Whether the address is a configured host's own, so that it may speak for the host's accounts."""
        return not address.local and address.is_bare and address.domain in self._hosts

    def is_account(self, address: Address) -> bool:
        """Whether the address, bare or full, is that of an account of a configured host."""
        return bool(address.local) and address.domain in self._hosts

    def principal(self, address: Address) -> Principal:
        """Who acts, where the server vouches for `address`."""
        return Principal(address, is_local=self.is_account(address))

    def destination(self, to: str | None, principal: Principal, *, is_iq: bool) -> tuple[Way, Address]:
        """The way that a stanza's own `to` tells, and the account that the stanza is about.

        Args:
            to: the attribute as it stands.
            principal: who acts.
            is_iq: whether an IQ is asked of the address, for a resource of the vault serves none.

        Raises:
            BadRequest: there is no `to`.
            JidMalformed: it is no address, or no account's address stands in it (XEP-0106).
            ItemNotFound: it is not the vault's, or of an account that no configured host has.
            ServiceUnavailable: it has a resource.
        """
        if not to:
            raise BadRequest("A stanza needs the attribute 'to'.")
        address = Address.parse(to)
        if address.domain != self.component:
            raise ItemNotFound(f"The vault's address is {self.component}.")
        if is_iq and address.resource:
            raise ServiceUnavailable("The vault has no resources: leave out what follows the slash.")
        if not address.local:
            return Way.DIRECT, principal.address.bare
        account = address.outside()
        if not account.is_bare:
            raise JidMalformed("An account is addressed by its bare address, without a resource.")
        if not self.is_account(account):
            raise ItemNotFound(
                "The vault has no such account: the address of user@host is user\\40host"
                f"@{self.component}, for the hosts that the vault serves."
            )
        return Way.BY_ACCOUNT, account

    def handed_over(self, server: Address, sender: Address, to: str | None) -> Address:
        """The account that a stanza is about which a server hands over.

        Args:
            server: the configured host that hands over.
            sender: the `from` of the stanza handed over.
            to: its `to` as it stands; none, or the server's own address, means the sender's account.

        Raises:
            JidMalformed: `to` is no address.
            BadRequest: `to` has a resource: what is sent to a resource is not the server's to hand over.
            Forbidden: sender or `to` is not of the server's own accounts.
        """
        if not self.is_account(sender) or sender.domain != server.domain:
            raise Forbidden(
                f"{server.domain} hands over for its own accounts alone. Others ask the vault itself, "
                f"at user\\40host@{self.component}."
            )
        if not to:
            return sender.bare
        account = Address.parse(to)
        if account.domain != server.domain:
            raise Forbidden(f"{server.domain} hands over for its own accounts alone.")
        if not account.is_bare:
            raise BadRequest("What is handed over is addressed to a bare address.")
        return account if account.local else sender.bare
