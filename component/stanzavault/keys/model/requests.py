"""What is asked of a node (XEP-0060), as commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from stanzavault.kernel.address import Address
from stanzavault.kernel.paging import PageRequest

Options = Mapping[str, Sequence[str]]
"""Fields of a node's configuration by their names, with the values that were submitted."""


@dataclass(frozen=True, slots=True)
class Publish:
    """Publish an item (section 7.1); `item_id` is "" where the vault names it."""

    node: str
    item_id: str
    payload: Element = field(repr=False)
    options: Options = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Retract:
    """Delete an item (section 7.2); subscribers are told where `notify` is set."""

    node: str
    item_id: str
    notify: bool = False


@dataclass(frozen=True, slots=True)
class Create:
    """Create a node (section 8.1), configured by `options`."""

    node: str
    options: Options = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Subscribe an address to a node (section 6.1)."""

    node: str
    subscriber: Address


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """End a subscription (section 6.2)."""

    node: str
    subscriber: Address


@dataclass(frozen=True, slots=True)
class Fetch:
    """Retrieve items (section 6.5): those with `item_ids`, the newest `newest`, or a page.

    `is_paged` says that a page was asked for, and not only what there is.
    """

    node: str
    page: PageRequest
    item_ids: Sequence[str] = ()
    newest: int | None = None
    is_paged: bool = False


@dataclass(frozen=True, slots=True)
class ListSubscriptions:
    """Retrieve one's own subscriptions (section 5.6), to one node or ("") to all."""

    node: str = ""


@dataclass(frozen=True, slots=True)
class ListAffiliations:
    """Retrieve one's own affiliations (section 5.7), with one node or ("") with all."""

    node: str = ""


@dataclass(frozen=True, slots=True)
class ShowDefault:
    """Retrieve the default configuration (section 8.3)."""


@dataclass(frozen=True, slots=True)
class ShowConfiguration:
    """Retrieve a node's configuration as a form (section 8.2)."""

    node: str


@dataclass(frozen=True, slots=True)
class Configure:
    """Change a node's configuration (section 8.2.4)."""

    node: str
    options: Options


@dataclass(frozen=True, slots=True)
class ShowAffiliations:
    """Retrieve who is on a node's whitelist (section 8.9.1)."""

    node: str


@dataclass(frozen=True, slots=True)
class Affiliate:
    """Put addresses on the whitelist or take them off it (section 8.9.2)."""

    node: str
    added: frozenset[Address]
    removed: frozenset[Address]


@dataclass(frozen=True, slots=True)
class Purge:
    """Delete all items of a node (section 8.5)."""

    node: str


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete a node (section 8.4)."""

    node: str


Reading = Fetch | ListSubscriptions | ListAffiliations
Writing = Publish | Retract | Create | Subscribe | Unsubscribe
OwnerReading = ShowDefault | ShowConfiguration | ShowAffiliations
OwnerWriting = Configure | Affiliate | Purge | Delete
