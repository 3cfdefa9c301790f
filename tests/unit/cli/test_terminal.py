"""What a terminal gets: drawn tables, colours where they are wanted, and a question where a person is there."""

import io
import os
import pty
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from msgspec import structs

from idleq.cli.commands.mainqueue import announce_compiling
from idleq.cli.result import Result, Table
from idleq.cli.session import Session
from idleq.cli.views import jobs_table, nodes_table
from idleq.ids import JobId, Millis
from support.command_line import BUSY_NODE, GUEST_NODE, HELD, NOW, RUNNING

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


def printed(out: io.StringIO, result: Result = RESULT, **environment: str) -> str:
    def nobody(_paths: object) -> object:
        raise AssertionError

    session = Session(environment=environment, now=lambda: Millis(0), connect=nobody, stdout=out)  # type: ignore[arg-type]  # nobody is asked
    session.show(result)
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


ROWS = (
    structs.replace(RUNNING, id="1234", name="train-cgan"),
    structs.replace(HELD, reason="held by its user until the new calibration of camera 3 is there"),
)
NODES = (BUSY_NODE, structs.replace(GUEST_NODE, guests=tuple(JobId(f"17_{task}") for task in range(12))))


@pytest.mark.parametrize(
    ("columns", "drawn"),
    [
        (
            80,
            """
             JOB         NAME         STATE     NODE   PROGRESS   AGE   WHY
             ──────────────────────────────────────────────────────────────────────────────
             1234        train-cgan   running   n3         21 %    5m   to be frozen in 30s
             19_[3-99]   sweep        held      -             -   42s   held by its user u…
            """,
        ),
        (
            60,
            """
             JOB         NAME         STATE     PROGRESS   WHY
             ──────────────────────────────────────────────────────────
             1234        train-cgan   running       21 %   to be froze…
             19_[3-99]   sweep        held             -   held by its…
            """,
        ),
    ],
)
def test_jobs_fit_the_terminal(columns: int, drawn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert narrow(jobs_table(ROWS, NOW), columns, monkeypatch) == dedent(drawn).strip()


@pytest.mark.parametrize(
    ("columns", "drawn"),
    [
        (
            80,
            """
             NODE   STATE    CORES   FREE   OURS   MAIN JOB   GAP ENDS      GUESTS
             ──────────────────────────────────────────────────────────────────────────────
             n2     busy         4      0      0   main-7     opens in 3m   -
             n3     guests       4      2      2   -          unknown       17_0 17_1 17_2…
            """,
        ),
        (
            60,
            """
             NODE   STATE    FREE   GAP ENDS      GUESTS
             ─────────────────────────────────────────────────────────
             n2     busy        0   opens in 3m   -
             n3     guests      2   unknown       17_0 17_1 17_2 17_3…
            """,
        ),
    ],
)
def test_nodes_fit_the_terminal(columns: int, drawn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert narrow(nodes_table(NODES, NOW), columns, monkeypatch) == dedent(drawn).strip()


def narrow(table: Table, columns: int, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a terminal of so many columns shows, without the empty lines around it."""
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = printed(Screen(), Result(value=None, text=(table,)), NO_COLOR="1", TERM="xterm").split("\n")
    assert max(map(len, lines)) <= columns
    return dedent("\n".join(lines)).strip()


def test_submit_starts_the_daemon_for_whoever_takes_its_offer(tmp_path: Path) -> None:
    server = tmp_path / "server"
    environment = os.environ | {"IDLEQ_SERVER_DIR": str(server), "TERM": "dumb"}
    idleq = [sys.executable, "-m", "idleq"]
    ours, theirs = pty.openpty()

    with subprocess.Popen(
        [*idleq, "submit", "--", "true"], env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        asked = os.read(ours, 4096).decode()
        os.write(ours, b"\n")
        code = process.wait(timeout=100)
    os.close(ours)

    stop = subprocess.run(
        [*idleq, "daemon", "stop", "--cluster"], env=environment, capture_output=True, text=True, check=False
    )
    assert "Start one? [Y/n]" in asked
    assert (code, stop.returncode) == (0, 0)
    assert (server / "journal.db").exists()


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


def test_a_person_is_told_once_that_the_fast_engine_is_compiled_and_a_script_is_not(tmp_path: Path) -> None:
    pytest.importorskip("numba")

    def told(err: io.StringIO) -> str:
        def nobody(_paths: object) -> object:
            raise AssertionError

        session = Session(environment={}, now=lambda: Millis(0), connect=nobody, stderr=err)  # type: ignore[arg-type]  # nobody is asked
        announce_compiling(session, "easy", tmp_path)
        return err.getvalue()

    assert told(Screen()) == "Compiling the fast engine: half a minute, once on this machine\n"
    assert told(io.StringIO()) == ""
    (tmp_path / "kernels.simulate-1.py311.nbi").touch()
    assert told(Screen()) == ""
