"""Commands that change something: what the daemon is asked, and what a person is told."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec import structs

from idleq.cli.client import JobView
from idleq.ids import EntryId, JobId, Millis
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.submission import ArrayRange, FreezeMethod, JobSpec, Submission
from idleq.scheduler.core.wishes import Changes
from idleq.scheduler.errors import Refused, UnknownTarget
from idleq.scheduler.lock import Owner, hold
from idleq.simulator.wire import short_name
from support.command_line import DETAIL, ENTRY, SUMMARY, CommandLine, FakeWire, Outcome

COUNT = JobSpec(
    name="count",
    argv=("{python}", "-m", "idleq.workloads.cli", "count", "--steps", "3"),
    resources=Resources(1, 64 * 2**20),
    freeze=FreezeMethod.APP,
)
ECHO = JobSpec(name="echo", argv=("echo", "--json", "-q"), resources=Resources(1, 2**30), freeze=FreezeMethod.NONE)


@contextmanager
def cluster_of(idleq: CommandLine) -> Iterator[None]:
    """Something listens where the cluster of the server directory does."""
    idleq.paths.create()
    with socket.socket(socket.AF_UNIX) as listener:
        with short_name(idleq.paths.cluster.socket) as name:
            listener.bind(name)
        listener.listen()
        yield


def asked(idleq: CommandLine) -> list[tuple[object, ...]]:
    assert idleq.wire is not None
    return idleq.wire.asked


def test_a_workload_gets_all_that_follows_its_name(idleq: CommandLine) -> None:
    outcome = idleq("submit", "count", "--steps", "3")

    assert outcome == Outcome(0, "Submitted job 17 (count)\n", "")
    assert asked(idleq) == [("submit", (Submission(spec=COUNT),), "ada")]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("count", "--priority", "5"), ["--priority"]),
        (("count", "--memory=1G", "--hold", "--name", "x"), ["--memory=1G", "--hold"]),
        (("count", "--steps", "3", "--help"), []),
        (("--priority", "5", "count"), []),
        (("--", "echo", "--priority", "5"), []),
    ],
)
def test_an_option_of_idleqs_that_goes_to_the_workload_is_pointed_out(
    idleq: CommandLine, words: tuple[str, ...], told: list[str]
) -> None:
    outcome = idleq("submit", *words)

    assert (outcome.code, [line.split()[0] for line in outcome.err.splitlines()]) == (0, told)


def test_a_command_gets_all_that_follows_the_dashes(idleq: CommandLine) -> None:
    outcome = idleq("submit", "--", "echo", "--json", "-q")

    assert outcome == Outcome(0, "Submitted job 17 (echo)\n", "")
    assert asked(idleq) == [("submit", (Submission(spec=ECHO),), "ada")]


@pytest.mark.parametrize(
    ("freeze", "since", "is_told"),
    [(FreezeMethod.NONE, 1, True), (FreezeMethod.NONE, None, False), (FreezeMethod.APP, 1, False)],
)
def test_whoever_holds_a_job_that_loses_its_work_by_it_is_told(
    idleq: CommandLine, freeze: FreezeMethod, since: int | None, *, is_told: bool
) -> None:
    row = structs.replace(DETAIL.row, running_since=since and Millis(since))
    detail = structs.replace(DETAIL, row=row, spec=structs.replace(DETAIL.spec, freeze=freeze))
    idleq.wire = FakeWire(view=JobView(ENTRY, detail))

    outcome = idleq("hold", "17")

    told = "17 cannot be frozen: what it has done is lost, and once released it begins anew.\n"
    assert outcome == Outcome(0, "Held 17\n", told if is_told else "")


@pytest.mark.parametrize(
    ("count", "told"),
    [
        (1, "1 running job cannot be frozen: what it has done is lost, and it begins anew.\n"),
        (2, "2 running jobs cannot be frozen: what they have done is lost, and they begin anew.\n"),
    ],
)
def test_whoever_empties_the_nodes_is_told_whose_work_is_lost_by_it(idleq: CommandLine, count: int, told: str) -> None:
    idleq.wire = FakeWire(summary=structs.replace(SUMMARY, unfreezable=count))

    outcome = idleq("pause", "--now")

    assert (outcome.code, outcome.err) == (0, told)
    assert idleq("pause", "--now", "--json").json == {
        "paused": True,
        "emptying": True,
        "reason": "",
        "begin_anew": count,
    }
    assert idleq("pause").err == ""


def test_what_the_daemon_remarks_on_a_submission_is_passed_on(idleq: CommandLine) -> None:
    idleq.wire = FakeWire(remarks=("Job 17 never begins.", "Job 18 might not."))

    assert idleq("submit", "count") == Outcome(
        0, "Submitted job 17 (count)\n", "Job 17 never begins.\nJob 18 might not.\n"
    )
    assert idleq("submit", "--json", "count").json == {
        "entries": [17],
        "remarks": ["Job 17 never begins.", "Job 18 might not."],
    }


def test_a_relative_program_is_the_one_of_the_directory_of_the_submit(
    idleq: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "simulate").touch(mode=0o755)
    monkeypatch.chdir(tmp_path)

    assert idleq("submit", "--", "./simulate", "./input").code == 0

    spec = structs.replace(ECHO, name="simulate", argv=(f"{tmp_path}/simulate", "./input"))
    assert asked(idleq) == [("submit", (Submission(spec=spec),), "ada")]


def test_a_job_without_an_image_starts_in_a_folder_that_is_named_from_here(
    idleq: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "case").mkdir()
    monkeypatch.chdir(tmp_path)

    assert idleq("submit", "--workdir", "case", "--", "echo").code == 0
    missing = idleq("submit", "--workdir", "nowhere", "--", "echo")

    spec = structs.replace(ECHO, argv=("echo",), workdir=f"{tmp_path}/case")
    assert asked(idleq) == [("submit", (Submission(spec=spec),), "ada")]
    assert (missing.code, missing.out) == (19, "")
    assert f"workdir: {tmp_path}/nowhere is no folder here" in missing.err


def test_a_relative_program_of_a_job_file_is_the_one_beside_it(idleq: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "jobs" / "bin").mkdir(parents=True)
    (tmp_path / "jobs" / "bin" / "simulate").touch(mode=0o755)
    file = tmp_path / "jobs" / "job.toml"
    file.write_text('command = ["bin/simulate", "./input"]')

    assert idleq("submit", "--file", str(file)).code == 0

    spec = structs.replace(ECHO, name="simulate", argv=(f"{tmp_path}/jobs/bin/simulate", "./input"))
    assert asked(idleq) == [("submit", (Submission(spec=spec),), "ada")]


def test_the_options_describe_the_job(idleq: CommandLine) -> None:
    options = (
        "--name mine --cores 2 --memory 3G --gpus 1 --expected 10m --max-run 1h --priority 5 --label a=b --label c=d=e "
        "--env X=1 --retries 2 --after 3 --after 4 --array 0-98:2%10 --hold --freeze none"
    )

    outcome = idleq("submit", *options.split(), "count", "--steps", "3")

    spec = JobSpec(
        name="mine",
        argv=COUNT.argv,
        resources=Resources(2, 3 * 2**30, 1),
        environment=(("X", "1"),),
        labels=(("a", "b"), ("c", "d=e")),
        priority=5,
        expected_ms=Millis(600_000),
        max_run_ms=Millis(3_600_000),
        retries=2,
        freeze=FreezeMethod.NONE,
    )
    submission = Submission(spec=spec, array=ArrayRange(0, 98, 2, 10), after=(EntryId(3), EntryId(4)), held=True)
    assert outcome == Outcome(0, "Submitted array of 50 tasks, 17 (mine), held\n", "")
    assert asked(idleq) == [("submit", (submission,), "ada")]


def test_a_job_file_is_submitted_whole(idleq: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "jobs.toml"
    file.write_text(
        '[[job]]\nname = "a"\ncommand = ["x"]\n[[job]]\nworkload = "count"\nargs = ["--steps", "3"]\nafter = ["a"]\n'
    )

    outcome = idleq("submit", "--file", str(file))

    first = JobSpec(name="a", argv=("x",), resources=Resources(1, 2**30), freeze=FreezeMethod.NONE)
    assert outcome == Outcome(0, "Submitted job 17 (a)\nSubmitted job 18 (count)\n", "")
    assert asked(idleq) == [
        ("submit", (Submission(spec=first), Submission(spec=COUNT, after_here=(0,))), "ada"),
    ]


@pytest.mark.parametrize(
    ("arguments", "question", "said"),
    [
        (("cancel", "17", "18_3", "17"), [("cancel", "17"), ("cancel", "18_3")], "Cancelled 17, 18_3\n"),
        (("hold", "17"), [("hold", "17", "held by its user")], "Held 17\n"),
        (("hold", "17", "--reason", "later"), [("hold", "17", "later")], "Held 17\n"),
        (
            ("freeze", "17", "18_3"),
            [("freeze", "17", "frozen by its user"), ("freeze", "18_3", "frozen by its user")],
            "Freezing 17, 18_3\n",
        ),
        (("release", "17"), [("release", "17")], "Released 17\n"),
        (
            ("modify", "17", "--priority", "5", "--expected", "none", "--max-run", "2h", "--retries", "0"),
            [("modify", "17", Changes(priority=5, expected_ms=Millis(0), max_run_ms=Millis(7_200_000), retries=0))],
            "Modified 17\n",
        ),
        (("move", "17", "18_3"), [("move", "17", None), ("move", "18_3", None)], "Moving 17, 18_3\n"),
        (("move", "17", "--to", "n2"), [("move", "17", "n2")], "Moving 17\n"),
        (("pause",), [("pause", False, "")], "Paused; what runs goes on (`idleq resume` starts jobs again)\n"),
        (
            ("pause", "--now", "--reason", "harm"),
            [("pause", True, "harm")],
            "Paused; the nodes are being emptied (`idleq resume` starts jobs again)\n",
        ),
        (("resume",), [("resume",)], "Resumed\n"),
    ],
)
def test_the_daemon_is_asked_once_and_a_person_is_told(
    idleq: CommandLine, arguments: tuple[str, ...], question: list[tuple[object, ...]], said: str
) -> None:
    outcome = idleq(*arguments)

    assert outcome == Outcome(0, said, "")
    assert asked(idleq) == question


def test_a_refusal_is_told_with_its_exit_code(idleq: CommandLine) -> None:
    idleq.wire = FakeWire(refusal=Refused("job 17 is over already"))

    assert idleq("hold", "17") == Outcome(17, "", "idleq: job 17 is over already\n")


def test_what_does_not_exist_is_told_as_json_too(idleq: CommandLine) -> None:
    idleq.wire = FakeWire(refusal=UnknownTarget("there is no job 99"))

    outcome = idleq("cancel", "99", "--json")

    error = {"kind": "UnknownTarget", "message": "there is no job 99", "hint": "", "exit_code": 18}
    assert (outcome.code, outcome.json, outcome.err) == (18, {"error": error}, "")


def test_of_many_those_that_can_be_cancelled_are_and_the_others_are_told_with_the_reason(idleq: CommandLine) -> None:
    idleq.wire = FakeWire(refusal=Refused("job 18 is over already"), refused=frozenset({JobId("18")}))

    outcome = idleq("cancel", "17", "18", "19")
    told = idleq("cancel", "17", "18", "19", "--json")

    assert outcome == Outcome(17, "Cancelled 17, 19\nNot cancelled: job 18 is over already\n", "")
    assert (told.code, told.json) == (17, {"cancelled": ["17", "19"], "refused": {"18": "job 18 is over already"}})


def test_one_wrong_name_among_many_changes_nothing(idleq: CommandLine) -> None:
    outcome = idleq("cancel", "17", "seventeen")

    assert (outcome.code, outcome.out) == (2, "")
    assert "'seventeen' is no job's name; names are like 17, or 17_3 for a task" in outcome.err
    assert asked(idleq) == []


def test_stop_waits_until_the_daemon_is_silent(idleq: CommandLine) -> None:
    outcome = idleq("daemon", "stop")

    assert outcome == Outcome(0, f"Stopped the daemon of {idleq.server_dir}\n", "")
    assert asked(idleq) == [("shut_down",)]
    assert idleq("daemon", "status").code == 14


def test_stop_says_what_goes_on(idleq: CommandLine) -> None:
    with cluster_of(idleq):
        outcome = idleq("daemon", "stop")

    assert outcome.out == (
        f"Stopped the daemon of {idleq.server_dir}\n"
        f"The cluster (process {os.getpid()}) goes on, with what runs in it; `idleq daemon stop --cluster` ends it\n"
    )


def test_stop_warns_of_a_directory_that_is_open_to_others_and_stops(idleq: CommandLine) -> None:
    idleq.server_dir.mkdir()
    idleq.server_dir.chmod(0o755)

    outcome = idleq("daemon", "stop")

    assert (outcome.code, outcome.out) == (0, f"Stopped the daemon of {idleq.server_dir}\n")
    assert f"open to others (mode 755); type: chmod 700 {idleq.server_dir}" in outcome.err
    assert asked(idleq) == [("shut_down",)]


def test_stop_says_so_where_there_is_nothing_to_stop(idleq: CommandLine) -> None:
    idleq.wire = None
    message = f"idleq: there is nothing to stop: no daemon serves {idleq.server_dir}, and no cluster runs there\n"

    assert idleq("daemon", "stop") == Outcome(14, "", message)
    assert idleq("daemon", "stop", "--cluster") == Outcome(14, "", message)


def test_stop_ends_no_cluster_of_the_sites_and_says_how_its_guests_are_saved(idleq: CommandLine) -> None:
    idleq.server_dir.mkdir(mode=0o700)
    (idleq.server_dir / "config.toml").write_text('[cluster]\nkind = "slurm"\n')

    outcome = idleq("daemon", "stop", "--cluster")

    assert (outcome.code, asked(idleq)) == (86, [])
    assert outcome.err.startswith(
        "idleq: --cluster ends a cluster of idleq's own, and guests run on Slurm here: `idleq pause --now`"
    )


def test_stop_names_the_cluster_that_runs_without_a_daemon(idleq: CommandLine) -> None:
    idleq.wire = None
    with cluster_of(idleq):
        outcome = idleq("daemon", "stop")

    assert outcome == Outcome(
        14,
        "",
        f"idleq: no daemon serves {idleq.server_dir}; its cluster (process {os.getpid()}) runs, "
        "and `idleq daemon stop --cluster` ends it\n",
    )


def test_stop_does_not_deny_a_daemon_that_only_does_not_answer(idleq: CommandLine) -> None:
    idleq.wire = None
    idleq.paths.create()
    with hold(idleq.paths.lock, Owner.this_process()):
        outcome = idleq("daemon", "stop")

    assert (outcome.code, outcome.out) == (14, "")
    assert f"(process {os.getpid()} on {socket.gethostname()}) has not let go of it, but does not answer" in outcome.err


def test_a_second_daemon_is_not_started(idleq: CommandLine) -> None:
    message = f"idleq: a daemon serves {idleq.server_dir} already (process 4242)\n"

    assert idleq("daemon", "start") == Outcome(13, "", message)
    assert asked(idleq) == []


def test_job_names_reach_the_daemon_as_they_are(idleq: CommandLine) -> None:
    idleq("cancel", "17_0")

    assert asked(idleq) == [("cancel", JobId("17_0"))]


@pytest.mark.parametrize(("active", "is_told"), [(1, True), (0, False)])
def test_whoever_changes_what_a_running_job_holds_is_told_that_it_holds_later(
    idleq: CommandLine, active: int, *, is_told: bool
) -> None:
    idleq.wire = FakeWire(view=JobView(structs.replace(ENTRY, active=active), DETAIL))

    outcome = idleq("modify", "17", "--cores", "2", "--memory", "3G")

    told = "What runs of 17 keeps its cores and memory for now: `idleq move 17` gives it the new ones.\n"
    assert outcome == Outcome(0, "Modified 17\n", told if is_told else "")
    assert asked(idleq) == [("modify", "17", Changes(cores=2, memory=3 * 2**30))]


@pytest.mark.parametrize(
    ("options", "because"),
    [
        ((), "say what is to change, like --priority 5"),
        (("--cores", "0"), "--cores: it must be at least 1, not 0"),
        (("--memory", "much"), "--memory"),
        (("--expected", "10"), "--expected"),
        (("--priority", "none"), "'none' is not a whole number"),
        (("--retries", "-1"), "--retries: it must be at least 0, not -1"),
    ],
)
def test_a_change_that_cannot_be_read_changes_nothing(
    idleq: CommandLine, options: tuple[str, ...], because: str
) -> None:
    outcome = idleq("modify", "17", *options)

    assert (outcome.code, outcome.out) == (2, "")
    assert because in outcome.err
    assert asked(idleq) == []
