"""Types of settings that are neither numbers nor quantities: addresses, files, commands, secrets."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, TypeVar
from urllib.parse import urlsplit

from pydantic import PlainValidator, SecretStr, ValidationInfo

from stanzavault.config.problems import Contradiction
from stanzavault.config.written import Written
from stanzavault.kernel.address import Address
from stanzavault.kernel.errors import JidMalformed

Item = TypeVar("Item")

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ENDPOINT = re.compile(r"(?:\[([0-9A-Fa-f:]+)\]|([^:\[\]\s]+)):([0-9]{1,5})")

_A_HOST: Final = "a host name or an IP address"
_A_DOMAIN: Final = "a host name such as example.org"
_DOMAINS: Final = "a list of at least one host name, such as [example.org]"
_AN_ENDPOINT: Final = "an address and a port, such as 127.0.0.1:9465 or [::1]:9465"
_A_FILE: Final = "the path of a file"
_A_WORD: Final = "a word"
_A_COMMAND: Final = "a command as a list of words, such as [pass, show, stanzavault]"
_A_VARIABLE: Final = "the name of an environment variable, such as STANZAVAULT_MASTER_KEY"
_A_SECRET: Final = "a secret, in quotes where YAML would take it for anything but text"  # noqa: S105 - a description
_A_URL: Final = "sqlite:////absolute/file or postgresql://user:password@host/database"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a service of ours listens.

    Attributes:
        host: an IP address or a host name.
        port: 0 takes any free port.
    """

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class DatabaseUrl(SecretStr):
    """The address of a database; it prints without its password."""

    def _display(self) -> str:
        try:
            parts = urlsplit(self.get_secret_value())
        except ValueError:
            return "**********"
        if parts.scheme == "sqlite":
            return self.get_secret_value()
        account, at, host = parts.netloc.rpartition("@")
        name, colon, _ = account.partition(":")
        masked = f"{name}:**********" if colon else name
        return f"{parts.scheme}://{masked}{at}{host}{parts.path}{'?**********' if parts.query else ''}"

    @property
    def holds_secret(self) -> bool:
        """Whether a password (or a query, which may hold one) stands in it."""
        return self._display() != self.get_secret_value()


def is_loopback(host: str) -> bool:
    """Whether traffic to `host` stays on this machine; a name other than localhost is taken not to."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _text(value: object, expected: str) -> str:
    if not isinstance(value, str) or not value or "\x00" in value:
        raise ValueError(f"expected {expected}")
    return value


def _listed(value: object, expected: str, read: Callable[[object], Item]) -> tuple[Item, ...]:
    if not isinstance(value, list | tuple) or not value:
        raise ValueError(f"expected {expected}")
    items: list[Item] = []
    for place, item in enumerate(value):
        try:
            items.append(read(item))
        except ValueError as error:
            raise Contradiction(str(place), str(error)) from error
    return tuple(items)


def _address(value: object, expected: str) -> Address:
    try:
        address = value if isinstance(value, Address) else Address.parse(_text(value, expected))
    except JidMalformed as error:
        raise ValueError(f"expected {expected}") from error
    if address.local or address.resource:
        raise ValueError(f"expected {expected}")
    return address


def _domain(value: object) -> str:
    return _address(value, _A_DOMAIN).domain


def _host(value: object) -> str:
    text = _text(value, _A_HOST)
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return _address(text, _A_HOST).domain


def _endpoint(value: object) -> Endpoint:
    if isinstance(value, Endpoint):
        return value
    match = _ENDPOINT.fullmatch(_text(value, _AN_ENDPOINT))
    if match is None or int(match[3]) > 65535:
        raise ValueError(f"expected {_AN_ENDPOINT}")
    return Endpoint(_host(match[1] or match[2]), int(match[3]))


def _file(value: object, info: ValidationInfo) -> Path:
    """A path that is not absolute starts where the configuration file lies."""
    path = value if isinstance(value, Path) else Path(_text(value, _A_FILE))
    folder: Path | None = (info.context or {}).get("folder")
    return folder / path if folder else path


def _variable(value: object) -> str:
    text = _text(value, _A_VARIABLE)
    if not _VARIABLE.fullmatch(text):
        raise ValueError(f"expected {_A_VARIABLE}")
    return text


def _secret(value: object) -> SecretStr:
    return value if isinstance(value, SecretStr) else SecretStr(_text(value, _A_SECRET))


def _database_url(value: object) -> DatabaseUrl:
    url = value if isinstance(value, DatabaseUrl) else DatabaseUrl(_text(value, _A_URL))
    try:
        parts = urlsplit(url.get_secret_value())
    except ValueError as error:
        raise ValueError(f"expected {_A_URL}") from error
    names_file = parts.scheme == "sqlite" and not parts.netloc and parts.path.startswith("//")
    names_database = parts.scheme == "postgresql" and len(parts.path) > 1
    if not (names_file or names_database):
        raise ValueError(f"expected {_A_URL}")
    return url


def _show_list(values: tuple[object, ...]) -> str:
    return f"[{', '.join(map(str, values))}]"


Domain = Annotated[Address, PlainValidator(lambda value: _address(value, _A_DOMAIN)), Written(_A_DOMAIN)]
Domains = Annotated[
    tuple[str, ...],
    PlainValidator(lambda value: _listed(value, _DOMAINS, _domain)),
    Written(_DOMAINS, _show_list),
]
Host = Annotated[str, PlainValidator(_host), Written(_A_HOST)]
Listen = Annotated[Endpoint, PlainValidator(_endpoint), Written(_AN_ENDPOINT)]
File = Annotated[Path, PlainValidator(_file), Written(_A_FILE)]
Command = Annotated[
    tuple[str, ...],
    PlainValidator(lambda value: _listed(value, _A_COMMAND, lambda item: _text(item, _A_WORD))),
    Written(_A_COMMAND, _show_list),
]
Variable = Annotated[str, PlainValidator(_variable), Written(_A_VARIABLE)]
Secret = Annotated[SecretStr, PlainValidator(_secret), Written(_A_SECRET, lambda _: "**********")]
Url = Annotated[DatabaseUrl, PlainValidator(_database_url), Written(_A_URL)]
