"""What the documentation of encrypted sessions owes its readers is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from esession import events
from esession.suite import CIPHER_KEY_OCTETS, HASH_OCTETS

DOCS = Path(__file__).parents[3] / "docs"
EVENTS = [each.__name__ for each in events.Event.__args__]


def text(name: str) -> str:
    return (DOCS / name).read_text("utf-8")


@pytest.mark.parametrize("event", EVENTS)
def test_what_each_event_obliges_a_client_to_show_is_told(event: str) -> None:
    rows = [line.split("|") for line in text("esession/events.md").splitlines() if line.startswith("|")]
    (row,) = [row for row in rows if f"`{event}`" in row[1]]
    assert row[2].strip()


@pytest.mark.parametrize("left_out", ["MODP 1 and 2", "DSA", "`zlib`, `lzw`", "Twofish, Serpent, Whirlpool"])
def test_each_algorithm_that_is_left_out_is_named_with_its_reason(left_out: str) -> None:
    (row,) = [
        line for line in text("esession/algorithms.md").splitlines() if line.startswith(f"| {left_out}")
    ]
    assert len(row.split("|")[2].split()) > 5


@pytest.mark.parametrize("name", [*CIPHER_KEY_OCTETS, *HASH_OCTETS, "rsa-sha256", "sas28x5"])
def test_each_supported_algorithm_is_named(name: str) -> None:
    assert name in text("esession/algorithms.md")


@pytest.mark.parametrize(
    ("page", "subject"),
    [
        ("esession-normalization.md", "quot"),
        ("esession-key-lengths.md", "least significant"),
        ("esession-counters.md", "between messages"),
        ("esession-counters.md", "partial block"),
    ],
)
def test_where_the_documents_contradict_themselves_a_decision_says_why(page: str, subject: str) -> None:
    decision = text(f"decisions/{page}")
    assert subject in decision
    assert "**Decision.**" in decision


@pytest.mark.parametrize(
    "limit", ["Who talks with whom", "man in the middle", "Denial", "Post-quantum", "As far as Python allows"]
)
def test_what_the_protocol_does_not_protect_against_is_told(limit: str) -> None:
    assert limit in text("esession/security.md")
