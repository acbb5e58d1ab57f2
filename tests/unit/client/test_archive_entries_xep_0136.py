"""Conversations as elements, sealed pieces and uploads (XEP-0136, XEP-0241)."""

import dataclasses
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esession.keys import RSAPublicKey
from stanzavault.archive.model import EncryptedKey, Item, ItemKind
from stanzavault.archive.stanza.xep_0136_parts import NAMESPACE
from stanzavault.kernel.errors import BadRequest
from stanzavault_client import NoRecipient
from stanzavault_client.archive import ArchivedMessage, Note, Unopened, entries, uploading
from stanzavault_client.archive.sealing import Opener, Recipients, Sealer, choose_recipients
from stanzavault_client.keys import Trust
from stanzavault_client.keys.model import SeenKey
from stanzavault_client.storage import OwnKey

from .conftest import NOW, ROMEO

TIMES = st.datetimes(datetime(1970, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff") | st.just("\n")
)
MESSAGES = st.builds(
    ArchivedMessage, TEXT, TIMES, st.booleans(), st.just(()), name=TEXT.filter(lambda text: "\n" not in text)
)
NOTES = st.builds(Note, TEXT, st.none() | TIMES)


def recipients_of(*keys: OwnKey) -> Recipients:
    public = {key.fingerprint: RSAPublicKey(key.public.key.modulus, key.public.key.exponent) for key in keys}
    return Recipients(public, ())


def opened(item: Item, keys: tuple[EncryptedKey, ...], *held: OwnKey) -> list[object]:
    opener = Opener(held)
    opener.add(keys)
    return list(opener.open(item, entries.Reader(NOW)))


@given(st.lists(MESSAGES | NOTES, max_size=4))
def test_what_is_written_is_read_again(said: list[ArchivedMessage | Note]) -> None:
    content = entries.join([entries.write(entry) for entry in said])
    reader = entries.Reader(NOW)
    assert [reader.read(tree) for tree in entries.part(content)] == said


def test_other_elements_of_a_message_are_kept_with_it() -> None:
    extra = ET.fromstring("<x xmlns='jabber:x:oob'><url>https://example.org/</url></x>")
    written = entries.write(ArchivedMessage("", NOW, incoming=True, extras=(extra,)))
    (found,) = entries.part(entries.join([written]))
    message = entries.Reader(NOW).read(found)
    assert isinstance(message, ArchivedMessage)
    assert [ET.canonicalize(ET.tostring(each)) for each in message.extras] == [
        ET.canonicalize(ET.tostring(extra))
    ]


def test_times_of_other_clients_count_from_the_message_before() -> None:
    """XEP-0136, section 4.6; what an opened piece names without a namespace is the archive's."""
    content = (
        b"<to secs='0'><body>a</body></to><from secs='11'><body>b</body></from><to secs='7'><body/></to>"
    )
    reader = entries.Reader(NOW)
    read = [reader.read(tree) for tree in entries.part(content)]
    assert [entry.at for entry in read] == [NOW + timedelta(seconds=passed) for passed in (0, 11, 18)]


@pytest.mark.parametrize("content", [b"<to>", b"</chat><chat>", b"\xff", b"&bomb;"])
def test_an_opened_piece_that_is_no_xml_is_refused(content: bytes) -> None:
    with pytest.raises(BadRequest):
        list(entries.part(content))


@pytest.mark.parametrize("text", ["\x00", "\x1b[31m", "\ud800"])
def test_what_xml_can_not_carry_is_refused_before_it_is_sent(text: str) -> None:
    with pytest.raises(BadRequest):
        entries.write(ArchivedMessage(text, NOW, incoming=True))


def test_a_sealed_piece_opens_for_each_recipient_and_for_nobody_else(phone: OwnKey, laptop: OwnKey) -> None:
    said = [ArchivedMessage("Wherefore art thou Romeo?", NOW, incoming=True), Note("She speaks!")]
    sealer = Sealer(recipients_of(phone))
    item = sealer.seal([entries.write(entry) for entry in said])
    assert opened(item, sealer.keys, phone) == said
    (locked,) = opened(item, sealer.keys, laptop)
    assert locked == Unopened((phone.fingerprint,), "it was not sealed to a key that this client holds")
    assert b"Wherefore" not in item.content
    assert b"Romeo" not in item.content


def test_each_upload_has_a_fresh_key(phone: OwnKey) -> None:
    one, other = Sealer(recipients_of(phone)), Sealer(recipients_of(phone))
    assert one.keys[0].carried_name != other.keys[0].carried_name
    (locked,) = opened(other.seal([]), one.keys, phone)
    assert isinstance(locked, Unopened)


def test_a_damaged_piece_and_a_damaged_key_are_told_and_keep_nothing_else_shut(phone: OwnKey) -> None:
    sealer = Sealer(recipients_of(phone))
    item = sealer.seal([entries.write(Note("x"))])
    start = item.content.index(b"CipherValue>") + len(b"CipherValue>")
    flipped = b"A" if item.content[start : start + 1] != b"A" else b"B"
    damaged = dataclasses.replace(item, content=item.content[:start] + flipped + item.content[start + 1 :])
    (locked,) = opened(damaged, sealer.keys, phone)
    assert isinstance(locked, Unopened)
    (key,) = sealer.keys
    forged = dataclasses.replace(key, content=key.content.replace(b"rsa-oaep", b"rsa-1_5"))
    (locked,) = opened(item, (forged,), phone)
    assert isinstance(locked, Unopened)
    assert opened(item, (forged, key), phone) == [Note("x")]


def test_keys_are_sealed_to_only_if_they_are_known_to_be_the_users(phone: OwnKey, laptop: OwnKey) -> None:
    """XEP-0241, section 2."""
    mine = SeenKey(ROMEO, phone.public, Trust.OWN)
    strange = SeenKey(ROMEO, laptop.public, Trust.NONE)
    ended = SeenKey(ROMEO, laptop.public, Trust.OWN, ("it ended",))
    chosen = choose_recipients([mine, strange], [], NOW)
    assert (list(chosen.keys), chosen.left_out) == ([phone.fingerprint], (laptop.fingerprint,))
    for published in ([], [strange], [ended]):
        with pytest.raises(NoRecipient):
            choose_recipients(published, [], NOW)


def test_an_own_published_key_is_sealed_to_even_if_the_vault_hides_it(phone: OwnKey) -> None:
    published = dataclasses.replace(phone, item_id="current")
    assert list(choose_recipients([], [published], NOW).keys) == [phone.fingerprint]
    for gone in (phone, dataclasses.replace(published, revoked_at=NOW)):
        with pytest.raises(NoRecipient):
            choose_recipients([], [gone], NOW)


@given(st.lists(st.integers(0, 400), max_size=30), st.integers(300, 1000))
def test_pieces_and_uploads_are_bounded_and_nothing_is_lost_or_moved(lengths: list[int], most: int) -> None:
    elements = [ET.Element(f"{{{NAMESPACE}}}note", {"number": str(n)}) for n in range(len(lengths))]
    for element, length in zip(elements, lengths, strict=True):
        element.text = "x" * length
    sealed: list[list[str]] = []

    def seal(some: list[ET.Element]) -> Item:
        sealed.append([element.get("number", "") for element in some])
        return Item(ItemKind.NOTE, b"", sum(len(element.text or "") for element in some))

    pieces = list(uploading.sealed(elements, seal, most))
    assert [number for some in sealed for number in some] == [str(n) for n in range(len(lengths))]
    assert sum(piece.entries for piece in pieces) == len(lengths)
    parts = list(uploading.uploads(pieces, most))
    assert [piece for part in parts for piece in part] == pieces
    assert all(len(part) == 1 or sum(piece.item.size for piece in part) <= most for part in parts)
