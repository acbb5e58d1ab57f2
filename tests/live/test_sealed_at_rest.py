"""Nothing readable lies at rest: not what people said, not who they are, and no key."""

from __future__ import annotations

import base64
import secrets
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from sqlalchemy import select

from stanzavault.accounts.store import account, owner_key
from stanzavault.accounts.vault import load
from stanzavault.runtime.engines import database_url, writing_engine
from stanzavault.runtime.sealing import MasterKey, MasterKeys, _bound, open_index_key
from support import transparent_vault
from support.archive_stanzas import data, key, page, request, save
from support.files import postgresql_files, search, sqlite_files
from support.key_desk import ATTEST, PUBKEY, as_owner, form, pubsub
from support.offline_clients import leave
from support.process import ChildProcess
from support.published_keys import OwnKey
from support.resident import Resident, resident
from support.stoppable_postgresql import StoppablePostgreSQL
from support.vaults import DATABASES, ServerVault, Vaults

SPACE = "jabber:x:data"


@pytest.fixture(scope="module")
def own_cluster() -> Iterator[StoppablePostgreSQL]:
    """A PostgreSQL that holds nothing but these vaults, so that all of its files can be searched."""
    cluster = StoppablePostgreSQL()
    cluster.start()
    yield cluster
    cluster.close()


@pytest.fixture(scope="module")
def own_vaults(own_cluster: StoppablePostgreSQL) -> Iterator[Vaults]:
    vaults = Vaults(own_cluster)
    yield vaults
    vaults.close()


@dataclass
class Told:
    """What was told the vault, and must not be read from its files.

    Attributes:
        mark: random, and part of most texts.
        texts: by what they are.
        private: keys that are whole in nobody's hands but their owner's, as bytes.
    """

    mark: str = field(default_factory=lambda: f"mark{secrets.token_hex(8)}")
    texts: dict[str, str] = field(default_factory=dict)
    private: dict[str, bytes] = field(default_factory=dict)

    def new(self, what: str, pattern: str = "{}") -> str:
        """A text with the mark in it, to be told the vault."""
        return self.note(what, pattern.format(f"{what.replace(' ', '-')}-{self.mark}"))

    def note(self, what: str, text: str) -> str:
        """A text that is told the vault."""
        self.texts[what] = text
        return text

    @property
    def needles(self) -> list[str]:
        """Texts such that none of the others can be there if none of these is."""
        return [self.mark, *(text for text in self.texts.values() if self.mark not in text)]


async def archive(told: Told, juliet: Resident) -> None:
    """Save a plain collection with everything that one may have, and an encrypted one."""
    domain = told.new("domain", "{}.example")
    bare = told.note("bare JID", f"{told.new('user')}@{domain}")
    full = told.note("full JID", f"{bare}/{told.new('resource')}")
    room = told.new("room", "{}@rooms.example")
    await juliet.set(
        save(
            full,
            "2026-02-01T10:00:00Z",
            f"<previous with='{told.new('linked', '{}@example.net')}' start='2026-01-01T00:00:00Z'/>",
            f"<x xmlns='{SPACE}' type='submit'><field var='FORM_TYPE'><value>http://example.com/archiving</value>"
            f"</field><field var='{told.new('field')}'><value>{told.new('value')}</value></field></x>",
            f"<from secs='0'><body>{told.new('heard')}</body></from>",
            f"<to secs='1'><body>{told.new('said')}</body></to>",
            f"<from secs='2' name='{told.new('nick')}' jid='{room}'><body>{told.new('shout')}</body></from>",
            f"<note utc='2026-02-01T10:01:00Z'>{told.new('note')}</note>",
            subject=told.new("subject"),
            thread=told.new("thread"),
        )
    )
    data_key = secrets.token_bytes(32)
    told.private["data key of a collection"] = data_key
    nonce = secrets.token_bytes(12)
    secret = f"told nobody {secrets.token_hex(16)}"
    cipher = base64.b64encode(nonce + AESGCM(data_key).encrypt(nonce, secret.encode(), None)).decode()
    oaep = OAEP(MGF1(SHA256()), SHA256(), None)
    wrapped = base64.b64encode(juliet.key.private.public_key().encrypt(data_key, oaep)).decode()
    name = told.new("key name")
    await juliet.set(
        save(
            bare,
            "2026-02-02T10:00:00Z",
            key(
                name, told.note("public key name", juliet.key.fingerprint), told.note("wrapped key", wrapped)
            ),
            data(name, told.note("ciphertext", cipher)),
        )
    )
    listed = await juliet.get(request("list", page(10), with_=domain))
    assert len(listed[0].findall("{urn:xmpp:archive}chat")) == 2


