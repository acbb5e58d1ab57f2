"""Keys sealed under a recovery code, as the element that the vault keeps and can't open.

    <recovery xmlns='urn:stanzavault:recovery:0' rounds='3' kibibytes='65536' lanes='4' salt='…'>…</recovery>

Argon2id over the code gives an AES-256-GCM key. The account and the costs are bound to what is sealed, so
that it opens for no other account and at no lower cost. Every envelope has a code of its own.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Sequence
from typing import Final
from xml.etree.ElementTree import Element, ParseError

from esession import crypto
from esession.errors import DamagedError, ESessionError
from stanzavault.kernel.address import Address
from stanzavault.kernel.errors import StanzaError
from stanzavault.keys.kinds.private import RECOVERY
from stanzavault.wire.xml import character_data, element, integer, qualified, required
from stanzavault_client.errors import AnswerMalformed, WrongCode
from stanzavault_client.recovery.code import RecoveryCode
from stanzavault_client.storage import OwnKey, own_key_record
from stanzavault_client.storage.passphrase import SALT_BYTES, Cost, derive

TAG: Final = qualified(RECOVERY, "recovery")


def seal(keys: Sequence[OwnKey], account: Address, code: RecoveryCode, cost: Cost) -> Element:
    """Seal keys; takes a tenth of a second or more, on purpose."""
    salt = secrets.token_bytes(SALT_BYTES)
    content = json.dumps([own_key_record.write(key) for key in keys]).encode()
    key = derive(code.reveal(), salt, cost)
    sealed = crypto.seal(key.reveal(), content, _bound(account, cost), secrets.token_bytes)
    attributes: dict[str, str | None] = {
        "rounds": str(cost.rounds),
        "kibibytes": str(cost.kibibytes),
        "lanes": str(cost.lanes),
        "salt": base64.b64encode(salt).decode(),
    }
    return element(TAG, attributes, base64.b64encode(sealed).decode())


def open_(envelope: Element, account: Address, code: RecoveryCode) -> list[OwnKey]:
    """The keys in an envelope.

    Raises:
        WrongCode: it was sealed under another code, for another account, or is damaged.
        AnswerMalformed: it is no envelope.
    """
    try:
        costs = (integer(required(envelope, name), f"'{name}'") for name in ("rounds", "kibibytes", "lanes"))
        cost = Cost(*costs)
        salt = base64.b64decode(required(envelope, "salt"), validate=True)
        sealed = base64.b64decode("".join(character_data(envelope).split()), validate=True)
    except (StanzaError, ValueError) as error:
        raise AnswerMalformed("What the vault keeps for recovery is no sealed key.") from error
    try:
        content = crypto.unseal(derive(code.reveal(), salt, cost).reveal(), sealed, _bound(account, cost))
    except DamagedError:
        raise WrongCode("Nothing opens with this recovery code.") from None
    try:
        return [own_key_record.read(record) for record in json.loads(content)]
    except (StanzaError, ESessionError, ParseError, ValueError, KeyError, TypeError):
        raise AnswerMalformed("What was sealed under the recovery code is no key.") from None


def _bound(account: Address, cost: Cost) -> bytes:
    return f"{RECOVERY}\n{account}\n{cost.text}".encode()
