"""Elements with which a server speaks for others: from anybody else they are forged."""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree.ElementTree import Element

from stanzavault.kernel.errors import Forbidden
from stanzavault.runtime.boundary.xep_0355 import FORWARD
from stanzavault.wire.xml import split

# By their beginning, so that a version which is not spoken is as forged as one that is.
_DELEGATION = "urn:xmpp:delegation:"
_PRIVILEGE = "urn:xmpp:privilege:"


def is_delegation(child: Element) -> bool:
    """Whether the element is of any version of XEP-0355."""
    return split(child.tag)[0].startswith(_DELEGATION)


def is_privilege(child: Element) -> bool:
    """Whether the element is of any version of XEP-0356."""
    return split(child.tag)[0].startswith(_PRIVILEGE)


def refuse_forged(children: Iterable[Element], *, left_for_account: bool) -> None:
    """Refuse what only a server may send, where somebody else sent it or where no server would.

    Args:
        children: the children of the stanza.
        left_for_account: whether the stanza is a message left for an account. What is forwarded within such
            a message is content for its reader (XEP-0297); sent to the vault itself, it claims to be a copy
            that the server made.

    Raises:
        Forbidden: such an element is among them.
    """
    for child in children:
        namespace, name = split(child.tag)
        if is_delegation(child) or is_privilege(child) or (namespace == FORWARD and not left_for_account):
            raise Forbidden(f"<{name}/> is taken from the server alone.")
