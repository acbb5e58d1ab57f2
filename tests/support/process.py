"""A child process whose output is kept, watched for lines, and shown when a test fails."""

import atexit
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

_started: list["ChildProcess"] = []


class ChildProcess:
    """A program in a process group of its own, ended by that group's id and never by a name.

    Nothing in it belongs to an event loop, so a process may outlive the test that started it. Methods that
    wait block; a coroutine whose loop must go on meanwhile calls them through `asyncio.to_thread`.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        user: str | None = None,
    ) -> None:
        self.name = name
        self._lines: list[str] = []
        self._ended = False
        self._changed = threading.Condition()
        self._process = subprocess.Popen(
            [os.fspath(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            cwd=folder,
            user=user,
            group=user,
            extra_groups=[] if user else None,
            start_new_session=True,
        )
        _started.append(self)
        self._reader = threading.Thread(target=self._read, name=f"output of {name}", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The id of the process, which is its group's as well."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process has not ended yet."""
        return self._process.poll() is None

    @property
    def exit_status(self) -> int | None:
        """The exit status, negative for the signal that ended it; None while it runs."""
        return self._process.poll()

    @property
    def log(self) -> str:
        """Everything that the process has written so far."""
        with self._changed:
            return "\n".join(self._lines)

    @property
    def line_count(self) -> int:
        """How many lines were written so far: a mark for `wait_for_line` and `log_since`."""
        with self._changed:
            return len(self._lines)

    def log_since(self, mark: int) -> str:
        """Return the lines written after `mark`."""
        with self._changed:
            return "\n".join(self._lines[mark:])

    def wait_for_line(self, pattern: str, *, within: float = 10.0, since: int = 0) -> re.Match[str]:
        """Block until a line written after the mark `since` matches `pattern`.

        Raises:
            RuntimeError: the process ended first.
            TimeoutError: no such line came `within` seconds.
        """
        expression = re.compile(pattern)
        deadline = time.monotonic() + within
        position = since
        with self._changed:
            while True:
                while position < len(self._lines):
                    match = expression.search(self._lines[position])
                    if match:
                        return match
                    position += 1
                if self._ended:
                    raise RuntimeError(
                        f"{self.name} ended before {pattern!r}:\n" + "\n".join(self._lines[-40:])
                    )
                if not self._changed.wait(deadline - time.monotonic()):
                    raise TimeoutError(
                        f"{self.name} did not write {pattern!r} in {within} s:\n"
                        + "\n".join(self._lines[-40:])
                    )

    def wait(self, *, within: float = 10.0) -> int:
        """Block until the process has ended by itself, and return its exit status."""
        status = self._process.wait(within)
        self._reader.join(5)
        return status

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the process itself, if it still runs."""
        self._process.send_signal(number)

    def stop(self, *, by: signal.Signals = signal.SIGTERM, within: float = 10.0) -> int:
        """Ask the process to end, wait for it, and return its exit status.

        Raises:
            TimeoutError: it had to be killed.
        """
        self._process.send_signal(by)
        try:
            status = self._process.wait(within)
        except subprocess.TimeoutExpired:
            self.kill()
            raise TimeoutError(f"{self.name} had not ended {within} s after {by.name}") from None
        self.kill()
        return status

    def kill(self) -> None:
        """End the whole process group at once, with SIGKILL; nothing happens where it has ended."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join(5)

    def _read(self) -> None:
        output = self._process.stdout
        assert output is not None
        with output:
            for line in output:
                with self._changed:
                    self._lines.append(line.decode("utf-8", "replace").rstrip())
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()


def run(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    user: str | None = None,
) -> str:
    """Run a command to its end and return what it wrote.

    Raises:
        RuntimeError: it failed; the text holds its output.
    """
    words = [os.fspath(word) for word in command]
    done = subprocess.run(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **(environment or {})},
        cwd=folder,
        user=user,
        group=user,
        extra_groups=[] if user else None,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{words} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def started() -> tuple[ChildProcess, ...]:
    """Return every process that was started in this run, ended ones included."""
    return tuple(_started)


@atexit.register
def _end_all() -> None:
    for process in started():
        if process.is_running:
            process.kill()
