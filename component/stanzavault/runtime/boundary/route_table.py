"""Which handler serves a request: the routes of every slice in one table."""

from __future__ import annotations

from collections.abc import Iterable

from stanzavault.kernel.errors import FeatureNotImplemented, ServiceUnavailable
from stanzavault.kernel.request import Request, Way
from stanzavault.kernel.routing import Answer, Deed, Routes
from stanzavault.wire.xml import split


class RouteTable:
    """The routes, found by what a request is.

    Attributes:
        message: takes messages left for an account, None where no slice does.
        presences: each takes every presence.

    Raises:
        ValueError: two routes would serve the same.
    """

    def __init__(self, routes: Iterable[Routes]) -> None:
        self._answers: dict[tuple[str, str, Way], Answer] = {}
        self.message: Deed | None = None
        presences: list[Deed] = []
        for each in routes:
            self._add_iqs(each)
            if each.presence is not None:
                presences.append(each.presence)
            if each.message is not None:
                if self.message is not None:
                    raise ValueError("two routes take messages left for an account")
                self.message = each.message
        self.presences = tuple(presences)
        self._namespaces = frozenset(split(tag)[0] for _, tag, _ in self._answers)

    def _add_iqs(self, routes: Routes) -> None:
        for route in routes.iqs:
            for way in route.ways:
                place = (route.type, route.tag, way)
                if place in self._answers:
                    raise ValueError(f"two routes serve {place}")
                self._answers[place] = route.answer

    def answer(self, request: Request) -> Answer:
        """The handler of an IQ.

        Raises:
            FeatureNotImplemented: its namespace is served, and this request of it is not.
            ServiceUnavailable: its namespace is not served.
        """
        answer = self._answers.get((request.type, request.payload.tag, request.way))
        if answer is not None:
            return answer
        namespace, name = split(request.payload.tag)
        if namespace in self._namespaces:
            raise FeatureNotImplemented(
                f"<{name}/> of this namespace is not served in an IQ of this type, sent here."
            )
        raise ServiceUnavailable("The vault does not serve this namespace.")
