"""Collections through real servers, as real clients ask the vault and their own account (XEP-0136)."""

from __future__ import annotations

import base64
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

import pytest

from support.accounts import new_account
from support.archive_stanzas import ARCHIVE, RSM, data, key, key_name, page, request, save
from support.clients import Client, StanzaRefusedError, logged_in
from support.vaults import ServerVault

PEER = "juliet@capulet.com/chamber"
START = "1469-07-21T02:56:15Z"
NAMED = {"with_": PEER, "start": START}
DISCO = "http://jabber.org/protocol/disco#info"
BODIES = [
    "Art thou not Romeo?",
    "Neither, fair saint.",
    "How cam'st thou hither?",
    "& <wherefore>?",
    "ščř \u202e🌹",
]


def said(text: str) -> str:
    return f"<to secs='1'><body>{text.replace('&', '&amp;').replace('<', '&lt;')}</body></to>"


@dataclass(frozen=True)
class Archivist:
    """A client with the address at which it asks for its archive."""

    client: Client
    at: str | None

    async def get(self, payload: str) -> Element:
        return (await self.client.iq_get(ET.fromstring(payload), to=self.at))[0]

    async def set(self, payload: str) -> Element:
        return await self.client.iq_set(ET.fromstring(payload), to=self.at)

    async def refused(self, type_: str, payload: str) -> str:
        ask = self.client.iq_get if type_ == "get" else self.client.iq_set
        with pytest.raises(StanzaRefusedError) as error:
            await ask(ET.fromstring(payload), to=self.at)
        return error.value.condition


@pytest.fixture(params=["the vault", "one's address at the vault", "one's own account", "nobody"])
async def archivist(request: pytest.FixtureRequest, vault: ServerVault) -> AsyncIterator[Archivist]:
    """Romeo, who asks the vault directly, or what his server hands over to it."""
    account = await new_account(vault.server, "romeo")
    async with logged_in(vault.server, account) as client:
        escaped = account.jid.replace("@", "\\40")
        at = {
            "the vault": vault.jid, "one's address at the vault": f"{escaped}@{vault.jid}",
            "one's own account": account.jid, "nobody": None,
        }  # fmt: skip
        yield Archivist(client, at[request.param])


async def test_a_conversation_is_uploaded_listed_read_page_by_page_and_removed(archivist: Archivist) -> None:
    answer = await archivist.set(save(PEER, START, *map(said, BODIES[:3]), subject="She speaks!", thread="t"))
    expected = {"with": PEER, "start": START, "subject": "She speaks!", "thread": "t", "version": "0"}
    assert answer[0][0].attrib == expected
    await archivist.set(save(PEER, START, *map(said, BODIES[3:])))
    await archivist.set(save("nurse@capulet.com", "1469-07-21T03:00:00Z", said("Anon!")))

    listed = await archivist.get(request("list", page(30), with_="capulet.com"))
    assert [child.get("with") for child in listed[:-1]] == [PEER, "nurse@capulet.com"]
    assert listed[0].attrib == {**expected, "version": "1"}
    assert listed.findtext(f"{{{RSM}}}set/{{{RSM}}}count") == "2"

    found: list[str | None] = []
    after = None
    while len(found) < len(BODIES):
        chat = await archivist.get(request("retrieve", page(2, after=after), **NAMED))
        assert chat.find(f"{{{RSM}}}set/{{{RSM}}}first[@index='{len(found)}']") is not None
        found += [item.findtext(f"{{{ARCHIVE}}}body") for item in chat[:-1]]
        after = chat.findtext(f"{{{RSM}}}set/{{{RSM}}}last")
    assert found == BODIES

    assert len(await archivist.set(request("remove", **NAMED))) == 0
    assert await archivist.refused("get", request("retrieve", **NAMED)) == "item-not-found"
    assert await archivist.refused("set", request("remove", **NAMED)) == "item-not-found"
    changes = await archivist.get(request("modified", page(50), start="1970-01-01T00:00:00Z"))
    assert [(child.tag.split("}")[1], child.get("with"), child.get("version")) for child in changes[:-1]] == [
        ("changed", "nurse@capulet.com", "0"), ("removed", PEER, "2"),
    ]  # fmt: skip


