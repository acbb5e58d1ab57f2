"""No body, address payload or key material stands in any log, slixmpp's and other libraries' included."""

from __future__ import annotations

import base64
import gc
import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Callable, Iterator

import pytest
import slixmpp.xmlstream.xmlstream
import structlog

from stanzavault.config.quantities import parse_size
from stanzavault.config.settings import Log
from stanzavault.runtime.log import bind_stanza, configure_log, count_withheld
from stanzavault.runtime.stream.failures import Failure, FailureReason
from stanzavault.runtime.stream.incidents import record_incident
from support.logs import logging_put_back

BODY = "meet me at the old mill"
ADDRESS = "juliet@capulet.example/balcony"
KEY = base64.b64encode(bytes(range(32))).decode()
CONFIDENTIAL = (BODY, ADDRESS, KEY)
RAW = f"<message from='{ADDRESS}'><body>{BODY}</body><key>{KEY}</key></message>".encode()

own = logging.getLogger("stanzavault.test")


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    with logging_put_back():
        yield


@pytest.fixture
def withheld() -> list[str]:
    return []


@pytest.fixture(params=["text", "json"])
def log(request: pytest.FixtureRequest, withheld: list[str]) -> Callable[[], str]:
    """Logging configured at its most talkative; gives all that was written, and sees that nothing leaked."""
    stream = io.StringIO()
    known = ("xmpp.example.org", "vault.example.org")
    configure_log(Log(format=request.param, level="debug"), stream, known=known)
    count_withheld(withheld.append)

    def written() -> str:
        text = stream.getvalue()
        for secret in (
            *CONFIDENTIAL,
            *(repr(secret)[1:-1] for secret in CONFIDENTIAL),
            "juliet",
            "capulet",
            "mill",
        ):
            assert secret not in text
        return text

    return written


@pytest.fixture
def line(withheld: list[str]) -> Callable[[], dict[str, object]]:
    """The last line, of logging in JSON."""
    stream = io.StringIO()
    configure_log(Log(format="json", level="debug"), stream, known=("xmpp.example.org",))
    count_withheld(withheld.append)

    def last() -> dict[str, object]:
        found = json.loads(stream.getvalue().splitlines()[-1])
        assert isinstance(found, dict)
        return found

    return last


