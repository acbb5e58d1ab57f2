"""Addresses are prepared as the servers prepare them (RFC 7622) and escaped as XEP-0106 says."""

from __future__ import annotations

import stringprep

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slixmpp.jid import JID, InvalidJID

from stanzavault.kernel import address
from stanzavault.kernel.address import Address, escape, unescape
from stanzavault.kernel.errors import JidMalformed

LETTERS = st.characters(codec="utf-8", max_codepoint=0x2FFF).filter(
    lambda letter: not stringprep.in_table_a1(letter)  # slixmpp lets some of what Unicode 3.2 lacks through
)


@given(st.text(LETTERS, min_size=1, max_size=12), st.text(LETTERS, max_size=8))
def test_an_address_is_prepared_as_slixmpp_prepares_it(local: str, resource: str) -> None:
    text = f"{local}@example.org" + (f"/{resource}" if resource else "")
    try:
        expected = JID(text).full
    except InvalidJID:
        with pytest.raises(JidMalformed):
            Address.parse(text)
    else:
        assert str(Address.parse(text)) == expected


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        ("Romeo@Montague.NET/Orchard", "romeo@montague.net/Orchard"),
        ("montague.net", "montague.net"),
        ("montague.net.", "montague.net"),
        ("montague.net/a@b/c", "montague.net/a@b/c"),
        ("[::1]", "[::1]"),
        ("Straße@example.org", "strasse@example.org"),
    ],
)
def test_equal_addresses_are_equal_once_prepared(text: str, prepared: str) -> None:
    assert str(Address.parse(text)) == prepared
    assert Address.parse(prepared) == Address.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        "@example.org",
        "a@",
        "a b@example.org",
        "a@exa mple.org",
        "a@example.org/",
        "a@b@c",
        "/x",
        "a\0@b",
        "a@-example.org",
        "x" * 1024 + "@example.org",
        "\ud800@example.org",
        "a@example..org",
        "<a>@example.org",
        "\u023d@example.org",
        "a@example.org/\u03f9",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(JidMalformed):
        Address.parse(text)


@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_escaping_is_undone(text: str) -> None:
    assert unescape(escape(text)) == text


@pytest.mark.parametrize(
    ("plain", "escaped"),
    [
        ("space cadet", r"space\20cadet"),
        ('call me "ishmael"', r"call\20me\20\22ishmael\22"),
        ("at&t guy", r"at\26t\20guy"),
        ("d'artagnan", r"d\27artagnan"),
        ("/.fanboy", r"\2f.fanboy"),
        ("::foo::", r"\3a\3afoo\3a\3a"),
        ("<foo>", r"\3cfoo\3e"),
        ("user@host", r"user\40host"),
        (r"c:\net", r"c\3a\net"),
        (r"c:\5commas", r"c\3a\5c5commas"),
    ],
)
def test_the_examples_of_xep_0106(plain: str, escaped: str) -> None:
    assert escape(plain) == escaped
    assert unescape(escaped) == plain


def test_an_account_is_addressed_inside_the_component() -> None:
    romeo = Address.parse("romeo@montague.net/orchard")
    inside = romeo.inside("vault.example.org")
    assert str(inside) == r"romeo\40montague.net@vault.example.org"
    assert Address.parse(str(inside)).outside() == romeo.bare


def test_what_stands_inside_an_address_has_to_be_one() -> None:
    with pytest.raises(JidMalformed):
        Address.parse(r"romeo\40@vault.example.org").outside()


@pytest.mark.parametrize("part", ["\u00ad", "é", "a"])
def test_a_text_too_long_for_any_address_is_neither_prepared_nor_remembered(part: str) -> None:
    before = address._parse.cache_info()
    for text in (f"a{part * 4000}@example.org", f"a@{part * 4000}", f"a@example.org/r{part * 4000}"):
        with pytest.raises(JidMalformed):
            Address.parse(text)
    assert address._parse.cache_info() == before
