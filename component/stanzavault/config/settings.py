"""Every setting, with what it is for, its type and its default.

The documentation (`docs/configuration.md`) and the commented example are made from these models.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, model_validator
from pydantic.fields import FieldInfo

from stanzavault.config.problems import Contradiction
from stanzavault.config.quantities import Duration, PerTime, Rate, Size
from stanzavault.config.sources import DEFAULT, Key, Source
from stanzavault.config.values import (
    Command,
    DatabaseUrl,
    Domain,
    Domains,
    Endpoint,
    File,
    Host,
    Listen,
    Secret,
    Url,
    Variable,
    is_loopback,
)

_SERVERS_GIVE_UP_AFTER = timedelta(seconds=32)  # ejabberd answers a delegated request itself by then


class Section(BaseModel):
    """Settings that belong together."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", hide_input_in_errors=True)

    alternatives: ClassVar[tuple[str, ...]] = ()
    """Settings of which one may be given, the usual one first: a source that gives one replaces them all."""


class Component(Section):
    """The connection to the XMPP server, as an external component (XEP-0114)."""

    alternatives = ("secret_file", "secret")

    jid: Domain = Field(
        description="The vault's own address, as the server knows it.", examples=["vault.example.org"]
    )
    host: Host = Field(default="127.0.0.1", description="Where the server listens for components.")
    port: Annotated[int, Field(ge=1, le=65535)] = Field(default=5347, description="The port it listens on.")
    secret_file: File | None = Field(
        default=None,
        description="A file whose first line is the secret shared with the server; others may not read it.",
        examples=["/etc/stanzavault/component.secret"],
    )
    secret: Secret = Field(
        description="The secret itself, instead of secret_file; then others may not read this file.",
        examples=['"the secret"'],
    )
    tls: bool = Field(default=False, description="Whether the server expects TLS from the first byte on.")
    ca_file: File | None = Field(
        default=None,
        description="Certificates (PEM) that the server's certificate must lead to, instead of the system's.",
        examples=["/etc/stanzavault/ca.pem"],
    )
    allow_plaintext: bool = Field(
        default=False, description="A link that leaves this machine needs TLS, or this set to true."
    )
    answer_within: Duration = Field(
        default=timedelta(seconds=20),
        description="Every request is answered by then; less than 32s, when ejabberd gives up.",
    )
    stop_within: Duration = Field(
        default=timedelta(seconds=15),
        description="When stopped, what is in flight is finished and committed for as long as this.",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not (is_loopback(self.host) or self.tls or self.allow_plaintext):
            raise Contradiction(
                "host",
                "a link that leaves this machine needs component.tls: true "
                "(or component.allow_plaintext: true, and the link is readable on its way)",
            )
        if self.ca_file and not self.tls:
            raise Contradiction("ca_file", "it has no effect without component.tls: true")
        if self.answer_within >= _SERVERS_GIVE_UP_AFTER:
            raise Contradiction(
                "answer_within", "expected less than 32s, when ejabberd gives up on a request"
            )
        return self


class Server(Section):
    """The XMPP server beside which the vault stands."""

    hosts: Domains = Field(
        description="The hosts whose accounts the vault serves. Each speaks for its own accounts only.",
        examples=["[example.org]"],
    )


class Database(Section):
    """Where records are kept. Nothing readable lies there."""

    alternatives = ("url", "url_file")

    url: Url = Field(
        default=DatabaseUrl("sqlite:////var/lib/stanzavault/vault.db"),
        description="An SQLite file, or for service PostgreSQL: postgresql://user:password@host/database. "
        "With a password in it, others may not read this file.",
    )
    url_file: File | None = Field(
        default=None,
        description="A file whose first line is the url, instead of url; others may not read it.",
        examples=["/etc/stanzavault/database.url"],
    )
    pool: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=10, description="Connections to PostgreSQL, at most."
    )
    min_free: Size = Field(
        default=1 << 30,
        description="With less free space on the disk of an SQLite file, saves are refused, and reads and "
        "removals still work. PostgreSQL says itself when its disk is full, and saves are refused then.",
    )


