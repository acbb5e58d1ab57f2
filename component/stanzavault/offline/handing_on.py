"""Waiting messages go out, one after the other."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from stanzavault.kernel.address import Address
from stanzavault.kernel.ids import id_text
from stanzavault.kernel.ports import Post
from stanzavault.offline.model import Waiting
from stanzavault.offline.stanza.xep_0160 import render_waiting

_log = logging.getLogger("stanzavault.offline")


async def hand_on(
    post: Post, waiting: Iterable[Waiting], component: Address, to: Address, *, nodes: bool = False
) -> None:
    """Send messages to a session of their owner, in their order.

    One that can't be written as a stanza any more is reported by id and left out: it holds up no other.

    Args:
        post: sends them.
        waiting: the messages.
        component: the vault's address.
        to: the full address of the session.
        nodes: whether each is marked with its node (XEP-0013, section 2.4).

    Raises:
        ConnectionError: there is no stream.
    """
    for one in waiting:
        try:
            await post.send(render_waiting(one, component, to, node=nodes))
        except ValueError:
            _log.error("a waiting message can't be sent", extra={"record": id_text(one.place.id)})
