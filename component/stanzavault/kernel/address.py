"""XMPP addresses (RFC 7622) and the escaping of one inside another (XEP-0106)."""

from __future__ import annotations

import re
import stringprep
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from stanzavault.kernel.errors import JidMalformed

_PLAIN_LOCAL = re.compile(r"[a-z0-9!#$%()*+,\-.;=?\[\\\]^_`{|}~]+")
_PLAIN_DOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_PLAIN_RESOURCE = re.compile(r"[\x21-\x7e]+")
_BRACKETED = re.compile(r"\[[0-9a-f:.]+\]")
_FORBIDDEN_IN_LOCAL = frozenset("\"&'/:<>@ ")
_ESCAPED = {
    " ": "\\20", '"': "\\22", "&": "\\26", "'": "\\27", "/": "\\2f", ":": "\\3a", "<": "\\3c", ">": "\\3e",
    "@": "\\40", "\\": "\\5c",
}  # fmt: skip
_UNESCAPED = {escape: character for character, escape in _ESCAPED.items()}
_ESCAPE_SEQUENCE = re.compile("|".join(re.escape(escape) for escape in _UNESCAPED))
_MOST_BYTES = 1023
_MOST_CHARACTERS = 3 * _MOST_BYTES + 2


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """One address, prepared so that equal addresses compare equal.

    Build it with `Address.parse`; the parts given to the constructor are taken as prepared.
    """

    local: str
    domain: str
    resource: str = ""

    def __str__(self) -> str:
        text = f"{self.local}@{self.domain}" if self.local else self.domain
        return f"{text}/{self.resource}" if self.resource else text

    @property
    def bare(self) -> Address:
        """The address without its resource."""
        return Address(self.local, self.domain) if self.resource else self

    @property
    def is_bare(self) -> bool:
        """Whether the address has no resource."""
        return not self.resource

    @staticmethod
    def parse(text: str) -> Address:
        """Read and prepare an address.

        Raises:
            JidMalformed: the text is not an address.
        """
        if len(text) > _MOST_CHARACTERS:
            # Preparing takes time, and can make a short address of any length of text, to be remembered.
            raise JidMalformed(f"An address has at most {_MOST_CHARACTERS} characters.")
        return _parse(text)

    def inside(self, domain: str) -> Address:
        """This bare address as the local part of an address at `domain` (XEP-0106)."""
        return Address(escape(str(self.bare)), domain)

    def outside(self) -> Address:
        """The address that stands escaped in this address's local part (XEP-0106).

        Raises:
            JidMalformed: no address stands there.
        """
        return Address.parse(unescape(self.local))


def escape(text: str) -> str:
    """Escape what may not stand in a local part (XEP-0106, section 4.2)."""
    kept = _ESCAPE_SEQUENCE.sub(lambda match: "\\5c" + match.group()[1:], text)
    return "".join(
        _ESCAPED[character] if character in _FORBIDDEN_IN_LOCAL else character for character in kept
    )


def unescape(text: str) -> str:
    """Undo `escape` (XEP-0106, section 4.3)."""
    return _ESCAPE_SEQUENCE.sub(lambda match: _UNESCAPED[match.group()], text)


@lru_cache(maxsize=8192)
def _parse(text: str) -> Address:
    head, slash, resource = text.partition("/")
    local, at, domain = head.partition("@")
    if not at:
        local, domain = "", head
    if (at and not local) or (slash and not resource):
        raise JidMalformed("An address has an empty part.")
    address = Address(_local(local), _domain(domain), _resource(resource))
    for part in (address.local, address.domain, address.resource):
        if len(part.encode()) > _MOST_BYTES:
            raise JidMalformed(f"A part of an address is longer than {_MOST_BYTES} bytes.")
    return address


def _local(text: str) -> str:
    if not text or _PLAIN_LOCAL.fullmatch(text):
        return text
    prepared = _prepare(text, fold=True)
    if not prepared or _FORBIDDEN_IN_LOCAL & set(prepared):
        raise JidMalformed("The local part of an address has a character that may not stand there.")
    return prepared


def _domain(text: str) -> str:
    domain = text.removesuffix(".")
    if _PLAIN_DOMAIN.fullmatch(domain) or _BRACKETED.fullmatch(domain):
        return domain
    try:
        labels = [_prepare(label, fold=True) for label in re.split("[.\u3002\uff0e\uff61]", domain)]
        ascii_form = ".".join(label.encode("idna").decode() for label in labels)
    except UnicodeError as error:
        raise JidMalformed("The domain of an address is not a domain.") from error
    if not _PLAIN_DOMAIN.fullmatch(ascii_form.lower()):
        raise JidMalformed("The domain of an address is not a domain.")
    return ".".join(labels)


def _resource(text: str) -> str:
    if not text or _PLAIN_RESOURCE.fullmatch(text):
        return text
    prepared = _prepare(text, fold=False)
    if not prepared:
        raise JidMalformed("The resource of an address is empty once prepared.")
    return prepared


def _prepare(text: str, *, fold: bool) -> str:
    """Nodeprep or Resourceprep (RFC 3920, appendices A and B), which both servers apply."""
    if any(map(stringprep.in_table_a1, text)):
        raise JidMalformed("An address has a character that Unicode 3.2 did not have (RFC 3454, section 7).")
    mapped = "".join("" if stringprep.in_table_b1(character) else character for character in text)
    if fold:
        mapped = "".join(map(_folded, mapped))
    prepared = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    for character in prepared:
        if _prohibited(character, spaces=fold):
            raise JidMalformed("An address has a character that may not stand there.")
    if any(map(stringprep.in_table_d1, prepared)) and (
        any(map(stringprep.in_table_d2, prepared))
        or not stringprep.in_table_d1(prepared[0])
        or not stringprep.in_table_d1(prepared[-1])
    ):
        raise JidMalformed("An address mixes directions of writing.")
    return prepared


def _folded(character: str) -> str:
    folded = stringprep.map_table_b2(character)
    # Python folds letters that had no other case in Unicode 3.2, on which these profiles stand
    return character if any(map(stringprep.in_table_a1, folded)) else folded


def _prohibited(character: str, *, spaces: bool) -> bool:
    return (
        (spaces and stringprep.in_table_c11(character))
        or stringprep.in_table_c12(character)
        or stringprep.in_table_c21_c22(character)
        or stringprep.in_table_c3(character)
        or stringprep.in_table_c4(character)
        or stringprep.in_table_c5(character)
        or stringprep.in_table_c6(character)
        or stringprep.in_table_c7(character)
        or stringprep.in_table_c8(character)
        or stringprep.in_table_c9(character)
        or stringprep.in_table_a1(character)
    )
