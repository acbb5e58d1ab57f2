"""`stanzavault run`: the service, until it is told to stop."""

from __future__ import annotations

import asyncio
import importlib.util
import signal
from collections.abc import Callable

from stanzavault.cli.terminal import DEFAULT_CONFIG, ConfigFile
from stanzavault.config import load_settings


def run(config: ConfigFile = DEFAULT_CONFIG) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is in flight and leave."""
    from stanzavault.app import run_vault  # noqa: PLC0415 - help loads nothing heavy
    from stanzavault.runtime.log import configure_log  # noqa: PLC0415 - help loads nothing heavy

    settings = load_settings(config)
    names = {settings.component.host, str(settings.component.jid), *settings.server.hosts}
    configure_log(settings.log, known=names)

    async def serve() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await run_vault(settings, stop)

    with asyncio.Runner(loop_factory=_fastest_loop()) as runner:
        runner.run(serve())


def _fastest_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if importlib.util.find_spec("uvloop") is None:
        return None
    import uvloop  # noqa: PLC0415 - help loads nothing heavy

    return uvloop.new_event_loop
