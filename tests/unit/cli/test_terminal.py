"""What a terminal gets: drawn tables, colours where they are wanted, and a question where a person is there."""

import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from idleq.cli.result import Result, Table
from idleq.cli.session import Session
from idleq.ids import Millis

RESULT = Result(
    value=None,
    text=(
        Table(columns=("JOB", "STATE"), rows=[("17", "running"), ("9", "[red]x")], right=frozenset({"JOB"})),
        "The end.",
    ),
)


class Screen(io.StringIO):
    """A terminal that remembers."""

    def isatty(self) -> bool:
        return True


def printed(out: io.StringIO, **environment: str) -> str:
    def nobody(_paths: object) -> object:
        raise AssertionError

    session = Session(environment=environment, now=lambda: Millis(0), connect=nobody, stdout=out)  # type: ignore[arg-type]  # nobody is asked
    session.show(RESULT)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def test_a_terminal_gets_a_drawn_table_with_texts_as_they_are() -> None:
    assert printed(Screen(), NO_COLOR="1", TERM="xterm").split("\n") == [
        "",
        " JOB   STATE",
        " ─────────────",
        "  17   running",
        "   9   [red]x",
        "",
        "",
        "The end.",
    ]


def test_colours_are_for_those_who_want_them() -> None:
    assert "\x1b[32mrunning" in printed(Screen(), TERM="xterm-256color")
    assert "\x1b[32m" not in printed(Screen(), TERM="xterm-256color", NO_COLOR="1")


def test_no_terminal_gets_plain_columns() -> None:
    assert printed(io.StringIO(), TERM="xterm-256color") == "JOB  STATE\n 17  running\n  9  [red]x\n\nThe end."


@pytest.mark.parametrize("answer", ["n\n", "\x04"])
def test_submit_offers_to_start_the_daemon_and_takes_no_for_an_answer(tmp_path: Path, answer: str) -> None:
    ours, theirs = pty.openpty()
    environment = os.environ | {"IDLEQ_SERVER_DIR": str(tmp_path / "server"), "TERM": "dumb"}

    with subprocess.Popen(
        [sys.executable, "-m", "idleq", "submit", "--", "true"],
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        asked = os.read(ours, 4096).decode()
        os.write(ours, answer.encode())
        code = process.wait(timeout=60)
    os.close(ours)

    assert asked.startswith(f"No daemon serves {tmp_path / 'server'}. Start one? [Y/n]")
    assert code == {"n\n": 14, "\x04": 130}[answer]
    assert not (tmp_path / "server").exists()
