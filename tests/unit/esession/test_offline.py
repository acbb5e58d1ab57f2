"""Sessions with a peer that is offline (XEP-0187)."""

from dataclasses import replace
from datetime import timedelta
from xml.etree import ElementTree as ET

import pytest

from esession import offline
from esession.errors import MalformedError, MisuseError, OptionsError
from esession.events import (
    DestroyOfflineValues,
    EndReason,
    KeepOfflineValues,
    NegotiationFailed,
    Outcome,
    SessionActive,
    SessionEnded,
    StanzaIgnored,
    StanzaReceived,
)
from esession.keys import RSAPublicKey, bare
from esession.offline import Absence, OfflineValues
from esession.policy import Policy
from esession.state import State
from esession.wire import xep_0187
from esession.wire.xep_0004 import DATA, Form
from esession.wire.xep_0155 import AMP
from esession.wire.xep_0187 import PUBSUB, Audience
from support.esession_peers import ALICE, BOB, START, Peer, know, later, message, signing_key

FAST = Policy(groups=(5,))
KEY = b"k" * 32
EXPIRES = later(hours=8)


class Story:
    """Alice leaves her options behind, Bob finds them."""

    def __init__(self, audience: Audience = Audience.SUBSCRIBERS, **options: object) -> None:
        self.alice = Peer(ALICE, FAST, key=signing_key("alice"))
        self.bob = Peer(BOB, FAST, key=signing_key("bob"))
        know(self.alice, self.bob)
        know(self.bob, self.alice)
        self.publication = offline.publish(
            self.alice.party, audience, START, expires=EXPIRES, key=KEY, **options
        )
        self.alice.take(Outcome((self.publication.keep,)))
        item = self.publication.pubsub.find(f"*/{{{PUBSUB}}}item")
        assert item is not None
        self.form = Form(item[0])

    def offered(self) -> offline.OfferedOptions:
        return offline.verify(self.bob.party, ALICE, self.form, START)

    def start(self, body: str | None = "hello", **options: object) -> ET.Element:
        content = message(body) if body else None
        self.bob.session, outcome = offline.start(
            self.bob.party, ALICE, self.offered(), START, content=content, **options
        )
        self.bob.take(outcome)
        return self.bob.outbox.pop()

    def come_back(self, hours: float = 1) -> Absence:
        absence, outcome = Absence.ended(self.alice.party, self.alice.offline, KEY, later(hours=hours))
        self.alice.take(outcome)
        return absence

    def accept(self, absence: Absence, stanza: ET.Element, hours: float = 1) -> None:
        session, outcome = absence.accept(stanza, later(hours=hours))
        self.alice.session = session or self.alice.session
        self.alice.take(outcome)


# --- publishing ---------------------------------------------------------------------------------------


def test_xep_0187_options_omit_accept_and_identification_and_hold_expiry_and_signatures() -> None:
    fields = Story().form.fields
    assert {"accept", "init_pubkey", "resp_pubkey", "sas_algs", "dhhashes"}.isdisjoint(fields)
    assert {"expires", "signs", "dhkeys", "my_nonce", "sign_algs"} <= fields.keys()
    assert fields["expires"].values == ("2026-01-01T20:00:00Z",)
    assert fields["match_resource"].values == ("pda",)
    assert fields["stanzas"].options == ("message",)


def test_xep_0187_options_for_any_resource_never_offer_iq() -> None:
    fields = Story(only_this_resource=False).form.fields
    assert "match_resource" not in fields
    assert fields["stanzas"].options == ("message", "presence")


def test_xep_0187_there_is_one_signature_for_each_of_our_keys() -> None:
    story = Story()
    party = story.alice.party
    two = replace(party, identity=replace(party.identity, keys=(signing_key("alice"), signing_key("bob"))))
    publication = offline.publish(two, Audience.ALL, START, expires=EXPIRES, key=KEY)
    form = Form(publication.pubsub[0][0][0])
    content = form.normalized(FAST.profile, without=("signs",))
    keys = [RSAPublicKey.of(key) for key in two.identity.keys]
    for key, signature in zip(keys, form.all_octets("signs"), strict=True):
        assert key.verifies(content, signature)


