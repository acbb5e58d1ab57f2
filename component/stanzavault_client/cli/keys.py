"""`stanzavault-client keys`: make, publish, fetch, verify, revoke and recover keys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from stanzavault_client.cli.account import Account, account_of, run
from stanzavault_client.cli.terminal import in_groups, progress, say
from stanzavault_client.errors import NotTrusted

if TYPE_CHECKING:
    from stanzavault_client.keys import SeenKey
    from stanzavault_client.storage import OwnKey, SQLiteStore

commands = typer.Typer(help="Your keys, and those of others.", no_args_is_help=True)

Fingerprint = Annotated[str, typer.Argument(help="The key's fingerprint; your only valid key if not given.")]


class Access(Enum):
    """Who may read what you publish."""

    OPEN = "open"
    PRESENCE = "presence"
    WHITELIST = "whitelist"


@commands.command()
def generate(
    context: typer.Context,
    *,
    bits: Annotated[int, typer.Option(min=2048, max=8192, help="Of the RSA modulus.")] = 3072,
    days: Annotated[int, typer.Option(min=1, max=36500, help="How long it is valid.")] = 730,
) -> None:
    """Make a key pair and keep it on this machine. Nothing is published."""
    from esession.crypto import SigningKey  # noqa: PLC0415 - help loads nothing heavy
    from stanzavault.kernel.address import Address  # noqa: PLC0415 - as above
    from stanzavault.kernel.clock import utc_now  # noqa: PLC0415 - as above
    from stanzavault_client.keys.making import make_key  # noqa: PLC0415 - as above

    account = account_of(context)
    address = Address.parse(account.require_jid()).bare
    with account.opened_store() as store:
        with progress("Making a key"):
            private = SigningKey.generate(bits)
        now = utc_now()
        key = make_key(private, address, now, now + timedelta(days=days))
        store.own_keys.put(key)
    say(f"A key of {bits} bits for {address}, valid until {key.public.end.text}. Its fingerprint:")
    say(f"    {in_groups(key.public.fingerprint.digest.hex())}")
    say("Publish it with: stanzavault-client keys publish")


@commands.command()
def publish(
    context: typer.Context,
    fingerprint: Fingerprint = "",
    *,
    access: Annotated[
        Access | None, typer.Option(help="Who may read your keys; as it is if not given.")
    ] = None,
) -> None:
    """Publish a key of yours, so that others can find it."""

    async def work(account: Account, store: SQLiteStore) -> None:
        async with account.connected(store) as connection:
            keys = connection.plugins.keys
            key = _chosen(keys.own, fingerprint)
            published = await keys.publish(key, access=access.value if access else None)
            vault = await connection.plugins.vault.find()
        say(f"Published at {vault.jid} as item {published.item_id}. Its fingerprint:")
        say(f"    {in_groups(key.public.fingerprint.digest.hex())}")

    run(context, work)


@commands.command()
def fetch(context: typer.Context, jid: Annotated[str, typer.Argument(help="Whose keys.")]) -> None:
    """Show the keys that an account publishes, and what is to be thought of them."""

    async def work(account: Account, store: SQLiteStore) -> None:
        async with account.connected(store) as connection:
            found = await connection.plugins.keys.fetch(jid)
        say(f"{jid} publishes {len(found)} keys." if len(found) != 1 else f"{jid} publishes one key.")
        for key in found:
            _show(key)

    run(context, work)


@commands.command()
def verify(
    context: typer.Context,
    jid: Annotated[str, typer.Argument(help="Whose key.")],
    fingerprint: Annotated[
        str, typer.Argument(help="As its owner told you, by another way than this server.")
    ] = "",
) -> None:
    """Confirm that a key is its account's, after you compared the fingerprint with its owner."""

    async def work(account: Account, store: SQLiteStore) -> None:
        async with account.connected(store) as connection:
            keys = connection.plugins.keys
            told = fingerprint
            if not told:
                for key in await keys.fetch(jid):
                    _show(key)
                say("Ask its owner, by another way than this server, and type what you were told.")
                told = typer.prompt("The fingerprint", err=True)
            seen = await keys.verify(jid, told)
        say(f"Confirmed: {seen.trust.value}.")
        _show(seen)

    run(context, work)


@commands.command()
def revoke(
    context: typer.Context,
    fingerprint: Fingerprint = "",
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask, for automation.")] = False,
) -> None:
    """Withdraw a key of yours for good. It goes on opening what was sealed to it."""

    async def work(account: Account, store: SQLiteStore) -> None:
        async with account.connected(store) as connection:
            keys = connection.plugins.keys
            key = _chosen(keys.own, fingerprint)
            if not yes:
                say(f"Revoke for good: {in_groups(key.public.fingerprint.digest.hex())}")
                typer.confirm("This can't be undone. Go on?", abort=True, err=True)
            await keys.revoke(key)
        say("Revoked: everybody who asks is told.")

    run(context, work)


@commands.command()
def recover(
    context: typer.Context,
    *,
    new_code: Annotated[
        bool, typer.Option("--new-code", help="On a device that has the keys: make a code for another.")
    ] = False,
) -> None:
    """Get your keys on this device with a recovery code, or make such a code."""

    async def make(account: Account, store: SQLiteStore) -> None:
        async with account.connected(store) as connection:
            code = await connection.plugins.recovery.save()
        say("Write this recovery code down, and keep it as safe as your keys:")
        say(f"\n    {code.text}\n")
        say("The vault keeps your keys sealed under it, and can't open them. An earlier code opens no more.")

    async def use(account: Account, store: SQLiteStore) -> None:
        from stanzavault_client.recovery import RecoveryCode  # noqa: PLC0415 - help loads nothing heavy

        code = RecoveryCode.parse(typer.prompt("Recovery code", hide_input=True, err=True))
        async with account.connected(store) as connection:
            keys = await connection.plugins.recovery.recover(code)
        say(f"Keys on this device now: {len(keys)}.")

    run(context, make if new_code else use)


def _chosen(own: Sequence[OwnKey], fingerprint: str) -> OwnKey:
    """The key of that fingerprint, or the only one that is valid.

    Raises:
        NotTrusted: there is none, or there are several.
    """
    from stanzavault.kernel.clock import utc_now  # noqa: PLC0415 - help loads nothing heavy

    now = utc_now()
    wanted = "".join(fingerprint.split())
    if wanted:
        found = [key for key in own if wanted in {key.fingerprint, key.public.fingerprint.digest.hex()}]
    else:
        found = [key for key in own if key.is_valid_at(now)]
    if not found:
        raise NotTrusted("No key", ["this device has none of that kind: make one with keys generate"])
    if len(found) > 1:
        names = [in_groups(key.public.fingerprint.digest.hex()) for key in found]
        raise NotTrusted("Say which key", names)
    return found[0]


def _show(key: SeenKey) -> None:
    say(f"\n    {in_groups(key.public.fingerprint.digest.hex())}")
    say(f"    {key.public.key.bits} bits, valid {key.public.begin.text} to {key.public.end.text}")
    say(f"    trust: {key.trust.value}{''.join(f'; {who} vouches for it' for who in key.vouchers)}")
    for problem in key.problems:
        say(f"    not to be used: {problem}")
