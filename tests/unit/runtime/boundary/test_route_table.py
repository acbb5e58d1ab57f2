"""The routes of every slice in one table."""

from __future__ import annotations

from xml.etree.ElementTree import Element

import pytest

from stanzavault.kernel.request import Request, Way
from stanzavault.kernel.routing import IqRoute, Routes
from stanzavault.runtime.boundary.route_table import RouteTable


async def _answer(_: Request) -> Element | None:
    return None


async def _deed(_: Request) -> None:
    return None


def test_two_slices_can_not_serve_the_same_request() -> None:
    direct = IqRoute("get", "{urn:example:echo}echo", _answer, frozenset({Way.DIRECT}))
    handed_over = IqRoute("get", "{urn:example:echo}echo", _answer, frozenset({Way.HANDED_OVER}))
    RouteTable([Routes(iqs=(direct,)), Routes(iqs=(handed_over,))])
    with pytest.raises(ValueError, match="two routes serve"):
        RouteTable([Routes(iqs=(direct,)), Routes(iqs=(handed_over, direct))])


def test_one_slice_takes_messages() -> None:
    with pytest.raises(ValueError, match="two routes take messages"):
        RouteTable([Routes(message=_deed), Routes(message=_deed)])


def test_several_slices_may_take_presence() -> None:
    assert RouteTable([Routes(presence=_deed), Routes(), Routes(presence=_deed)]).presences == (_deed, _deed)
