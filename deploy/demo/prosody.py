"""A private Prosody on high ports of 127.0.0.1, configured by deploy/prosody/stanzavault.cfg.lua."""

from __future__ import annotations

import secrets
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from processes import LOOPBACK, Program, ProgramFailed, free_ports, run

HOST = "localhost"
VAULT = "vault.localhost"
UNSEALED = "unsealed.localhost"

_SNIPPET = Path(__file__).parents[1] / "prosody" / "stanzavault.cfg.lua"
_CONFIGURATION = """
run_as_root = true
pidfile = "{folder}/prosody.pid"
data_path = "{folder}/data"
certificates = "{folder}/certs"
log = {{ {{ levels = {{ min = "warn" }}, to = "console" }} }}

interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {client_port} }}
c2s_direct_tls_ports = {{}}
component_interfaces = {{ "127.0.0.1" }}
component_ports = {{ {component_port} }}
modules_enabled = {{ "carbons", "disco", "offline", "pep", "ping", "posix", "roster", "saslauth", "smacks" }}
modules_disabled = {{ "s2s", "tls", "http" }}

authentication = "internal_hashed"
c2s_require_encryption = false
allow_unencrypted_plain_auth = true

Include "stanzavault.cfg.lua"

-- The vault of the comparison, whose sealing is switched off.
Component "{unsealed}"
    component_secret = "{secret}"
"""


@dataclass(frozen=True, slots=True)
class Account:
    """An account of the server."""

    jid: str
    password: str = field(repr=False)


class Prosody:
    """The server of the demo.

    Args:
        folder: an empty one, for its configuration and data.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "prosody.cfg.lua"
        self.client_port, self.component_port = free_ports(2)
        self.secret = secrets.token_hex(16)
        self._program = Program([_program("prosody"), "-F", "--config", self._file], folder / "prosody.log")

    async def start(self) -> None:
        """Write the configuration, and return when clients can connect.

        Raises:
            ProgramFailed: it did not start.
        """
        for name in ("data", "certs"):
            (self._folder / name).mkdir()
        snippet = _SNIPPET.read_text("utf-8")
        for written, meant in (
            ("vault.example.org", VAULT),
            ("example.org", HOST),
            ("change-me", self.secret),
        ):
            snippet = snippet.replace(written, meant)
        (self._folder / "stanzavault.cfg.lua").write_text(snippet, "utf-8")
        self._file.write_text(
            _CONFIGURATION.format(
                folder=self._folder,
                client_port=self.client_port,
                component_port=self.component_port,
                unsealed=UNSEALED,
                secret=self.secret,
            ),
            "utf-8",
        )
        await self._program.start(self.client_port)

    async def new_account(self, user: str) -> Account:
        """Create an account with a random password.

        Raises:
            ProgramFailed: it was not created.
        """
        account = Account(f"{user}@{HOST}", secrets.token_urlsafe(9))
        control = _program("prosodyctl")
        await run(control, "--config", self._file, "register", user, HOST, account.password)
        return account

    async def stop(self) -> None:
        """End it."""
        await self._program.stop()

    @property
    def address(self) -> str:
        """Where clients connect."""
        return f"{LOOPBACK}:{self.client_port}"


def _program(name: str) -> str:
    found = shutil.which(name, path=None) or shutil.which(name, path="/usr/bin:/usr/sbin")
    if found is None:
        raise ProgramFailed(f"{name} is not installed: run deploy/install-servers prosody")
    return found