class Sealing(Section):
    """The master key, which wraps the data keys. It is not in the database. Exactly one of the three."""

    alternatives = ("master_key_file", "master_key_env", "master_key_command")

    master_key_file: File | None = Field(
        default=None,
        description="A file that holds the master key; others may not read it.",
        examples=["/etc/stanzavault/master.key"],
    )
    master_key_env: Variable | None = Field(
        default=None,
        description="The environment variable that holds the master key.",
        examples=["STANZAVAULT_MASTER_KEY"],
    )
    master_key_command: Command | None = Field(
        default=None,
        description="A command, started without a shell, that prints the master key.",
        examples=["[pass, show, stanzavault/master-key]"],
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        given = [name for name in self.alternatives if getattr(self, name) is not None]
        if len(given) != 1:
            raise Contradiction(
                given[-1] if given else self.alternatives[0],
                "expected exactly one of sealing.master_key_file, master_key_env and master_key_command",
            )
        return self


class Keys(Section):
    """Public keys that accounts publish (XEP-0189)."""

    rsa_bits: Annotated[int, Field(ge=2048, le=8192)] = Field(
        default=2048, description="An RSA key with fewer bits is refused."
    )
    access: Literal["open", "presence", "whitelist"] = Field(
        default="open",
        description="Who may read what an account publishes, until it says otherwise: "
        "anybody (open), those who see its presence (presence), or those whom it names (whitelist).",
    )


class OfflineQuota(Section):
    """What one account may have waiting."""

    bytes: Annotated[Size, Field(ge=1)] = Field(default=20 << 20, description="All its messages together.")
    messages: Annotated[int, Field(ge=1, le=1_000_000)] = Field(default=1000, description="Their number.")


class Offline(Section):
    """Messages that wait for an account (XEP-0160)."""

    retention: Duration = Field(default=timedelta(days=30), description="What waited longer is removed.")
    quota: OfflineQuota = Field(default_factory=OfflineQuota)


class ArchiveQuota(Section):
    """What one account may have archived."""

    bytes: Annotated[Size, Field(ge=1)] = Field(default=1 << 30, description="All its collections together.")


class Archive(Section):
    """Archived conversations (XEP-0136, XEP-0241)."""

    quota: ArchiveQuota = Field(default_factory=ArchiveQuota)


class Limits(Section):
    """What a peer may ask of the vault."""

    stanza: Annotated[Size, Field(ge=10_000, le=16 << 20)] = Field(
        default=256 << 10, description="A larger stanza is refused; at least 10000B (RFC 6120)."
    )
    reply: Annotated[Size, Field(ge=10_000, le=16 << 20)] = Field(
        default=128 << 10, description="A page of results is cut there; the server must take that much."
    )
    page: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=100, description="Results on a page, at most."
    )
    depth: Annotated[int, Field(ge=16, le=256)] = Field(
        default=64, description="A stanza whose elements are nested deeper is refused."
    )
    per_account: PerTime = Field(
        default=Rate(20, timedelta(seconds=1)),
        description="Stanzas that one account may send; more must wait.",
    )


class Log(Section):
    """What the vault tells of its work. No body, address or key is ever in it."""

    format: Literal["text", "json"] = Field(
        default="text", description="Lines for people, or JSON for machines."
    )
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="What is less urgent is left out."
    )


class Metrics(Section):
    """Health (/health) and Prometheus metrics (/metrics) over HTTP, without a password."""

    listen: Listen = Field(
        default=Endpoint("127.0.0.1", 9465), description="Where they are served; port 0 takes any free port."
    )


class Settings(Section):
    """The settings of one deployment."""

    component: Component
    server: Server
    database: Database = Field(default_factory=Database)
    sealing: Sealing
    keys: Keys = Field(default_factory=Keys)
    offline: Offline = Field(default_factory=Offline)
    archive: Archive = Field(default_factory=Archive)
    limits: Limits = Field(default_factory=Limits)
    log: Log = Field(default_factory=Log)
    metrics: Metrics = Field(default_factory=Metrics)

    _sources: Mapping[Key, Source] = PrivateAttr(default_factory=dict)

    def source_of(self, name: str) -> Source:
        """Where the value of a setting comes from.

        Args:
            name: the key with its section, such as `component.port`.

        Raises:
            KeyError: there is no such setting.
        """
        key: Key = tuple(name.split("."))
        if key not in dict(each_setting()):
            raise KeyError(name)
        return self._sources.get(key, DEFAULT)

    def value_of(self, key: Key) -> object:
        """The value of a setting, secrets in their wrapping."""
        value: object = self
        for name in key:
            value = getattr(value, name)
        return value

    def with_sources(self, sources: Mapping[Key, Source]) -> Self:
        """The same settings, which know where they come from."""
        known = self.model_copy()
        known._sources = dict(sources)  # noqa: SLF001 - its own
        return known


def subsection(section: type[Section], name: str) -> type[Section] | None:
    """The model of a field that has settings of its own, or None where the field is a setting itself."""
    annotation = section.model_fields[name].annotation
    return annotation if isinstance(annotation, type) and issubclass(annotation, Section) else None


def each_setting(section: type[Section] = Settings, below: Key = ()) -> Iterator[tuple[Key, FieldInfo]]:
    """Every setting in the order of the models, with its key."""
    for name, field in section.model_fields.items():
        inner = subsection(section, name)
        if inner is None:
            yield (*below, name), field
        else:
            yield from each_setting(inner, (*below, name))


def each_section(section: type[Section] = Settings, below: Key = ()) -> Iterator[tuple[Key, type[Section]]]:
    """Every section in the order of the models, with its key; the first is the whole."""
    yield below, section
    for name in section.model_fields:
        inner = subsection(section, name)
        if inner is not None:
            yield from each_section(inner, (*below, name))
