import json
import logging
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.conftest import Python

from msgqueue.observe.logs import configuration, configure, event

logger = logging.getLogger("msgqueue.part")

UVICORN = """
import logging, sys, threading, time, urllib.request
import uvicorn
from msgqueue.observe.logs import configuration

async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})

sys.stderr = sys.stdout
config = uvicorn.Config(app, port=0, lifespan="off", log_config=configuration(sys.argv[1]))
server = uvicorn.Server(config)
thread = threading.Thread(target=server.run)
thread.start()
while not server.started:
    time.sleep(0.01)
port = server.servers[0].sockets[0].getsockname()[1]
urllib.request.urlopen(f"http://127.0.0.1:{port}/path?key=hush").close()
server.should_exit = True
thread.join()
"""


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    names = ["msgqueue", "uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi"]
    loggers = [logging.getLogger(name) for name in (None, *names)]
    before = [(each.level, each.handlers[:], each.propagate) for each in loggers]
    yield
    for each, (level, handlers, propagate) in zip(loggers, before, strict=True):
        each.setLevel(level)
        each.handlers[:] = handlers
        each.propagate = propagate


Lines = Callable[[], list[str]]


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Lines:
    def read() -> list[str]:
        return capsys.readouterr().err.splitlines()

    return read


def test_a_text_line_is_time_level_event_and_facts(lines: Lines) -> None:
    configure()
    event(logger, "job finished", job="7f", task="charge", attempt=1, seconds=0.01234)
    (line,) = lines()
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d\d\d info    job finished {13}\S.*", line)
    assert line.split("  ")[-1].strip() == "job=7f task=charge attempt=1 seconds=0.012"


def test_events_are_aligned(lines: Lines) -> None:
    configure()
    event(logger, "job finished", job="7f")
    event(logger, "worker lost", level=logging.WARNING, job="7f")
    first, second = lines()
    assert first.index("job=") == second.index("job=")
    assert first.index("job finished") == second.index("worker lost")


def test_a_json_line_has_the_same_facts(lines: Lines) -> None:
    configure("json")
    event(logger, "job finished", job="7f", task="charge", seconds=0.0123456789, attempt=2)
    found = json.loads(lines()[0])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found.pop("time"))
    assert found == {
        "level": "info",
        "event": "job finished",
        "logger": "msgqueue.part",
        "job": "7f",
        "task": "charge",
        "seconds": 0.012346,
        "attempt": 2,
    }


def test_facts_that_are_not_known_are_left_out(lines: Lines) -> None:
    configure()
    event(logger, "job finished", job="7f", worker=None)
    assert "worker" not in lines()[0]


def test_facts_stay_at_the_record_for_other_formatters(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "msgqueue"):
        event(logger, "job finished", job="7f")
    record: Any = caplog.records[0]
    assert record.facts == {"job": "7f"}
    assert record.funcName == "test_facts_stay_at_the_record_for_other_formatters"


@pytest.mark.parametrize("format", ["text", "json"])
def test_a_value_cannot_forge_a_line(lines: Lines, format: str) -> None:
    configure(format)
    event(logger, "job failed", task='a\n12:00:00 info forged="yes"\x1b[2J')
    logger.warning("from elsewhere\n12:00:00 info forged\x1b[2J")
    found = lines()
    assert len(found) == 2
    assert "\x1b" not in "".join(found)


def test_a_value_with_spaces_is_quoted(lines: Lines) -> None:
    configure()
    event(logger, "job failed", reason='no "luck" today', outcome="error")
    assert lines()[0].endswith('reason="no \\"luck\\" today" outcome=error')


def test_an_error_brings_its_traceback(lines: Lines) -> None:
    configure()
    try:
        raise ValueError("no\x1b[2J luck")
    except ValueError as error:
        event(logger, "upkeep failed", level=logging.ERROR, error=error)
    found = lines()
    assert "error   upkeep failed" in found[0]
    assert found[1] == "Traceback (most recent call last):"
    assert found[-1] == "ValueError: no\\x1b[2J luck"


def test_an_error_is_one_json_line(lines: Lines) -> None:
    configure("json")
    try:
        raise ValueError("no luck")
    except ValueError as error:
        event(logger, "upkeep failed", level=logging.ERROR, error=error)
    (line,) = lines()
    assert json.loads(line)["traceback"].endswith("ValueError: no luck")


def test_what_tasks_log_is_heard_with_their_logger(lines: Lines) -> None:
    configure()
    logging.getLogger("shop").info("charged %s", 7)
    assert re.fullmatch(r"\S+ info    charged 7 +logger=shop", lines()[0])


@pytest.mark.parametrize(
    ("level", "heard"),
    [("debug", ["d", "i", "w"]), ("info", ["i", "w"]), ("warning", ["w"]), ("critical", [])],
)
def test_the_level_says_what_is_heard(lines: Lines, level: str, heard: list[str]) -> None:
    configure("json", level)
    event(logger, "d", level=logging.DEBUG)
    event(logger, "i")
    event(logger, "w", level=logging.WARNING)
    assert [json.loads(line)["event"] for line in lines()] == heard


def test_debug_is_ours_alone(lines: Lines) -> None:
    configure("text", "debug")
    logging.getLogger("noisy").debug("anything")
    assert lines() == []


def test_importing_the_library_configures_nothing(python: Python) -> None:
    code = "import logging, msgqueue; print(logging.root.handlers, logging.getLogger('msgqueue'))"
    output, _ = python(code).communicate()
    assert output == "[] <Logger msgqueue (WARNING)>\n"


def test_uvicorn_looks_like_ours_and_tells_no_query(python: Python) -> None:
    output, _ = python(UVICORN, "text").communicate()
    request = next(line for line in output.splitlines() if "request" in line)
    assert re.fullmatch(
        r"\S+ info    request +client=127\.0\.0\.1:\d+ method=GET path=/path http=1\.1 status=204",
        request,
    )
    assert all(re.match(r"\d\d:\d\d:\d\d\.\d{3} info ", line) for line in output.splitlines())


def test_uvicorn_speaks_json_too(python: Python) -> None:
    output, _ = python(UVICORN, "json").communicate()
    found = [json.loads(line) for line in output.splitlines()]
    request = next(line for line in found if line["event"] == "request")
    assert (request["method"], request["path"], request["status"]) == ("GET", "/path", 204)
    assert "hush" not in output


def test_the_configuration_is_plain_data() -> None:
    assert json.loads(json.dumps(configuration("json", "debug")))["loggers"]["msgqueue"] == {
        "level": "DEBUG"
    }
