from pathlib import Path

import pytest
from msgspec import structs

from idleq.cli.checks import Check, Health, disk, kernel, python, training
from idleq.ids import Millis
from support.command_line import NOW, SUMMARY, CommandLine, FakeWire

GIB = 2**30


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        (python((3, 12, 1), "/p"), Check(name="python", health=Health.OK, found="3.12.1 at /p")),
        (
            python((3, 10, 4), "/p"),
            Check(
                name="python",
                health=Health.PROBLEM,
                found="3.10.4 at /p",
                advice="install Python 3.11 or newer and idleq with it",
            ),
        ),
        (kernel("Linux", "6.1"), Check(name="kernel", health=Health.OK, found="Linux 6.1")),
        (
            kernel("Darwin", "23"),
            Check(name="kernel", health=Health.PROBLEM, found="Darwin 23", advice="idleq runs on Linux only"),
        ),
        (
            disk(Path("/d"), lambda _path: 2 * GIB),
            Check(name="disk", health=Health.OK, found="2G free at /d"),
        ),
        (
            disk(Path("/d"), lambda _path: GIB // 2),
            Check(
                name="disk",
                health=Health.WARNING,
                found="512M free at /d",
                advice="make room there, or set IDLEQ_SERVER_DIR to a larger disk",
            ),
        ),
        (
            disk(Path("/d"), lambda _path: 1000),
            Check(
                name="disk",
                health=Health.PROBLEM,
                found="1000B free at /d",
                advice="make room there, or set IDLEQ_SERVER_DIR to a larger disk",
            ),
        ),
        (
            training(lambda name: name != "torch"),
            Check(
                name="training",
                health=Health.WARNING,
                found="torch missing: train-cgan and the demo cannot run",
                advice="pip install 'idleq[train]'",
            ),
        ),
    ],
)
def test_a_check_says_what_it_found_and_what_to_do(check: Check, expected: Check) -> None:
    assert check == expected


def found(idleq: CommandLine) -> dict[str, tuple[str, str, str]]:
    checks = idleq("doctor", "--json").json["checks"]
    return {check["name"]: (check["health"], check["found"], check["advice"]) for check in checks}


def test_a_daemon_that_answers_is_well(idleq: CommandLine) -> None:
    assert found(idleq)["daemon"] == ("ok", "process 4242 answers", "")


def test_a_paused_daemon_is_a_warning(idleq: CommandLine) -> None:
    idleq.wire = FakeWire(summary=structs.replace(SUMMARY, is_paused=True))

    assert found(idleq)["daemon"] == ("warning", "paused", "type: idleq resume")


def test_no_daemon_is_a_warning_with_what_to_type(idleq: CommandLine) -> None:
    idleq.wire = None

    assert found(idleq)["daemon"] == ("warning", "none answers", "type: idleq daemon start")


def test_a_file_system_with_another_time_is_a_warning(idleq: CommandLine) -> None:
    idleq.now = lambda: Millis(4 * NOW)

    health, told, _ = found(idleq)["clock"]
    assert health == "warning"
    assert "ahead of the file system" in told


def test_an_open_server_directory_is_a_problem_and_exit_code_1(idleq: CommandLine) -> None:
    idleq.server_dir.mkdir()
    idleq.server_dir.chmod(0o755)

    outcome = idleq("doctor")

    assert outcome.code == 1
    assert outcome.out.endswith("\nTo be put right: server directory, daemon\n")
    assert f"type: chmod 700 {idleq.server_dir}" in outcome.out


def test_a_healthy_place_is_exit_code_0_and_stays_as_it_is(idleq: CommandLine) -> None:
    outcome = idleq("doctor")

    assert outcome.code == 0
    assert outcome.out.endswith("\nidleq can work here.\n")
    assert not idleq.server_dir.exists()
