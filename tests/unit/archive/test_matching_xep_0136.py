"""JID matching (XEP-0136, section 10.1) at the grains that can be looked up, against the rules as written."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stanzavault.archive.rules import grain, value_at
from stanzavault.kernel.address import Address
from support.archive_model import stands_for

parts = st.sampled_from(["", "a", "b", "A", "romeo"])
addresses = st.builds(
    lambda local, domain, resource: Address.parse(
        (f"{local}@" if local else "") + domain + (f"/{resource}" if resource else "")
    ),
    parts,
    st.sampled_from(["example.com", "example.org", "com", "a.example.com"]),
    parts,
)


@given(addresses, addresses, st.booleans())
def test_an_address_matches_at_its_grain_exactly_what_the_rules_say(
    wanted: Address, with_: Address, exact: bool
) -> None:
    at, value = grain(wanted, exact=exact)
    assert (value_at(at, with_) == value) == stands_for(str(wanted), exact, str(with_))


@given(addresses, addresses)
def test_exactmatch_matches_nothing_but_the_address_itself(wanted: Address, with_: Address) -> None:
    at, value = grain(wanted, exact=True)
    assert (value_at(at, with_) == value) == (wanted == with_)