async def publish(told: Told, juliet: Resident, romeo: Resident) -> None:
    """Publish, replace and retract keys on a node with readers of its own, and vouch for another's."""
    told.note("modulus", str(juliet.key.modulus))
    told.note("public key", juliet.key.base64)
    numbers = juliet.key.private.private_numbers()
    for name, number in (("d", numbers.d), ("p", numbers.p), ("q", numbers.q)):
        told.private[f"private key {name}"] = number.to_bytes((number.bit_length() + 7) // 8, "big")
    await juliet.publish(told.new("item"))
    await juliet.publish(told.new("retracted item"), OwnKey(juliet.jid, end="2032-01-01T00:00:00Z"))
    await juliet.set(
        pubsub(f"<retract node='{PUBKEY}'><item id='{told.texts['retracted item']}'/></retract>")
    )
    attestation = OwnKey(romeo.jid).attestation(juliet.key)
    item = f"<item id='{told.new('attestation')}'>{attestation}</item>"
    wanted = form("publish-options", {"pubsub#access_model": "whitelist"})
    await juliet.set(
        pubsub(f"<publish node='{ATTEST}'>{item}</publish><publish-options>{wanted}</publish-options>")
    )
    member = told.new("member", "{}@example.com")
    await juliet.set(
        as_owner(
            f"<affiliations node='{ATTEST}'><affiliation jid='{member}' affiliation='member'/></affiliations>"
        )
    )
    subscriber = romeo.client.boundjid.full
    await romeo.set(pubsub(f"<subscribe node='{PUBKEY}' jid='{subscriber}'/>"), to=juliet.address)
    assert set(await romeo.published(juliet)) == {told.texts["item"]}


async def dialogue(vault: ServerVault) -> Told:
    """Use all three stores as real clients do."""
    told = Told()
    async with resident(vault, "juliet") as juliet, resident(vault, "nurse") as nurse:
        absent = nurse.account
        async with resident(vault, "romeo", resource=told.new("orchard")) as romeo:
            for person in (juliet, nurse, romeo):
                told.note(f"account {person.account.user}", person.account.user)
            await publish(told, juliet, romeo)
            await archive(told, juliet)
    async with resident(vault, account=romeo.account, resource=told.new("garden")) as romeo:
        more = f"<nick xmlns='http://jabber.org/protocol/nick'>{told.new('nickname')}</nick>"
        leave(romeo.client, vault, absent, told.new("left"), more=more)
        await romeo.client.pass_through(vault.jid)
    return told


@asynccontextmanager
async def files_of(vault: ServerVault, cluster: StoppablePostgreSQL) -> AsyncIterator[list[Path]]:
    """Every file of a vault's database, as it lies there while the vault runs."""
    if not vault.database_url:
        yield sqlite_files(vault.folder / "vault.db")
        return
    files = await postgresql_files(cluster)
    cluster.freeze()  # so that no file goes while it is searched
    try:
        yield [file for file in files if file.exists()]
    finally:
        cluster.thaw()


async def own_keys(vault: ServerVault) -> dict[str, bytes]:
    """Every key of a vault's own, unwrapped: master key, index key, and those of its accounts."""
    text = vault.master_key_file.read_text()
    masters = MasterKeys(lambda: text)
    engine = writing_engine(database_url(vault.database_url or f"sqlite:///{vault.folder}/vault.db"), 1)
    async with engine.connect() as connection:
        row = await load(connection)
        assert row is not None
        rows = (
            await connection.execute(select(account.c.lookup, owner_key).join_from(account, owner_key))
        ).all()
    await engine.dispose()
    found = {
        "master key": MasterKey.parse(text).key,
        "index key": open_index_key(masters, row.master, row.index_key),
    }
    for number, one in enumerate(rows):
        bound = _bound(one.lookup, one.purpose, one.version)
        found[f"key {number} of an account"] = masters.unwrap(one.master, bound, one.wrapped)
    assert len(found) == 2 + 2 * 3
    return found


def holding(files: list[Path], key: bytes) -> list[tuple[Path, str]]:
    """The files in which a key stands, as it is or written in one of the usual ways."""
    base32 = base64.b32encode(key).decode().rstrip("=")[:48]
    forms = {
        "raw": key,
        "hex": key.hex().encode(),
        "HEX": key.hex().upper().encode(),
        "Base32": base32.encode(),
        "base32": base32.lower().encode(),
        "dashed": "-".join(base32.lower()[start : start + 8] for start in range(0, 48, 8)).encode(),
        "decimal": str(int.from_bytes(key, "big")).encode(),
    }
    for shift in range(3):
        digits = base64.b64encode(bytes(shift) + key + bytes(2)).rstrip(b"=")
        forms[f"Base64, shifted by {shift}"] = digits[(shift * 8 + 5) // 6 : (shift + len(key)) * 8 // 6]
    contents = {file: file.read_bytes() for file in files}
    return [(file, name) for file in files for name, form_ in forms.items() if form_ in contents[file]]


@pytest.mark.parametrize("database", DATABASES)
async def test_neither_words_nor_addresses_nor_keys_lie_readable_in_the_database(
    database: str, own_vaults: Vaults, own_cluster: StoppablePostgreSQL
) -> None:
    """Bodies, subjects, threads, forms, notes, names, item ids, JIDs at every grain, every kind of key."""
    vault = await own_vaults.new(f"prosody-{database}")
    told = await dialogue(vault)
    keys = {**told.private, **await own_keys(vault)}
    async with files_of(vault, own_cluster) as files:
        assert search(files, *told.needles) == []
        for key_of, secret in keys.items():
            assert holding(files, secret) == [], key_of


@pytest.mark.parametrize("database", DATABASES)
async def test_the_same_search_finds_everything_where_nothing_is_sealed(
    database: str, own_vaults: Vaults, own_cluster: StoppablePostgreSQL
) -> None:
    vault = await own_vaults.new(f"prosody-{database}")
    assert await vault.stop() == 0
    vault.process = ChildProcess(
        "transparent stanzavault",
        [sys.executable, transparent_vault.__file__, vault.file],
        folder=vault.folder,
    )
    await vault.wait_until_ready()
    told = await dialogue(vault)
    async with files_of(vault, own_cluster) as files:
        marked = sorted({find.file for find in search(files, told.mark)})
        missed = set(told.texts.values()) - {find.text for find in search(marked, *told.texts.values())}
        # What the client itself encrypted stays so, whoever keeps it.
        readable = [name for name, secret in told.private.items() if holding(marked, secret)]
    assert not missed, {what: text for what, text in told.texts.items() if text in missed}
    assert readable == []


def test_the_search_for_keys_finds_one_in_each_way_of_writing(tmp_path: Path) -> None:
    secret = secrets.token_bytes(32)
    written = {
        "raw": secret,
        "hex": secret.hex().encode(),
        "base64": base64.b64encode(secret),
        "master key": MasterKey(secret, b"").text().encode(),
        "decimal": str(int.from_bytes(secret, "big")).encode(),
    }
    for name, content in written.items():
        file = tmp_path / name
        file.write_bytes(b"before" + content + b"after")
        assert holding([file], secret), name
