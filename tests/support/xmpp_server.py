"""What Prosody and ejabberd have in common for a test: addresses, ports, and a life as a process."""

import re
import secrets
import shutil
import signal
import tempfile
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path

from support.ports import LOOPBACK, free_port
from support.process import ChildProcess

DEPLOY = Path(__file__).parents[2] / "deploy"

# The names that the configuration files in deploy/ use, so that the tests can use those files.
DOMAIN = "example.org"
VAULT = "vault.example.org"

# A second host of the same server which the vault is not told of: its accounts are strangers to the vault.
ELSEWHERE = "elsewhere.example"
# A second component of the same server, for tests that need a component that is not to be trusted.
ROGUE = "rogue.example.org"


class MissingServerError(Exception):
    """A server is not installed; `make servers` installs it. Tests fail then, they are never skipped."""


def require(program: str, *folders: str) -> Path:
    """Return where a program is, looked for on the PATH and in `folders`.

    Raises:
        MissingServerError: it is nowhere.
    """
    for folder in (None, *folders):
        found = shutil.which(program, path=folder)
        if found:
            return Path(found)
    raise MissingServerError(f"{program} is not installed: run `make servers`")


def new_secret() -> str:
    """Return a random component secret that is safe in Lua and in YAML."""
    return secrets.token_hex(16)


@dataclass(kw_only=True)
class XmppServer(ABC):
    """A real server on free ports of 127.0.0.1, with a temporary data folder.

    `start` makes the configuration and returns when clients and components can connect; `start_again` starts
    it on the same ports and data after `stop` or `kill`; `close` ends it and removes its folder.
    """

    extra: str = ""
    """Lines of configuration that follow the harness's own, in the server's language."""
    secret: str = field(default_factory=new_secret, repr=False)
    rogue_secret: str = field(default_factory=new_secret, repr=False)
    client_port: int = field(default_factory=free_port)
    component_port: int = field(default_factory=free_port)
    rogue_port: int = field(default_factory=free_port)
    folder: Path = field(init=False)
    process: ChildProcess = field(init=False, repr=False)

    kind = "server"
    host = LOOPBACK
    domain = DOMAIN
    elsewhere = ELSEWHERE
    vault = VAULT
    rogue = ROGUE

    def start(self) -> None:
        """Write the configuration into a new folder and start the server."""
        self.folder = Path(tempfile.mkdtemp(prefix=f"stanzavault-{self.kind}-"))
        try:
            self.configure()
            self.start_again()
        except BaseException:
            self.close()
            raise

    def start_again(self) -> None:
        """Start the server on its ports and data, and return when it takes connections."""
        self.process = self.launch()
        for port in (self.client_port, self.component_port, self.rogue_port):
            self.process.wait_for_line(self.ready_line(port), within=20)

    def stop(self) -> None:
        """End the server as its operator would, and wait for that."""
        self.process.stop(by=signal.SIGTERM, within=20)

    def kill(self) -> None:
        """End the server with SIGKILL."""
        self.process.kill()

    def close(self) -> None:
        """End the server and remove its folder."""
        if hasattr(self, "process"):
            self.process.kill()
        shutil.rmtree(self.folder)

    @abstractmethod
    def configure(self) -> None:
        """Write the configuration files into `folder`."""

    @abstractmethod
    def launch(self) -> ChildProcess:
        """Start the process."""

    @abstractmethod
    def ready_line(self, port: int) -> str:
        """Return a pattern of the line that the server logs once it listens on `port`."""


def operator_snippet(path: Path, *, secret: str, component_port: int) -> str:
    """Return a configuration file of deploy/ with the values that an operator has to set set.

    The files name the secret `change-me` and the port 5347; addresses stay as they are.
    """
    text = path.read_text("utf-8")
    for placeholder, value in (("change-me", secret), ("5347", str(component_port))):
        pattern = rf"\b{re.escape(placeholder)}\b"
        # A file without a placeholder would be tested with something else than what it says.
        if not re.search(pattern, text):
            raise ValueError(f"{path.name} does not hold {placeholder}")
        text = re.sub(pattern, value, text)
    return text
