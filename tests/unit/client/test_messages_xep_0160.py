"""Messages that the vault hands on, and those that only pretend to be (XEP-0160)."""

import pytest
from slixmpp.stanza import Message
from slixmpp.xmlstream import ET

from stanzavault.kernel.address import Address
from stanzavault_client.keys.events import change_in
from stanzavault_client.keys.model import KeysChanged
from stanzavault_client.offline.model import read_left

VAULT = "vault.example.org"
SENDER = "romeo\\40montague.example@vault.example.org/orchard"
DELAY = "<delay xmlns='urn:xmpp:delay' from='{0}' stamp='2026-02-14T21:00:00Z'/>"
ID = "<stanza-id xmlns='urn:xmpp:sid:0' by='{0}' id='abc'/>"


def message(sender: str, *children: str) -> Message:
    xml = f"<message xmlns='jabber:client' from='{sender}'>{''.join(children)}<body>hi</body></message>"
    return Message(xml=ET.fromstring(xml))


def test_a_message_is_told_with_its_sender_time_and_one_id() -> None:
    left = read_left(message(SENDER, DELAY.format(VAULT), ID.format(VAULT)), VAULT)
    assert left is not None
    assert (str(left.sender), left.id, left.node) == ("romeo@montague.example/orchard", "abc", "")
    assert left.at.isoformat() == "2026-02-14T21:00:00+00:00"


def test_a_message_that_is_viewed_has_its_node() -> None:
    mark = "<offline xmlns='http://jabber.org/protocol/offline'><item node='n1'/></offline>"
    left = read_left(message(SENDER, DELAY.format(VAULT), ID.format(VAULT), mark), VAULT)
    assert left is not None
    assert left.node == "n1"


@pytest.mark.parametrize(
    ("sender", "children"),
    [
        ("romeo@montague.example", (DELAY.format(VAULT), ID.format(VAULT))),
        (VAULT, (DELAY.format(VAULT), ID.format(VAULT))),
        ("romeo@vault.example.org", (DELAY.format(VAULT),)),
        (SENDER, (ID.format(VAULT),)),
        (SENDER, (DELAY.format("evil.example"), ID.format(VAULT))),
        (SENDER, (DELAY.format(VAULT), ID.format("evil.example"))),
        (SENDER, (DELAY.format(VAULT).replace("2026-02", "yesterday"), ID.format(VAULT))),
        ("a\\40b@vault.example.org.evil.example", (DELAY.format(VAULT), ID.format(VAULT))),
    ],
)
def test_what_only_looks_as_if_the_vault_had_kept_it_is_not_told(
    sender: str, children: tuple[str, ...]
) -> None:
    assert read_left(message(sender, *children), VAULT) is None


def test_a_notification_names_the_account_and_what_changed() -> None:
    event = (
        "<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='urn:xmpp:pubkey:2'>"
        "<item id='current'/></items></event>"
    )
    romeo = Address.parse("romeo@montague.example")
    told = change_in(message("romeo\\40montague.example@vault.example.org", event).xml)
    assert told == (VAULT, KeysChanged(romeo, "urn:xmpp:pubkey:2", ("current",)))
    other = event.replace("urn:xmpp:pubkey:2", "urn:xmpp:avatar:metadata")
    assert change_in(message("romeo\\40montague.example@vault.example.org", other).xml) is None
    assert change_in(message("vault.example.org", event).xml) is None
