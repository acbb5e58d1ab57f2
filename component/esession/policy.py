"""What this side offers, requires and accepts; and the table of logging preferences of XEP-0136."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from typing import Final, Literal

from esession.errors import MisuseError
from esession.groups import GROUP_NUMBERS
from esession.suite import (
    CIPHER_KEY_OCTETS,
    HASH_OCTETS,
    NO_REKEYING,
    STANZAS,
    XEP,
    Identification,
    Profile,
)

Security = Literal["e2e", "c2s", "none"]
Disclosure = Literal["never", "disabled", "enabled"]

MAY: Final = "may"
MUSTNOT: Final = "mustnot"


class LoggingPreference(Enum):
    """A user's wish about keeping messages (the OTR modes of XEP-0136 section 2.3)."""

    REQUIRE = "require"
    PREFER = "prefer"
    APPROVE = "approve"
    CONCEDE = "concede"
    OPPOSE = "oppose"
    FORBID = "forbid"

    def offer(self) -> tuple[str, ...]:
        """The options of the `logging` field in a request, the first preferred (XEP-0136 section 4.1)."""
        return _OFFERS[self]

    def answer(self, offered: tuple[str, ...]) -> str | None:
        """The value to respond with, None where the negotiation fails (XEP-0136 section 4.1).

        Args:
            offered: The options of the request, the first preferred.
        """
        known = tuple(option for option in offered if option in {MAY, MUSTNOT})
        return _ANSWERS[self].get(known[:2])