async def test_an_encrypted_collection_comes_back_with_its_keys_xep_0241(archivist: Archivist) -> None:
    sealed = [base64.b64encode(secrets.token_bytes(900)).decode() for _ in range(3)]
    wrapped = {name: base64.b64encode(secrets.token_bytes(256)).decode() for name in ("laptop", "phone")}
    keys = [key("fresh", name, value) for name, value in wrapped.items()]
    await archivist.set(save(PEER, START, *(data("fresh", value) for value in sealed), *keys))
    listed = await archivist.get(request("list"))
    assert listed[0].get("crypt") == "true"
    chat = await archivist.get(request("retrieve", key_name("phone") + page(2), **NAMED))
    assert [child.tag.split("}")[1] for child in chat] == ["EncryptedData"] * 2 + ["EncryptedKey", "set"]
    values = [value.text for value in chat.iter("{http://www.w3.org/2001/04/xmlenc#}CipherValue")]
    assert values == [*sealed[:2], wrapped["phone"]]
    assert await archivist.refused("set", save(PEER, START, said("Plain"))) == "not-acceptable"
    keys_left = await archivist.get(request("keys", key_name("laptop") + page(50)))
    assert [child.get("with") for child in keys_left[:-1]] == [PEER]
    await archivist.set(request("delete", key_name("laptop"), **NAMED))
    assert len(await archivist.get(request("keys", key_name("laptop")))) == 0
    assert len(await archivist.get(request("keys", key_name("phone")))) == 2


async def test_bad_input_is_refused_through_a_real_server(archivist: Archivist) -> None:
    for condition, type_, payload in (
        ("bad-request", "set", save(PEER, "9999-12-31T23:59:59Z", said("Late"))),
        ("bad-request", "set", save(PEER, START, "<to/>")),
        ("bad-request", "get", request("list", page(-1))),
        ("item-not-found", "get", request("list", page(1, after="' OR 1=1 --"))),
        ("jid-malformed", "get", request("list", with_="@capulet.com")),
        ("not-acceptable", "set", save(PEER, START, said("x" * 140_000))),
        ("feature-not-implemented", "get", request("pref")),
    ):
        assert await archivist.refused(type_, payload) == condition
    assert len(await archivist.get(request("list"))) == 0


async def test_a_page_larger_than_an_answer_is_cut(archivist: Archivist) -> None:
    bodies = [f"{number}" + "x" * 20_000 for number in range(10)]
    for body in bodies:
        await archivist.set(save(PEER, START, said(body)))
    found: list[str | None] = []
    after = None
    while len(found) < len(bodies):
        chat = await archivist.get(request("retrieve", page(100, after=after), **NAMED))
        assert 1 < len(chat) <= 7
        found += [item.findtext(f"{{{ARCHIVE}}}body") for item in chat[:-1]]
        after = chat.findtext(f"{{{RSM}}}set/{{{RSM}}}last")
    assert found == bodies


async def test_another_accounts_archive_is_forbidden(server_vault: ServerVault) -> None:
    async with AsyncExitStack() as stack:
        clients = []
        for name in ("romeo", "tybalt"):
            account = await new_account(server_vault.server, name)
            clients.append(await stack.enter_async_context(logged_in(server_vault.server, account)))
        romeo, tybalt = clients
        await romeo.iq_set(ET.fromstring(save(PEER, START, said("Secret"))), to=server_vault.jid)
        escaped = romeo.account.jid.replace("@", "\\40")
        for at in (f"{escaped}@{server_vault.jid}", romeo.account.jid):
            for payload in (request("list"), request("retrieve", **NAMED), request("modified", start=START)):
                with pytest.raises(StanzaRefusedError) as error:
                    await tybalt.iq_get(ET.fromstring(payload), to=at)
                assert error.value.condition == "forbidden"
            with pytest.raises(StanzaRefusedError) as error:
                await tybalt.iq_set(ET.fromstring(request("remove")), to=at)
            assert error.value.condition == "forbidden"
        assert len((await romeo.iq_get(ET.fromstring(request("list")), to=server_vault.jid))[0]) == 2


async def test_manual_archiving_is_found_by_discovery(server_vault: ServerVault) -> None:
    account = await new_account(server_vault.server, "romeo")
    async with logged_in(server_vault.server, account) as client:
        for at in (account.jid, account.domain, server_vault.jid):
            answer = await client.iq_get(ET.fromstring(f"<query xmlns='{DISCO}'/>"), to=at)
            features = {child.get("var") for child in answer[0]}
            assert {ARCHIVE, f"{ARCHIVE}:manage", f"{ARCHIVE}:manual"} <= features
            assert not {f"{ARCHIVE}:auto", f"{ARCHIVE}:pref"} & features
