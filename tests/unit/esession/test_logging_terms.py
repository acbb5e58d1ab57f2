"""The logging preferences of XEP-0136, and the three spellings of the field."""

import pytest

from esession.errors import MisuseError
from esession.policy import LoggingPreference, Policy
from esession.suite import XEP
from esession.wire import xep_0155
from esession.wire.xep_0004 import Field, Form
from support.esession_peers import ALICE, BOB, Peer, connect

OFFERED = (("mustnot",), ("mustnot", "may"), ("may", "mustnot"), ("may",))
TABLE = {
    "require": ("mustnot", "mustnot", "mustnot", None),
    "prefer": ("mustnot", "mustnot", "mustnot", "may"),
    "approve": ("mustnot", "mustnot", "may", "may"),
    "concede": ("mustnot", "mustnot", "may", "may"),
    "oppose": ("mustnot", "may", "may", "may"),
    "forbid": (None, "may", "may", "may"),
}


@pytest.mark.parametrize("preference", LoggingPreference)
def test_xep_0136_answers_are_those_of_its_table(preference: LoggingPreference) -> None:
    assert tuple(preference.answer(offered) for offered in OFFERED) == TABLE[preference.value]


@pytest.mark.parametrize(
    ("preference", "offer"),
    [
        ("require", ("mustnot",)),
        ("prefer", ("mustnot", "may")),
        ("approve", ("mustnot", "may")),
        ("concede", ("may", "mustnot")),
        ("oppose", ("may", "mustnot")),
        ("forbid", ("may",)),
    ],
)
def test_xep_0136_offers_are_those_of_its_table(preference: str, offer: tuple[str, ...]) -> None:
    assert LoggingPreference(preference).offer() == offer


@pytest.mark.parametrize("ours", LoggingPreference)
@pytest.mark.parametrize("theirs", LoggingPreference)
def test_every_pair_of_preferences_negotiates_as_the_tables_say(
    ours: LoggingPreference, theirs: LoggingPreference
) -> None:
    alice = Peer(ALICE, Policy(groups=(5,), logging=ours))
    bob = Peer(BOB, Policy(groups=(5,), logging=theirs))
    connect(alice, bob)
    expected = TABLE[theirs.value][OFFERED.index(ours.offer())]
    assert alice.session is not None
    assert (alice.session.terms.logging if alice.session.terms else None) == expected


def test_mustnot_is_neither_offered_nor_agreed_to_unless_archiving_can_be_stopped() -> None:
    policy = Policy(logging=LoggingPreference.PREFER, archiving_can_stop=False)
    assert policy.logging_offer() == ("may",)
    assert policy.logging_answer(("mustnot", "may")) == "may"
    assert policy.logging_answer(("mustnot",)) is None
    with pytest.raises(MisuseError):
        Policy(logging=LoggingPreference.REQUIRE, archiving_can_stop=False).logging_offer()


@pytest.mark.parametrize(
    ("var", "options", "words", "meanings"),
    [
        ("logging", ("may", "mustnot"), "logging", ("may", "mustnot")),
        ("logging", ("false", "true"), "logging-boolean", ("mustnot", "may")),
        ("otr", ("false", "true"), "otr", ("may", "mustnot")),
    ],
)
def test_the_three_spellings_of_the_field_mean_the_same(
    var: str, options: tuple[str, ...], words: str, meanings: tuple[str, ...]
) -> None:
    form = Form.build("form", [Field(var, options=options)], XEP)
    offer = xep_0155.read_logging(form)
    assert offer is not None
    assert (offer.words, offer.options) == (words, meanings)


def test_a_request_without_the_field_is_refused_by_who_requires_it() -> None:
    bob = Peer(BOB, Policy(groups=(5,), logging=LoggingPreference.REQUIRE))
    alice = Peer(ALICE, Policy(groups=(5,)))
    alice.open(BOB)
    request = alice.outbox.pop()
    x = request.find(f"{xep_0155.FEATURE}/{{jabber:x:data}}x")
    assert x is not None
    x.remove(next(field for field in x if field.get("var") == "logging"))
    bob.receive(request)
    assert xep_0155.read_error(bob.outbox.pop()) == ("not-acceptable", ("logging",))
