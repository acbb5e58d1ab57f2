"""What holds for every test: none is skipped, slow ones wait to be asked for, failures show logs."""

import signal
from collections.abc import Generator
from types import FrameType

import pytest
from hypothesis import settings

from support import process

settings.register_profile("full", max_examples=100, deadline=None)
settings.register_profile("quick", max_examples=10, deadline=None)  # what `make unit` asks for
settings.load_profile("full")

_MARKS = pytest.StashKey[dict[int, int]]()


def pytest_configure(config: pytest.Config) -> None:
    """Leave in order on SIGTERM: ended from outside, a run still ends the servers that it started."""
    signal.signal(signal.SIGTERM, _leave)


def _leave(number: int, _frame: FrameType | None) -> None:
    pytest.exit(f"ended by {signal.Signals(number).name}", returncode=128 + number)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the full sizes, unless `-m` asks for them."""
    if config.option.markexpr:
        return
    left_out = [item for item in items if item.get_closest_marker("long")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Remember how much each server had written before the test."""
    item.stash[_MARKS] = {child.pid: child.line_count for child in process.started()}
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip into a failure, and attach to a failure what the servers wrote meanwhile."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which counts as a failure here: {report.longrepr}"
    if report.failed:
        for child in process.started():
            written = child.log_since(item.stash[_MARKS].get(child.pid, 0))
            if written:
                report.sections.append((f"{child.name} ({child.pid}) during this test", written))
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turn a module that skips itself into a failure."""
    report = yield
    if report.skipped:
        report.outcome = "failed"
        report.longrepr = f"skipped, which counts as a failure here: {report.longrepr}"
    return report