@pytest.mark.parametrize(
    ("audience", "node", "access"),
    [
        (Audience.SUBSCRIBERS, "http://www.xmpp.org/extensions/xep-0187.html#ns", "presence"),
        (Audience.ALL, "http://www.xmpp.org/extensions/xep-0116.html#ns", "open"),
    ],
)
def test_xep_0187_each_audience_has_its_node_which_is_never_pushed(
    audience: Audience, node: str, access: str
) -> None:
    publication = Story(audience).publication
    assert publication.pubsub[0].get("node") == node
    assert publication.create[0].get("node") == node
    values = {field.get("var"): field[0].text for field in publication.create.iter(f"{{{DATA}}}field")}
    assert values["pubsub#deliver_notifications"] == "0"
    assert values["pubsub#send_last_published_item"] == "never"
    assert values["pubsub#access_model"] == access
    assert xep_0187.request(audience)[0].get("node") == node


def test_the_private_values_are_wrapped_and_kept_before_anything_is_published() -> None:
    story = Story()
    wrapped = story.publication.keep.wrapped
    values = OfflineValues.unwrap(wrapped, KEY, ALICE, Audience.SUBSCRIBERS)
    for pair in values.opening.pairs:
        assert pair.exponent.reveal() not in wrapped
        assert repr(pair.exponent.number()) not in repr(values)
    for key, owner, audience in (
        (b"x" * 32, ALICE, Audience.SUBSCRIBERS),
        (KEY, "eve@example.org/x", Audience.SUBSCRIBERS),
        (KEY, ALICE, Audience.ALL),
    ):
        with pytest.raises(Exception, match="sealed value"):
            OfflineValues.unwrap(wrapped, key, owner, audience)


def test_options_need_a_signing_key_and_a_future() -> None:
    keyless = Peer(ALICE, FAST)
    with pytest.raises(MisuseError):
        offline.publish(keyless.party, Audience.ALL, START, expires=EXPIRES, key=KEY)
    with pytest.raises(MisuseError):
        offline.publish(Story().alice.party, Audience.ALL, EXPIRES, expires=EXPIRES, key=KEY)


# --- verifying ----------------------------------------------------------------------------------------


def test_xep_0187_options_are_verified_by_one_of_the_known_keys() -> None:
    offered = Story().offered()
    assert offered.signer == RSAPublicKey.of(signing_key("alice"))
    assert offered.match_resource == "pda"
    assert offered.expires == EXPIRES


def test_xep_0187_options_without_a_signature_by_a_known_key_are_not_used() -> None:
    story = Story()
    story.bob.keys.kept = []
    with pytest.raises(OptionsError, match="signature"):
        story.offered()


def test_an_unverified_key_does_not_verify_options_where_the_policy_wants_verified_ones() -> None:
    story = Story()
    story.bob.policy = replace(FAST, accept_unverified_keys=False)
    story.offered()
    story.bob.keys.kept = [replace(each, verified=False) for each in story.bob.keys.kept]
    with pytest.raises(OptionsError):
        story.offered()


@pytest.mark.parametrize("var", ["expires", "dhkeys", "my_nonce", "stanzas", "match_resource"])
def test_options_changed_after_they_were_signed_are_not_used(var: str) -> None:
    story = Story()
    field = next(field for field in story.form.element if field.get("var") == var)
    value = next(field.iter(f"{{{DATA}}}value"))
    value.text = {"expires": "2030-01-01T00:00:00Z", "stanzas": "presence", "match_resource": "x"}.get(
        var, "BBBB"
    )
    with pytest.raises(OptionsError):
        offline.verify(story.bob.party, ALICE, Form(story.form.element), START)


def test_xep_0187_expired_options_are_not_used() -> None:
    story = Story()
    with pytest.raises(OptionsError, match="expired"):
        offline.verify(story.bob.party, ALICE, story.form, EXPIRES)
    with pytest.raises(OptionsError, match="expired"):
        offline.start(story.bob.party, ALICE, story.offered(), EXPIRES)


def test_xep_0187_options_of_which_one_is_not_supported_are_not_used() -> None:
    story = Story()
    story.bob.policy = Policy(groups=(14,))
    with pytest.raises(OptionsError, match="modp"):
        offline.start(story.bob.party, ALICE, story.offered(), START)


# --- starting -----------------------------------------------------------------------------------------


def test_xep_0187_the_first_stanza_proves_the_sender_and_may_carry_content() -> None:
    story = Story()
    stanza = story.start()
    form = Form(stanza.find("*/{jabber:x:data}x"))
    assert form.kind == "submit"
    assert {"accept", "init_pubkey", "resp_pubkey"}.isdisjoint(form.fields)
    assert {"identity", "mac", "counter", "nonce", "dhkeys"} <= form.fields.keys()
    assert b"hello" not in ET.tostring(stanza)


