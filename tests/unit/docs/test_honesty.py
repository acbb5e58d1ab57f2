"""What a user has to be told stands where that user reads."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

import esession
from stanzavault_client.archive import ArchivePlugin
from stanzavault_client.cli.conversation import HONESTY
from stanzavault_client.esession import ESessionPlugin

ROOT = Path(__file__).parents[3]


def page(name: str) -> str:
    """A page as one line of words."""
    return " ".join((ROOT / name).read_text("utf-8").split())


@pytest.mark.parametrize(
    "told",
    [
        page("docs/client.md"),
        page("docs/esession/first-chat.md"),
        inspect.getdoc(ArchivePlugin),
        inspect.getdoc(ESessionPlugin.archive),
    ],
    ids=["docs/client.md", "docs/esession/first-chat.md", "ArchivePlugin", "ESessionPlugin.archive"],
)
def test_archived_copies_are_said_to_give_up_forward_secrecy(told: str) -> None:
    told = " ".join(told.replace("*", "").split())
    assert re.search(r"gives? up (the )?forward secrecy", told)


@pytest.mark.parametrize(
    "told",
    [
        page("README.md"),
        page("docs/esession/first-chat.md"),
        page("docs/esession/security.md"),
        inspect.getdoc(esession),
    ],
    ids=["README.md", "docs/esession/first-chat.md", "docs/esession/security.md", "esession"],
)
def test_esessions_are_said_to_be_deferred_unaudited_and_without_peers(told: str) -> None:
    for words in ("deferred", "audit", "peer", "OMEMO"):
        assert words.lower() in told.lower(), words


def test_the_chat_says_so_before_anything_else() -> None:
    for words in ("Deferred", "nobody has audited", "OMEMO or MLS"):
        assert words in HONESTY
