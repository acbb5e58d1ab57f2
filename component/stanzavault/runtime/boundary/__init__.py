"""Between the stream and the slices: who asks, of which account, whether they may, and one answer each.

`Boundary` serves stanzas; app wires it with `Addressing`, `Terms`, `Privileges` and the slices' routes.
"""

from stanzavault.runtime.boundary.addressing import Addressing
from stanzavault.runtime.boundary.boundary import Boundary, Observer, Terms
from stanzavault.runtime.boundary.rate_limits import Pace
from stanzavault.runtime.boundary.roster import ServerRoster
from stanzavault.runtime.boundary.xep_0356 import Privileges

__all__ = ["Addressing", "Boundary", "Observer", "Pace", "Privileges", "ServerRoster", "Terms"]
