"""What a finished negotiation gives, and finding the retained secret that both sides share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain

from esession import crypto
from esession.channel import Channel, DirectionKeys, KeyPair, KeySet, Position
from esession.crypto import Entropy, SigningKey
from esession.keys import Identity, RSAPublicKey, bare
from esession.negotiation.derivation import RoleKeys
from esession.negotiation.identity import FindKey
from esession.negotiation.terms import Terms
from esession.policy import Policy
from esession.secret import Secret
from esession.storage import KnownKeys, RetainedSecret, RetainedSecrets
from esession.suite import BLOCK_BITS, Suite


@dataclass(frozen=True, slots=True)
class Party:
    """What our side of a negotiation has to hand.

    Attributes:
        identity: Who we are.
        policy: What we want.
        entropy: The caller's source of random octets.
        retained: The secrets retained from earlier sessions.
        known: The public keys seen so far.
        other_secret: The other shared secret, empty if there is none.
    """

    identity: Identity
    policy: Policy
    entropy: Entropy = field(repr=False)
    retained: RetainedSecrets = field(repr=False)
    known: KnownKeys = field(repr=False)
    other_secret: bytes = field(default=b"", repr=False)

    @property
    def signer(self) -> SigningKey | None:
        """The key that identifies us, if we have one."""
        return self.identity.keys[0] if self.identity.keys else None

    def random(self, octets: int) -> bytes:
        """Random octets."""
        return crypto.random_octets(self.entropy, octets)

    def knows(self, peer: str) -> bool:
        """Whether we know a public key of this JID."""
        return bool(self.known.of(bare(peer)))

    def finder(self, peer: str, hash_name: str) -> FindKey:
        """Finds a known key by its fingerprint, first among the peer's own."""

        def find(fingerprint: bytes) -> RSAPublicKey | None:
            for each in chain(self.known.of(bare(peer)), self.known.all()):
                if crypto.same(each.key.fingerprint(hash_name), fingerprint):
                    return each.key
            return None

        return find

    def usable_secrets(self, peer: str, now: datetime) -> list[RetainedSecret]:
        """The retained secrets of this JID that have not expired."""
        lifetime = self.policy.retain_secrets_for
        return [each for each in self.retained.of(bare(peer)) if not _expired(each, now, lifetime)]

    def usable_secrets_elsewhere(self, peer: str, now: datetime) -> Iterable[RetainedSecret]:
        """The retained secrets of all other JIDs that have not expired, if the policy searches them."""
        if not self.policy.search_other_addresses:
            return ()
        lifetime = self.policy.retain_secrets_for
        return (each for each in self.retained.others(bare(peer)) if not _expired(each, now, lifetime))

    def expired_secrets(self, peer: str, now: datetime) -> list[RetainedSecret]:
        """The retained secrets of this JID that have expired, to be destroyed."""
        lifetime = self.policy.retain_secrets_for
        return [each for each in self.retained.of(bare(peer)) if _expired(each, now, lifetime)]


@dataclass(frozen=True, slots=True)
class Established:
    """A session that both sides have proved themselves in.

    Attributes:
        channel: What encrypts and decrypts.
        terms: What else was agreed.
        peer_key: The peer's public key, None where none was negotiated.
        sas: The short authentication string; None after a negotiation of 3 messages.
        shared: The retained secret that both sides had.
        had_secrets: Whether any usable secret of the peer's address was retained here.
        new_secret: The secret to retain for the next session.
    """

    channel: Channel
    terms: Terms
    peer_key: RSAPublicKey | None = None
    sas: str | None = None
    shared: RetainedSecret | None = None
    had_secrets: bool = False
    new_secret: Secret | None = None


def responder_counter(counter: int) -> int:
    """C_B = C_A xor 2^(n-1)."""
    return counter ^ (1 << (BLOCK_BITS - 1))


def make_channel(
    suite: Suite,
    send: tuple[RoleKeys, Position],
    receive: tuple[RoleKeys, Position],
    pair: KeyPair,
    peer_value: int,
) -> Channel:
    """The channel of a finished negotiation; the SIGMA keys are destroyed here."""
    for keys, _ in (send, receive):
        keys.sigma.wipe()
    return Channel(
        suite=suite,
        send=DirectionKeys(send[0].cipher, send[0].mac),
        send_at=send[1],
        receive_at=receive[1],
        sets=(KeySet(0, pair.exponent, DirectionKeys(receive[0].cipher, receive[0].mac)),),
        peer_value=peer_value,
    )


def _expired(secret: RetainedSecret, now: datetime, lifetime: timedelta) -> bool:
    return now >= secret.made + lifetime
