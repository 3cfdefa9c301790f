import io
import json
import logging
from pathlib import Path

from idleq.scheduler.logs import make_log, open_log, taking_in_libraries


def lines(file: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.getvalue().splitlines()]


def test_an_event_is_one_line_of_json_with_its_facts() -> None:
    file = io.StringIO()
    make_log(file).info("daemon.turn_journalled", facts={"JobDone": 2})
    (line,) = lines(file)
    assert line.pop("timestamp")
    assert line == {"event": "daemon.turn_journalled", "level": "info", "facts": {"JobDone": 2}}


def test_what_is_below_the_level_is_not_written() -> None:
    file = io.StringIO()
    make_log(file).debug("daemon.detail")
    assert lines(file) == []


def test_a_failure_is_written_with_where_it_happened() -> None:
    file = io.StringIO()
    log = make_log(file)
    try:
        raise ZeroDivisionError("by zero")
    except ZeroDivisionError:
        log.exception("daemon.input_failed")
    (line,) = lines(file)
    assert "test_a_failure_is_written" in json.dumps(line["exception"])


def test_what_libraries_warn_of_comes_into_the_same_log() -> None:
    file = io.StringIO()
    with taking_in_libraries(make_log(file)):
        logging.getLogger("uvicorn.error").warning("invalid %s", "request")
        logging.getLogger("uvicorn.error").info("started")
    logging.getLogger("uvicorn.error").warning("after the daemon's end, when its file is closed")
    assert [(line["event"], line["logger"], line["text"]) for line in lines(file)] == [
        ("library.said", "uvicorn.error", "invalid request")
    ]


def test_on_a_terminal_it_is_written_for_people() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    file = Terminal()
    make_log(file).info("daemon.started", url="https://127.0.0.1:1")
    assert "daemon.started" in file.getvalue()
    assert not file.getvalue().startswith("{")


def test_a_full_disk_costs_lines_of_the_log_and_nothing_else() -> None:
    with open_log(Path("/dev/full")) as full:
        log = make_log(full)
        for _ in range(10_000):
            log.info("daemon.turn_journalled")
    assert full.closed