def test_xep_0187_stanzas_keep_to_the_resource_that_can_read_them() -> None:
    story = Story()
    stanzas = [story.start()]
    story.bob.say("more")
    stanzas.append(story.bob.outbox.pop())
    for stanza in stanzas:
        assert stanza.get("to") == ALICE
        rule = stanza.find(f"{{{AMP}}}amp/{{{AMP}}}rule")
        assert rule is not None
        assert rule.attrib == {"action": "error", "condition": "match-resource", "value": "other"}


def test_xep_0187_without_match_resource_stanzas_go_to_the_account() -> None:
    stanza = Story(only_this_resource=False).start()
    assert stanza.get("to") == bare(ALICE)
    assert stanza.find(f"{{{AMP}}}amp") is None


def test_xep_0187_a_kind_that_was_not_offered_is_not_sent() -> None:
    story = Story()
    story.start()
    assert story.bob.session is not None
    with pytest.raises(MisuseError):
        story.bob.session.send(ET.Element("{jabber:client}presence"), START)


def test_keys_are_not_exchanged_with_someone_who_can_not_answer() -> None:
    story = Story()
    story.bob.policy = replace(FAST, rekey_after=1)
    story.start()
    for _ in range(3):
        story.bob.say("x")
    assert all(b":key>" not in ET.tostring(stanza) for stanza in story.bob.outbox)
    assert story.bob.session is not None
    with pytest.raises(MisuseError):
        story.bob.session.rekey(START)


# --- accepting ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("audience", Audience)
def test_xep_0187_what_was_sent_meanwhile_is_read_on_return(audience: Audience) -> None:
    story = Story(audience)
    first = story.start("first")
    for body in ("second", "third"):
        story.bob.say(body, later(minutes=5))
    assert story.bob.session is not None
    story.bob.take(story.bob.session.terminate(later(minutes=6)))
    story.accept(story.come_back(), first)
    assert story.alice.session is not None
    assert story.alice.session.state is State.RECEIVING
    for stanza in story.bob.outbox:
        story.alice.receive(stanza, later(hours=1))
    assert story.alice.bodies() == ["first", "second", "third"]
    assert story.alice.session.peer_key == RSAPublicKey.of(signing_key("bob"))
    assert story.alice.got(SessionEnded)[0].reason is EndReason.PEER_TERMINATED
    assert story.alice.outbox == [], "nothing is sent back"


def test_xep_0187_the_time_of_writing_is_encrypted_with_the_stanza() -> None:
    story = Story()
    first = story.start()
    story.bob.say("second", later(minutes=5))
    absence = story.come_back()
    story.accept(absence, first)
    story.alice.receive(story.bob.outbox.pop(), later(hours=1))
    times = [xep_0187.read_created(event.stanza) for event in story.alice.got(StanzaReceived)]
    assert times == [START, later(minutes=5)]


def test_xep_0187_the_one_shot_form_is_over_with_its_stanza_on_both_sides() -> None:
    story = Story()
    stanza = story.start("just this", one_shot=True)
    assert story.bob.got(SessionEnded)[0].reason is EndReason.ONE_SHOT
    story.accept(story.come_back(), stanza)
    assert story.alice.bodies() == ["just this"]
    assert story.alice.got(SessionEnded)[0].reason is EndReason.ONE_SHOT


def test_xep_0187_nothing_is_sent_within_an_offline_session_by_who_was_away() -> None:
    story = Story()
    story.accept(story.come_back(), story.start())
    assert story.alice.session is not None
    with pytest.raises(MisuseError):
        story.alice.say("x")
    story.alice.take(story.alice.session.terminate(later(hours=1)))
    assert story.alice.outbox == []


@pytest.mark.parametrize("audience", Audience)
def test_xep_0187_a_replay_is_refused(audience: Audience) -> None:
    story = Story(audience)
    stanza = story.start()
    absence = story.come_back()
    for _ in range(2):
        story.accept(absence, stanza)
    assert len(story.alice.got(SessionActive)) == 1
    assert len(story.alice.got(StanzaIgnored)) == 1


def test_xep_0187_a_replay_is_refused_after_another_return_where_the_values_are_kept() -> None:
    story = Story(Audience.ALL)
    stanza = story.start()
    _, outcome = (absence := story.come_back()).accept(stanza, later(hours=1))
    assert isinstance(outcome.effects[0], KeepOfflineValues), "before anything is shown"
    story.alice.take(outcome)
    absence.forget()
    again = story.come_back(hours=2)
    session, outcome = again.accept(stanza, later(hours=2))
    assert session is None
    assert isinstance(outcome.events[0], StanzaIgnored)


