"""The few questions that the stream asks about addresses: valid, whose domain, the same, on this machine."""

import ipaddress

from stanzavault.kernel.address import Address
from stanzavault.kernel.errors import JidMalformed


def _parse(address: str) -> Address | None:
    try:
        return Address.parse(address)
    except JidMalformed:
        return None


def domain_of(address: str) -> str | None:
    """The normalised domain of a JID, or None if it is not a JID."""
    parsed = _parse(address)
    return None if parsed is None else parsed.domain


def normalised(address: str) -> str | None:
    """The JID with each part prepared, so that equal addresses compare equal, or None if it is not a JID."""
    parsed = _parse(address)
    return None if parsed is None else str(parsed)


def is_domain(address: str) -> bool:
    """Whether the address is a JID without local part and resource, as a component's must be (XEP-0114)."""
    parsed = _parse(address)
    return parsed is not None and str(parsed) == parsed.domain


def is_loopback_address(address: str) -> bool:
    """Whether this literal IP address, without brackets, is one of the loopback networks."""
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False


def is_loopback_host(host: str) -> bool:
    """Whether a configured host is this machine: a loopback literal or ``localhost``, no other name."""
    return host.lower() == "localhost" or is_loopback_address(host)
