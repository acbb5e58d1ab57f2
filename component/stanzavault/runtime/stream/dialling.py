"""Opening the connection: which address, over what, and whether it leads where the settings say."""

import asyncio
import socket

from .addresses import is_loopback_address
from .settings import StreamSettings


async def dial(settings: StreamSettings, protocol: asyncio.BaseProtocol) -> None:
    """Connects to the first of the host's addresses that accepts, over TLS if that is set.

    Raises:
        OSError: None of them did; what the last one said.
        UnicodeError: The host is a name that DNS can't carry.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses:
        try:
            await loop.create_connection(
                lambda: protocol,
                address,
                settings.port,
                ssl=settings.tls,
                server_hostname=settings.host if settings.tls else None,
            )
        except OSError:
            if address == addresses[-1]:
                raise
        else:
            return


def is_exposed(settings: StreamSettings, transport: asyncio.BaseTransport) -> bool:
    """Whether 'localhost' turned out to be elsewhere: the settings could only judge the name."""
    if settings.tls or settings.allow_plaintext:
        return False
    peer = transport.get_extra_info("peername")
    return not (peer and is_loopback_address(str(peer[0])))


def bound_retransmission(transport: asyncio.BaseTransport, seconds: float) -> None:
    """Makes the system give up on a peer that vanished; by itself it tries for a quarter of an hour."""
    link = transport.get_extra_info("socket")
    if link is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(seconds * 1000))
