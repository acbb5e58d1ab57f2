"""`<pubkey/>`, `<revocation/>` and `<attest/>`: what is read, what is written, what is refused (XEP-0189)."""

from __future__ import annotations

import base64
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key
from hypothesis import given
from hypothesis import strategies as st

from stanzavault.kernel.address import Address
from stanzavault.kernel.errors import StanzaError
from stanzavault.keys.model import spki
from stanzavault.keys.model.public_key import (
    Attestation,
    Fingerprint,
    Moment,
    PublicKey,
    Revocation,
    RsaKey,
    Written,
)
from stanzavault.keys.rules.soundness import Mark
from stanzavault.keys.stanza import history
from stanzavault.keys.stanza.xep_0189 import (
    parse_attestation,
    parse_public_key,
    parse_revocation,
    render_attestation,
    render_public_key,
    render_revocation,
)
from stanzavault.wire import xep_0082
from support.published_keys import OwnKey

KEY = OwnKey("juliet@example.org")

_instants = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
_moments = st.builds(
    lambda instant, zoned: Moment(
        xep_0082.render(instant) if zoned else xep_0082.render(instant).removesuffix("Z"), instant
    ),
    _instants,
    st.booleans(),
)
_written = st.sampled_from(["juliet@example.org", "Juliet@Example.ORG", "romeo@montague.net/orchard"]).map(
    lambda text: Written(text, Address.parse(text))
)
_keys = st.builds(RsaKey, st.integers(1, 2**8192), st.integers(1, 2**64))
_base64_prints = st.binary(min_size=32, max_size=32).map(Fingerprint.of)
_any_prints = st.one_of(
    _base64_prints, st.binary(min_size=32, max_size=32).map(lambda digest: Fingerprint(digest.hex(), digest))
)
_signatures = st.binary(min_size=1, max_size=512).map(lambda octets: base64.b64encode(octets).decode())
_printable = st.characters(min_codepoint=33, max_codepoint=0xD7FF, exclude_categories=["Cc"])
_uris = st.sampled_from(["", "https://example.org/key?a=b&c=d"])


def _round_trip(tree: Element) -> Element:
    return ET.fromstring(ET.tostring(tree))


@given(st.builds(PublicKey, _moments, _moments, _written, _keys, _base64_prints, _uris))
def test_a_public_key_survives_writing_and_reading(key: PublicKey) -> None:
    assert parse_public_key(_round_trip(render_public_key(key))) == key


@given(st.builds(Revocation, _keys, _any_prints, _any_prints, _moments, _signatures))
def test_a_revocation_survives_writing_and_reading(revocation: Revocation) -> None:
    read = parse_revocation(_round_trip(render_revocation(revocation)))
    assert read == revocation
    assert read.signed == revocation.signed


@given(st.builds(Attestation, _any_prints, _written, _any_prints, _moments, _signatures))
def test_an_attestation_survives_writing_and_reading(attestation: Attestation) -> None:
    assert parse_attestation(_round_trip(render_attestation(attestation))) == attestation


@given(
    st.builds(
        history.Entry,
        item_id=st.text(
            st.characters(min_codepoint=33, max_codepoint=0xD7FF, exclude_categories=("Cc",)), min_size=1
        ),
        payload=st.builds(ET.fromstring, st.just(KEY.pubkey)),
        published=_instants,
        replaced=st.none() | _instants,
        retracted=st.none() | _instants,
        revoked=st.none() | _instants,
        attestation=st.none() | st.sampled_from([mark.value for mark in Mark]),
    )
)
def test_an_entry_of_the_history_survives_writing_and_reading(entry: history.Entry) -> None:
    read = history.parse(_round_trip(history.render(entry)))
    assert read == entry
    assert ET.tostring(read.payload) == ET.tostring(entry.payload)


@given(_keys)
def test_a_key_has_one_der_form(key: RsaKey) -> None:
    assert spki.decode(spki.encode(key.modulus, key.exponent)) == (key.modulus, key.exponent)


def test_the_der_form_is_that_of_everybody_else() -> None:
    assert RsaKey(KEY.modulus, 65537).text == KEY.base64
    load_der_public_key(spki.encode(KEY.modulus, 65537))


@given(st.binary(max_size=80), st.integers(0, 293), st.integers(1, 255))
def test_what_is_no_der_is_refused(junk: bytes, place: int, change: int) -> None:
    whole = spki.encode(KEY.modulus, 65537)
    damaged = whole[:place] + bytes([whole[place] ^ change]) + whole[place + 1 :]
    for der in (junk, whole[:place], whole + b"\0", damaged):
        with suppress(ValueError):
            assert spki.encode(*spki.decode(der)) == der


