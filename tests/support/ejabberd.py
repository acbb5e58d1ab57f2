"""A real ejabberd, configured by deploy/ejabberd/stanzavault.yml as an operator's would be."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from support.process import ChildProcess
from support.xmpp_server import DEPLOY, MissingServerError, XmppServer, operator_snippet, require


@dataclass(kw_only=True)
class Ejabberd(XmppServer):
    """ejabberd as Debian packages it; `extra` is YAML, included as one more file.

    It runs without its wrapper script and without Erlang's distribution: no node name, no epmd, no open port
    but those below. Its database (Mnesia) writes to the disk minutes later: after `kill`, accounts made just
    before are gone and have to be registered again.
    """

    kind = "ejabberd"

    def configure(self) -> None:
        """Write the main file; the operator's snippet lies beside it and is included by it."""
        snippet = operator_snippet(
            DEPLOY / "ejabberd" / "stanzavault.yml", secret=self.secret, component_port=self.component_port
        )
        (self.folder / "stanzavault.yml").write_text(snippet, "utf-8")
        (self.folder / "extra.yml").write_text(self.extra or "{}", "utf-8")
        (self.folder / "ejabberd.yml").write_text(yaml.safe_dump(self._main()), "utf-8")

    def _main(self) -> dict[str, Any]:
        return {
            "hosts": [self.domain, self.elsewhere],
            "loglevel": "info",
            "auth_password_format": "plain",
            "registration_timeout": "infinity",
            "disable_sasl_mechanisms": ["digest-md5", "X-OAUTH2"],
            "s2s_access": "none",
            "acl": {"local": {"user_regexp": ""}},
            "access_rules": {"local": {"allow": "local"}, "c2s": {"allow": "all"}},
            "listen": [
                {"port": self.client_port, "ip": self.host, "module": "ejabberd_c2s"},
                {
                    "port": self.rogue_port,
                    "ip": self.host,
                    "module": "ejabberd_service",
                    "hosts": {self.rogue: {"password": self.rogue_secret}},
                },
            ],
            "modules": {
                "mod_blocking": {},
                "mod_caps": {},
                "mod_carboncopy": {},
                "mod_disco": {},
                "mod_offline": {},
                "mod_ping": {},
                "mod_privacy": {},
                "mod_private": {},
                "mod_pubsub": {"plugins": ["flat", "pep"]},
                "mod_register": {"access": "all"},
                "mod_roster": {},
                "mod_stream_mgmt": {},
                "mod_version": {},
            },
            "include_config_file": ["stanzavault.yml", "extra.yml"],
        }

    def launch(self) -> ChildProcess:
        """Start the Erlang machine with ejabberd in it."""
        return ChildProcess(
            "ejabberd",
            [
                require("erl", "/usr/bin"),
                "-noinput",
                "-mnesia",
                "dir",
                f'"{self.folder}/database"',
                "-s",
                "ejabberd",
            ],
            environment={
                "EJABBERD_CONFIG_PATH": str(self.folder / "ejabberd.yml"),
                "EJABBERD_LOG_PATH": str(self.folder / "log" / "ejabberd.log"),
                "ERL_LIBS": str(_libraries()),
                "ERL_CRASH_DUMP": str(self.folder / "erl_crash.dump"),
                "HOME": str(self.folder),
            },
            folder=self.folder,
        )

    def ready_line(self, port: int) -> str:
        """Ejabberd tells each port that it listens on."""
        return rf"Start accepting TCP connections at 127\.0\.0\.1:{port}\b"


def _libraries() -> Path:
    found = sorted(Path("/usr/lib").glob("*/ejabberd-*/ebin/ejabberd.app"))
    if not found:
        raise MissingServerError("ejabberd is not installed: run `make servers`")
    return found[-1].parents[2]
