"""The log of a daemon or an agent: one event a line, past tense, with its facts as keywords."""

import contextlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO, cast

import structlog
from structlog.typing import FilteringBoundLogger, Processor


class _Lossy:
    """Writes to a file what can be written, and loses the rest: a full disk must not end a daemon, nor an agent with its guests."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            self._file.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._file.flush()


@contextmanager
def open_log(path: Path) -> Iterator[TextIO]:
    """Append to the log *path*; what the disk has not taken by the end is lost, and nothing is said of it."""
    file = path.open("a", encoding="utf-8")
    try:
        yield file
    finally:
        with contextlib.suppress(OSError):
            file.close()


def make_log(file: TextIO, level: int = logging.INFO) -> FilteringBoundLogger:
    """Return a log that writes JSON lines to *file*; a console's form if that is a terminal."""
    renderer: list[Processor] = (
        [structlog.dev.ConsoleRenderer(colors=file.isatty())]
        if file.isatty()
        else [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer()]
    )
    log: FilteringBoundLogger = structlog.wrap_logger(
        structlog.WriteLogger(cast("TextIO", _Lossy(file))),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    return log


@contextmanager
def taking_in_libraries(log: FilteringBoundLogger) -> Iterator[None]:
    """Let what libraries log come to *log* too while this lasts; from warnings on, as they say much."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    root.handlers = [_Forward(log)]
    root.setLevel(logging.WARNING)
    try:
        yield
    finally:
        root.handlers = handlers
        root.setLevel(level)


class _Forward(logging.Handler):
    """Hands the records of the standard library's logging to ours."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        self._log.log(record.levelno, "library.said", logger=record.name, text=record.getMessage())
