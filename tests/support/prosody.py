"""A real Prosody, configured by deploy/prosody/stanzavault.cfg.lua as an operator's would be."""

from dataclasses import dataclass

from support.process import ChildProcess
from support.xmpp_server import DEPLOY, XmppServer, operator_snippet, require

_CONFIGURATION = """
run_as_root = true
pidfile = "{folder}/prosody.pid"
data_path = "{folder}/data"
log = {{ {{ levels = {{ min = "info" }}, to = "console", timestamps = "%H:%M:%S" }} }}

interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {client_port} }}
component_interfaces = {{ "127.0.0.1" }}
component_ports = {{ {component_port}, {rogue_port} }}

modules_enabled = {{
    "blocklist", "carbons", "disco", "offline", "pep", "ping", "posix", "presence", "private", "register",
    "roster", "saslauth", "smacks", "version",
}}
modules_disabled = {{ "s2s", "tls", "http" }}

authentication = "internal_plain"
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
allow_registration = true

VirtualHost "{domain}"
VirtualHost "{elsewhere}"
Component "{rogue}"
    component_secret = "{rogue_secret}"

Include "stanzavault.cfg.lua"

{extra}
"""


@dataclass(kw_only=True)
class Prosody(XmppServer):
    """Prosody as Debian packages it; `extra` is Lua, and may open a VirtualHost or Component section."""

    kind = "prosody"

    def configure(self) -> None:
        """Write the main file; the operator's snippet lies beside it and is included by it."""
        for name in ("data", "certs"):
            (self.folder / name).mkdir()
        snippet = operator_snippet(
            DEPLOY / "prosody" / "stanzavault.cfg.lua", secret=self.secret, component_port=self.component_port
        )
        (self.folder / "stanzavault.cfg.lua").write_text(snippet, "utf-8")
        main = _CONFIGURATION.format(
            folder=self.folder,
            client_port=self.client_port,
            component_port=self.component_port,
            rogue_port=self.rogue_port,
            domain=self.domain,
            elsewhere=self.elsewhere,
            rogue=self.rogue,
            rogue_secret=self.rogue_secret,
            extra=self.extra,
        )
        (self.folder / "prosody.cfg.lua").write_text(main, "utf-8")

    def launch(self) -> ChildProcess:
        """Start it in the foreground."""
        program = require("prosody", "/usr/bin", "/usr/sbin")
        return ChildProcess("prosody", [program, "-F", "--config", self.folder / "prosody.cfg.lua"])

    def ready_line(self, port: int) -> str:
        """Prosody tells each service that it activated."""
        return rf"Activated service '\w+' on .*\[127\.0\.0\.1\]:{port}\b"