def test_xep_0187_values_for_subscribers_are_destroyed_on_return_and_those_for_all_are_kept() -> None:
    story = Story(Audience.SUBSCRIBERS)
    _, outcome = Absence.ended(story.alice.party, story.alice.offline, KEY, later(hours=1))
    assert outcome.effects == (DestroyOfflineValues("subscribers"),)
    story = Story(Audience.ALL)
    _, outcome = Absence.ended(story.alice.party, story.alice.offline, KEY, later(hours=1))
    assert outcome.effects == ()
    assert xep_0187.publish(Audience.SUBSCRIBERS, None)[0][0].get("id") == "current"


def test_xep_0187_after_the_expiry_nothing_is_decrypted_and_everything_is_destroyed() -> None:
    story = Story(Audience.ALL)
    stanza = story.start()
    early = story.come_back()
    story.accept(early, stanza, hours=8)
    assert story.alice.session is None
    _, outcome = Absence.ended(story.alice.party, story.alice.offline, KEY, EXPIRES)
    assert outcome.effects == (DestroyOfflineValues("all"),)


def test_values_that_can_not_be_opened_are_destroyed() -> None:
    story = Story()
    _, outcome = Absence.ended(story.alice.party, story.alice.offline, b"x" * 32, START)
    assert outcome.effects == (DestroyOfflineValues("subscribers"),)


def test_forgetting_wipes_the_private_values() -> None:
    absence = (story := Story()).come_back()
    pairs = [pair for values in absence._values for pair in values.opening.pairs]
    absence.forget()
    assert pairs
    assert all(pair.exponent.wiped for pair in pairs)
    story.accept(absence, story.start())
    assert story.alice.session is None


@pytest.mark.parametrize("var", ["identity", "mac", "counter", "my_nonce", "dhkeys", "nonce", "logging"])
def test_xep_0187_a_damaged_first_stanza_is_refused_without_an_answer(var: str) -> None:
    story = Story()
    stanza = story.start()
    value = next(
        field.find(f"{{{DATA}}}value") for field in stanza.iter(f"{{{DATA}}}field") if field.get("var") == var
    )
    assert value is not None
    assert value.text is not None
    value.text = (
        "mustnot"
        if var == "logging"
        else ("A" if value.text[5] != "A" else "B").join((value.text[:5], value.text[6:]))
    )
    story.accept(story.come_back(), stanza)
    assert story.alice.session is None
    assert story.alice.outbox == []
    assert story.alice.bodies() == []
    assert story.alice.got(NegotiationFailed) or story.alice.got(StanzaIgnored)


def test_a_stanza_by_another_signer_under_the_same_fingerprint_is_refused() -> None:
    story = Story()
    story.bob.key = signing_key("mallory")
    stanza = story.start()
    story.alice.policy = replace(FAST, accept_unverified_keys=False)
    story.accept(story.come_back(), stanza)
    assert story.alice.got(NegotiationFailed)[0].fields == ("identity",)


def test_damaged_content_after_the_first_stanza_ends_the_session_in_silence() -> None:
    story = Story()
    first = story.start()
    story.bob.say("x")
    stanza = story.bob.outbox.pop()
    mac = next(element for element in stanza.iter() if element.tag.endswith("#ns}mac"))
    mac.text = "AAAA"
    story.accept(story.come_back(), first)
    story.alice.receive(stanza, later(hours=1))
    assert story.alice.got(SessionEnded)[0].reason is EndReason.DAMAGED
    assert story.alice.outbox == []


def test_forward_secrecy_offline_the_values_that_were_destroyed_can_not_be_made_again() -> None:
    story = Story()
    stanza = story.start()
    absence = story.come_back()
    story.accept(absence, stanza)
    absence.forget()
    assert story.alice.offline == {}
    again, _ = Absence.ended(story.alice.party, story.alice.offline, KEY, later(hours=1))
    assert again.accept(stanza, later(hours=1))[0] is None


# --- dates --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "yesterday", "2026-01-01", "2026-01-01T00:00:00"])
def test_xep_0082_dates_without_a_time_or_zone_are_refused(text: str) -> None:
    with pytest.raises(MalformedError):
        xep_0187.read_date(text)


def test_xep_0082_dates_are_written_in_utc() -> None:
    moment = xep_0187.read_date("2026-01-01T02:00:00+02:00")
    assert xep_0187.write_date(moment) == "2026-01-01T00:00:00Z"
    assert xep_0187.read_date("2026-01-01T00:00:00.5Z") - moment == timedelta(seconds=0.5)