def test_all_forms_of_one_key_are_one_key() -> None:
    schema = parse_public_key(ET.fromstring(KEY.pubkey))
    numbers = KEY.pubkey[KEY.pubkey.index("<rsakey>") : KEY.pubkey.index("</rsakey>") + len("</rsakey>")]
    lines = "\n      ".join(KEY.base64[at : at + 64] for at in range(0, len(KEY.base64), 64))
    for prints in (KEY.fingerprint, KEY.digest.hex(), KEY.digest.hex().upper(), f"\n {KEY.fingerprint}\n"):
        other = KEY.pubkey.replace(numbers, f"<key>\n      {lines}\n    </key><print>{prints}</print>")
        assert parse_public_key(ET.fromstring(other)) == schema
    digits = str(KEY.modulus)
    spaced = KEY.pubkey.replace(digits, f"\n{digits[:76]}\n{digits[76:]}\n ")
    assert parse_public_key(ET.fromstring(spaced)) == schema
    written = render_public_key(parse_public_key(ET.fromstring(other)))
    assert ET.tostring(written) == ET.tostring(ET.fromstring(KEY.pubkey))


def test_a_time_without_a_zone_is_in_utc_and_hashed_as_it_is_written() -> None:
    key = OwnKey("juliet@example.org", begin="2026-01-01T00:00:00", end="2031-01-01T00:00:00")
    read = parse_public_key(ET.fromstring(key.pubkey))
    assert read.begin == Moment("2026-01-01T00:00:00", datetime(2026, 1, 1, tzinfo=UTC))
    assert read.fingerprint.digest == key.digest


def _without(name: str) -> str:
    tree = ET.fromstring(KEY.pubkey)
    for parent in tree.iter():
        for child in [child for child in parent if child.tag.endswith("}" + name)]:
            parent.remove(child)
    return ET.tostring(tree, "unicode")


_BROKEN = {
    **{f"no {name}": _without(name) for name in ("begin", "end", "jid", "rsakey", "modulus", "print")},
    "two keys": KEY.pubkey.replace("</pubkey>", f"<key>{KEY.base64}</key></pubkey>"),
    "two begins": KEY.pubkey.replace("<begin>", "<begin>2026-01-01T00:00:00Z</begin><begin>"),
    "unknown child": KEY.pubkey.replace("</pubkey>", "<x/></pubkey>"),
    "unknown attribute": KEY.pubkey.replace("<begin>", "<begin a='b'>").replace("<rsakey>", "<rsakey a='b'>"),
    "child in text": KEY.pubkey.replace("<begin>", "<begin><x/>"),
    "bad date": KEY.pubkey.replace("2026-01-01T00:00:00Z", "2026-02-30T00:00:00Z"),
    "no date": KEY.pubkey.replace("2026-01-01T00:00:00Z", "yesterday"),
    "year 0000": KEY.pubkey.replace("2026-01-01T00:00:00Z", "0000-01-01T00:00:00Z"),
    "year 9999 beyond": KEY.pubkey.replace("2031-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00"),
    "no address": KEY.pubkey.replace("juliet@example.org", "a@@b"),
    "empty address": KEY.pubkey.replace("juliet@example.org", " "),
    "no number": KEY.pubkey.replace(str(KEY.modulus), "12x"),
    "negative number": KEY.pubkey.replace(str(KEY.modulus), f"-{KEY.modulus}"),
    "leading zero": KEY.pubkey.replace(str(KEY.modulus), f"0{KEY.modulus}"),
    "other digits": KEY.pubkey.replace(str(KEY.modulus), "\N{ARABIC-INDIC DIGIT ONE}"),
    "endless number": KEY.pubkey.replace(str(KEY.modulus), "9" * 5000),
    "short print": KEY.pubkey.replace(KEY.fingerprint, "AAAA"),
    "no print": KEY.pubkey.replace(KEY.fingerprint, "!"),
    "weak algorithm": KEY.pubkey.replace("sha-256", "md5"),
    "no der": KEY.pubkey.replace("<rsakey>", "<key>AAAA</key><rsakey>"),
    "other element": "<other xmlns='urn:xmpp:pubkey:2'/>",
}


@pytest.mark.parametrize("name", _BROKEN)
def test_a_key_that_is_not_of_its_schema_gets_a_precise_error(name: str) -> None:
    with pytest.raises(StanzaError) as raised:
        parse_public_key(ET.fromstring(_BROKEN[name]))
    assert raised.value.condition in {"bad-request", "jid-malformed"}
    assert raised.value.text


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (parse_revocation, KEY.revocation().replace("signature>", "x>")),
        (parse_revocation, KEY.revocation().replace("revocationtime", "time")),
        (parse_revocation, KEY.revocation().replace(KEY.base64, "AAAA")),
        (parse_revocation, KEY.revocation().replace("revoke:2", "revoke:1")),
        (parse_attestation, KEY.attestation(KEY).replace("signerjid", "jid")),
        (parse_attestation, KEY.attestation(KEY).replace(KEY.fingerprint, "?")),
        (parse_attestation, KEY.attestation(KEY).replace("<keyprint>", "<keyprint b='c'>")),
    ],
    ids=range(7),
)
def test_what_is_said_of_a_key_in_another_schema_gets_a_precise_error(
    parse: Callable[[Element], object], text: str
) -> None:
    with pytest.raises(StanzaError):
        parse(ET.fromstring(text))