@pytest.mark.parametrize(
    "name", ["slixmpp.xmlstream.xmlstream", "sqlalchemy.engine", "asyncio", "alembic", "aiosqlite"]
)
@pytest.mark.parametrize(
    "level", [logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL]
)
def test_a_library_that_logs_raw_bytes_shows_its_name_and_level_and_nothing_else(
    log: Callable[[], str], withheld: list[str], name: str, level: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = logging.getLogger(name)
    for logger in (library, logging.getLogger(name.partition(".")[0])):  # maybe silenced
        monkeypatch.setattr(logger, "disabled", False)
        monkeypatch.setattr(logger, "propagate", True)
        monkeypatch.setattr(logger, "level", logging.NOTSET)
    logging.Logger.manager._clear_cache()
    library.log(level, "RECV: %s", RAW)
    library.log(level, f"RECV: {RAW!r}")
    library.log(level, "%(body)s", {"body": BODY}, extra={"body": BODY, "jid": ADDRESS})
    text = log()
    assert text.count(name) == (3 if level >= logging.WARNING else 0) == len(withheld)
    assert text.count("a library's message is withheld") == len(withheld)
    assert text.count("test_log.py") == len(withheld)


def test_slixmpp_logging_raw_bytes_itself_on_a_parse_error_shows_none_of_them(
    log: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slixmpp.xmlstream.xmlstream.log, "propagate", True)
    parent = logging.getLogger("slixmpp")
    monkeypatch.setattr(parent, "propagate", True)
    monkeypatch.setattr(parent, "level", logging.NOTSET)
    parent.manager._clear_cache()
    slixmpp.xmlstream.xmlstream.log.error("Parse error: %s", RAW, exc_info=ValueError(BODY))
    assert "slixmpp" in log()


def test_an_exception_is_logged_as_its_type_and_our_own_frames(line: Callable[[], dict[str, object]]) -> None:
    try:
        parse_size(BODY)
    except ValueError:
        own.exception("a setting was wrong")
    told = line()
    assert told["event"] == "a setting was wrong"
    assert told["error"] == "ValueError"
    assert str(told["at"]).startswith("config/quantities.py:")
    assert "test_log" not in str(told["at"])


def test_an_exception_never_shows_its_text_nor_that_of_its_causes(log: Callable[[], str]) -> None:
    try:
        try:
            {}[ADDRESS]
        except KeyError as error:
            raise RuntimeError(BODY, KEY) from error
    except RuntimeError:
        own.exception("it failed", stack_info=True)
        logging.getLogger("sqlalchemy.pool").exception(BODY)
    assert log().count("RuntimeError") == 2


@pytest.mark.parametrize("secret", CONFIDENTIAL)
def test_what_our_own_code_logs_by_mistake_is_left_out_and_counted(
    log: Callable[[], str], withheld: list[str], secret: str
) -> None:
    own.error("got %s", secret)
    own.error("got %r and %s", secret, secret)
    own.error("got %(it)s", {"it": secret})
    own.error("got it", extra={"body": secret})
    own.error("got it", extra={"reason": secret})
    own.error("got it", extra={"count": secret, "bytes": secret.encode()})
    own.error(f"got {secret}")
    own.error("got " + secret)
    structlog.get_logger("stanzavault.other").error(f"got {secret}")
    own.error(ValueError(secret))
    own.error({"got": secret})
    structlog.get_logger("stanzavault.other").error("got it", jid=secret, outcome=secret)
    with bind_stanza(secret):
        own.error("got it")
    assert len(log().splitlines()) == 13
    assert len(withheld) >= 14
    assert set(withheld) == {"value", "field", "message"}


def test_arguments_that_do_not_fit_are_not_printed_as_logging_would(
    log: Callable[[], str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = logging.getLogger()
    ours = [handler for handler in root.handlers if type(handler).__module__.startswith("stanzavault")]
    monkeypatch.setattr(root, "handlers", ours)  # those of pytest print what does not fit
    own.error("%d %d", BODY)
    own.error("%s", BODY, ADDRESS)
    logging.getLogger("slixmpp").error("%d", BODY)
    assert BODY not in "".join(capsys.readouterr())
    log()


def test_a_line_that_can_not_be_written_stops_nobody_and_prints_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    stream = io.StringIO()
    configure_log(Log(), stream)
    stream.close()
    own.error("got it", extra={"body": BODY})
    assert capsys.readouterr() == ("", "")


def test_numbers_known_names_and_what_the_fields_tell_stand_in_the_sentence(
    line: Callable[[], dict[str, object]], withheld: list[str]
) -> None:
    failure = Failure(FailureReason.WRONG_SECRET, "not-authorized")
    own.warning(
        "no stream to %s port %d: %s", "xmpp.example.org", 5347, failure.text,
        extra={"action": "connection-ended", "reason": failure.reason, "condition": None},
    )  # fmt: skip
    told = line()
    assert told["event"] == f"no stream to xmpp.example.org port 5347: {failure.text}"
    assert told["reason"] == "wrong-secret"
    own.error("incident %s: %s", "ab12", "KeyError", extra={"incident": "ab12", "error": "KeyError"})
    assert line()["event"] == "incident ab12: KeyError"
    assert withheld == []


def test_every_failure_of_the_stream_can_be_told(
    line: Callable[[], dict[str, object]], withheld: list[str]
) -> None:
    for reason in FailureReason:
        own.warning("no stream to %s port %d: %s", "xmpp.example.org", 5347, Failure(reason, "reset").text)
        assert str(line()["event"]).endswith(Failure(reason, "reset").text)
    assert withheld == []


def test_an_incident_of_the_stream_is_told_with_its_type_and_places(
    line: Callable[[], dict[str, object]], withheld: list[str]
) -> None:
    try:
        parse_size(BODY)
    except ValueError as error:
        incident = record_incident(error)
    assert str(line()["event"]).startswith(f"incident {incident}: ValueError at quantities.py:")
    assert withheld == []


def test_each_line_has_the_id_of_its_stanza(line: Callable[[], dict[str, object]]) -> None:
    with bind_stanza("a1b2c3"):
        own.info("taken in")
        assert line()["stanza"] == "a1b2c3"
        structlog.get_logger("stanzavault.other").info("taken in", count=2)
        assert (line()["stanza"], line()["count"]) == ("a1b2c3", 2)
        logging.getLogger("sqlalchemy").error("SELECT")
        assert line()["stanza"] == "a1b2c3"
    own.info("idle")
    assert "stanza" not in line()


def test_an_account_is_told_apart_by_a_short_hash_and_never_by_its_address(
    line: Callable[[], dict[str, object]], withheld: list[str]
) -> None:
    own.info("served", extra={"account": "0011223344556677"})
    assert line()["account"] == "0011223344556677"
    own.info("served", extra={"account": ADDRESS})
    assert "account" not in line()
    assert withheld == ["value"]


def test_text_is_for_people_and_json_for_machines(
    log: Callable[[], str], request: pytest.FixtureRequest
) -> None:
    own.info("taken in", extra={"kind": "iq"})
    (written,) = log().splitlines()
    if written.startswith("{"):
        told = json.loads(written)
        assert (told["level"], told["event"], told["kind"]) == ("info", "taken in", "iq")
        assert told["timestamp"].endswith("Z")
    else:
        assert "info" in written
        assert "taken in" in written
        assert "kind=iq" in written


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_what_is_less_urgent_than_the_level_is_left_out(level: str) -> None:
    stream = io.StringIO()
    configure_log(Log.model_validate({"level": level}), stream)
    for each in ("debug", "info", "warning", "error"):
        getattr(own, each)("a line of level %d", logging.getLevelNamesMapping()[each.upper()])
    assert [line.split("level ")[1].split()[0] for line in stream.getvalue().splitlines()] == [
        str(number) for number in (10, 20, 30, 40) if number >= logging.getLevelNamesMapping()[level.upper()]
    ]


def test_warnings_uncaught_exceptions_and_failing_finalizers_are_guarded_too(
    log: Callable[[], str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Finalized:
        def __del__(self) -> None:
            raise ValueError(BODY)

    def fail() -> None:
        raise ValueError(BODY)

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn(f"{BODY} {ADDRESS}", stacklevel=1)
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    Finalized()
    gc.collect()
    sys.excepthook(ValueError, ValueError(BODY), None)
    assert log().count("error=ValueError") + log().count('"error": "ValueError"') == 3
    assert "py.warnings" in log()
    assert BODY not in "".join(capsys.readouterr())


def test_in_tests_whatever_may_not_be_logged_raises() -> None:
    configure_log(Log(), io.StringIO(), strict=True)
    own.warning("fine", extra={"kind": "iq"})
    for extra in ({"body": "x"}, {"kind": "not a word"}):
        with pytest.raises(ValueError, match="may not be logged"):
            own.warning("got it", extra=extra)
    with pytest.raises(ValueError, match="may not be logged"):
        own.warning("got %s", "something")
    logging.getLogger("slixmpp.other").error("raw %s", RAW)