_OFFERS: Final = {
    LoggingPreference.REQUIRE: (MUSTNOT,),
    LoggingPreference.PREFER: (MUSTNOT, MAY),
    LoggingPreference.APPROVE: (MUSTNOT, MAY),
    LoggingPreference.CONCEDE: (MAY, MUSTNOT),
    LoggingPreference.OPPOSE: (MAY, MUSTNOT),
    LoggingPreference.FORBID: (MAY,),
}
_OFFERED: Final = ((MUSTNOT,), (MUSTNOT, MAY), (MAY, MUSTNOT), (MAY,))
_ANSWERS: Final[dict[LoggingPreference, dict[tuple[str, ...], str | None]]] = {
    preference: dict(zip(_OFFERED, answers, strict=True))
    for preference, answers in {
        LoggingPreference.REQUIRE: (MUSTNOT, MUSTNOT, MUSTNOT, None),
        LoggingPreference.PREFER: (MUSTNOT, MUSTNOT, MUSTNOT, MAY),
        LoggingPreference.APPROVE: (MUSTNOT, MUSTNOT, MAY, MAY),
        LoggingPreference.CONCEDE: (MUSTNOT, MUSTNOT, MAY, MAY),
        LoggingPreference.OPPOSE: (MUSTNOT, MAY, MAY, MAY),
        LoggingPreference.FORBID: (None, MAY, MAY, MAY),
    }.items()
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What one side of a negotiation wants. Tuples are in order of preference.

    Attributes:
        profile: How values are written; pinned for a peer by the caller, never switched by a stanza.
        groups: MODP groups; 5 only where the caller lists it.
        ciphers: Block ciphers; `none` (signing only) only where the caller lists it.
        hashes: Hashes; `sha384` and `sha512` are names of ours, used where both list them.
        stanzas: The stanza kinds to encrypt.
        init_pubkey: How the initiator may identify itself.
        resp_pubkey: How the responder may identify itself.
        messages: Whether our requests ask for a negotiation of 3 or 4 messages.
        accept_three_messages: Whether a 3-message request is answered, which shows our identity to
            whoever asks (XEP-0116 section 4.2).
        rekey_freq: Least number of stanzas between two key exchanges, below 2^32.
        rekey_after: Stanzas after which we re-key by ourselves; None for never.
        rekey_idle: Silence after which the next tick re-keys; None for never.
        security: Levels that are acceptable: `c2s` or `none` allow an unencrypted session.
        disclosure: Acceptable values of `disclosure`.
        logging: The user's wish about keeping messages.
        archiving_can_stop: Whether the server is known to let automatic archiving be switched off, without
            which `mustnot` may be neither offered nor agreed to (XEP-0136 section 4.1).
        multisession: Whether several sessions between the same two resources are allowed.
        parameters: Further fields of XEP-0155, each with its acceptable values: `language`, `presence`,
            `http://jabber.org/protocol/chatstates`, ….
        subset: Be a peer that implements only XEP-0217.
        review: Wait for the caller's word before completing a negotiation.
        accept_unverified_keys: Go on with a peer whose key the user has not verified, saying so by an event.
        drop_damaged: Drop stanzas that fail to authenticate instead of ending the session.
        retain_secrets_for: Age at which a retained secret expires; zero to retain none.
        search_other_addresses: Look for a shared retained secret among those of other addresses.
        keep_old_keys_for: How long old receiving keys wait for a peer that has not taken the new ones.
        negotiation_timeout: Silence after which an unfinished negotiation has failed.
        termination_timeout: How long a termination waits for its acknowledgement.
    """

    profile: Profile = XEP
    groups: tuple[int, ...] = (14, 15, 16)
    ciphers: tuple[str, ...] = ("aes256-ctr", "aes192-ctr", "aes128-ctr")
    hashes: tuple[str, ...] = ("sha256",)
    stanzas: tuple[str, ...] = STANZAS
    init_pubkey: tuple[Identification, ...] = ("none",)
    resp_pubkey: tuple[Identification, ...] = ("none",)
    messages: Literal[3, 4] = 4
    accept_three_messages: bool = False
    rekey_freq: int = 1
    rekey_after: int | None = 100
    rekey_idle: timedelta | None = timedelta(hours=1)
    security: tuple[Security, ...] = ("e2e",)
    disclosure: tuple[Disclosure, ...] = ("never",)
    logging: LoggingPreference = LoggingPreference.CONCEDE
    archiving_can_stop: bool = True
    multisession: bool = False
    parameters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    subset: bool = False
    review: bool = False
    accept_unverified_keys: bool = True
    drop_damaged: bool = False
    retain_secrets_for: timedelta = timedelta(days=365)
    search_other_addresses: bool = True
    keep_old_keys_for: timedelta = timedelta(seconds=300)
    negotiation_timeout: timedelta = timedelta(minutes=10)
    termination_timeout: timedelta = timedelta(seconds=60)

    def __post_init__(self) -> None:
        for name, known in (
            ("groups", GROUP_NUMBERS),
            ("ciphers", CIPHER_KEY_OCTETS),
            ("hashes", HASH_OCTETS),
            ("stanzas", STANZAS),
        ):
            chosen = getattr(self, name)
            if not chosen or any(each not in known for each in chosen):
                raise MisuseError(f"{name}: {chosen!r} is empty, or holds an algorithm that is left out")
        if not 1 <= self.rekey_freq <= NO_REKEYING:
            raise MisuseError("rekey_freq is at least 1 and below 2^32")
        if self.messages == 3 and "none" in (*self.init_pubkey, *self.resp_pubkey):
            raise MisuseError("a negotiation of 3 messages needs public keys on both sides")
        if self.subset and (self.messages != 4 or self.profile is not XEP):
            raise MisuseError("the subset of XEP-0217 has 4 messages and is of profile xep")

    def logging_offer(self) -> tuple[str, ...]:
        """The options of our `logging` field.

        Raises:
            MisuseError: The user requires what the server is not known to allow.
        """
        options = self.logging.offer()
        if not self.archiving_can_stop:
            options = tuple(option for option in options if option != MUSTNOT)
        if not options:
            raise MisuseError("the server is not known to let automatic archiving be switched off")
        return options

    def logging_answer(self, offered: tuple[str, ...]) -> str | None:
        """What to answer to an offer of `logging` options; None where the negotiation fails."""
        if not self.archiving_can_stop:
            offered = tuple(option for option in offered if option != MUSTNOT)
        return self.logging.answer(offered)
