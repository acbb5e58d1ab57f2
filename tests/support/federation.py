"""A second server whose accounts are remote ones: it federates with the vault's, over loopback."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from support.ports import LOOPBACK, free_port
from support.process import ChildProcess
from support.prosody import Prosody
from support.xmpp_server import DOMAIN, VAULT

# Named by its address, the remote host is found by ejabberd without DNS; Prosody is told by a module of ours.
REMOTE = LOOPBACK

# Dialback asks whoever listens on the port that is named here, as it would ask whom DNS names.
_ROUTES = """
module:set_global();
local service = require "net.resolvers.service";
local manual = require "net.resolvers.manual";
local ports = module:get_option("s2s_loopback_ports");
local by_dns = service.new;
function service.new(host, name, transport, extra)
    if not ports[host] then return by_dns(host, name, transport, extra); end
    return manual.new({ { transport .. "4", "127.0.0.1", ports[host], extra } }, transport .. "4", extra);
end
"""

_PROSODY = """
plugin_paths = {{ "{plugins}" }}
modules_enabled = {{
    "blocklist", "dialback", "disco", "offline", "pep", "ping", "posix", "presence", "register", "roster",
    "s2s_loopback", "saslauth",
}}
modules_disabled = {{ "tls", "http" }}
s2s_interfaces = {{ "127.0.0.1" }}
s2s_ports = {{ {port} }}
s2s_require_encryption = false
s2s_loopback_ports = {{ {ports} }}
"""

_REMOTE = """
run_as_root = true
pidfile = "{folder}/prosody.pid"
data_path = "{folder}/data"
log = {{ {{ levels = {{ min = "info" }}, to = "console", timestamps = "%H:%M:%S" }} }}
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {client_port} }}
authentication = "internal_plain"
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
allow_registration = true
{federation}
VirtualHost "{domain}"
"""


@dataclass(frozen=True, slots=True)
class Federation:
    """Where the vault's server and the remote one take each other's streams."""

    folder: Path
    home_port: int = field(default_factory=free_port)
    remote_port: int = field(default_factory=free_port)

    def prosody(self, port: int) -> str:
        """Configuration of a Prosody that takes servers on `port`, and finds both where they are."""
        plugins = self.folder / "plugins"
        plugins.mkdir(exist_ok=True)
        (plugins / "mod_s2s_loopback.lua").write_text(_ROUTES, "utf-8")
        ports = {DOMAIN: self.home_port, VAULT: self.home_port, REMOTE: self.remote_port}
        listed = ", ".join(f'["{host}"] = {number}' for host, number in ports.items())
        file = self.folder / f"federation-{port}.cfg.lua"
        file.write_text(_PROSODY.format(plugins=plugins, port=port, ports=listed), "utf-8")
        return f'Include "{file}"\n'  # which is read as global settings wherever it stands

    def ejabberd(self) -> str:
        """Configuration of an ejabberd that takes servers on the home port."""
        settings: dict[str, Any] = {
            "listen": [{"port": self.home_port, "ip": LOOPBACK, "module": "ejabberd_s2s_in"}],
            "outgoing_s2s_port": self.remote_port,
            "s2s_use_starttls": False,
            "host_config": {DOMAIN: {"s2s_access": "all"}},
            "append_host_config": {DOMAIN: {"modules": {"mod_s2s_dialback": {}}}},
        }
        return yaml.safe_dump(settings)


@dataclass(kw_only=True)
class RemoteProsody(Prosody):
    """A Prosody that serves remote accounts, and has no vault."""

    kind = "remote"
    domain = REMOTE
    federation: Federation

    def configure(self) -> None:
        """Write the one file."""
        for name in ("data", "certs"):
            (self.folder / name).mkdir()
        main = _REMOTE.format(
            folder=self.folder,
            client_port=self.client_port,
            domain=self.domain,
            federation=self.federation.prosody(self.federation.remote_port),
        )
        (self.folder / "prosody.cfg.lua").write_text(main, "utf-8")

    def start_again(self) -> None:
        """Start the server, and return when it takes clients and servers."""
        self.process: ChildProcess = self.launch()
        for port in (self.client_port, self.federation.remote_port):
            self.process.wait_for_line(self.ready_line(port), within=20)


@contextmanager
def remote_server(federation: Federation) -> Iterator[RemoteProsody]:
    """A remote server for the length of a block."""
    server = RemoteProsody(federation=federation)
    server.start()
    try:
        yield server
    finally:
        server.close()
