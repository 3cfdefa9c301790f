"""What people see: the whole output of every command that shows something."""

from dataclasses import replace
from textwrap import dedent

import pytest
from msgspec import structs

from idleq.cli.client import JobView
from idleq.ids import Fence, JobId, Millis
from idleq.scheduler.errors import UnknownTarget
from support.command_line import (
    BUSY_NODE,
    DETAIL,
    DOWN_NODE,
    ENTRY,
    FAILED,
    FREE_NODE,
    FROZEN,
    GUEST_NODE,
    HELD,
    NOW,
    QUEUED,
    RUNNING,
    SUMMARY,
    WHY,
    CommandLine,
    FakeWire,
)


def shown(text: str) -> str:
    return dedent(text).lstrip("\n")


def test_ps_lists_the_jobs_that_are_not_over(idleq: CommandLine) -> None:
    idleq.wire = FakeWire(rows=(FROZEN, RUNNING, QUEUED, HELD, FAILED))

    assert idleq("ps").out == shown("""
        JOB        NAME        STATE    PRIO  CORES  MEMORY  NODE  PROGRESS  AGE  WHY
        16         count       frozen      0      1      1G  -            7  42s
        17         train-cgan  running     5      2      2G  n3        21 %   5m  to be frozen in 30s
        18         echo        queued      0      1      1G  -            -  42s
        19_[3-99]  sweep       held        0      1      1G  -            -  42s  held by its user
    """)


def test_ps_all_lists_those_that_are_over_too(idleq: CommandLine) -> None:
    idleq.wire = FakeWire(rows=(FAILED,))

    assert idleq("ps", "--all").out == shown("""
        JOB  NAME    STATE   PRIO  CORES  MEMORY  NODE  PROGRESS  AGE  WHY
        15   broken  failed     0      1      1G  -            -    -  exit code 3
    """)
    assert idleq("ps").out == "No jobs wait or run.\n"


def test_ps_of_one_job_tells_all_about_it(idleq: CommandLine) -> None:
    assert idleq("ps", "17").out == shown("""
        Job        17 (train-cgan) of ada
        State      running
        Node       n3, segment 2, in allocation a12
        Progress   340 of 1600
        Runs       python -m idleq.workloads.cli train-cgan --quick
        Needs      2 cores, 2G
        Priority   5
        Age        5m
        After      3
        Labels     project=iact
        Snapshots  1; the newest is 1m10s old, 5M, with 20s of work (at 20:25:30)
    """)


def test_ps_of_a_job_that_is_done_says_where_its_output_is(idleq: CommandLine) -> None:
    row = structs.replace(RUNNING, state="done", node=None, allocation=None, step=1600, freeze_at=None, snapshots=0)
    idleq.wire = FakeWire(view=JobView(ENTRY, structs.replace(DETAIL, row=row, snapshots=())))

    assert idleq("ps", "17").out == shown(f"""
        Job        17 (train-cgan) of ada
        State      done
        Progress   1600 of 1600
        Runs       python -m idleq.workloads.cli train-cgan --quick
        Needs      2 cores, 2G
        Priority   5
        After      3
        Labels     project=iact
        Segments   2
        Output     {idleq.server_dir}/jobs/17/result
    """)


def test_a_job_that_is_done_has_made_all_its_steps_though_it_did_not_say_so_of_the_last(idleq: CommandLine) -> None:
    row = structs.replace(RUNNING, state="done", node=None, allocation=None, step=1518, freeze_at=None)
    idleq.wire = FakeWire(rows=(row,), view=JobView(ENTRY, structs.replace(DETAIL, row=row)))

    assert "Progress   1600 of 1600\n" in idleq("ps", "17").out
    assert "100 %" in idleq("ps", "--all").out


def test_ps_of_an_array_lists_its_tasks(idleq: CommandLine) -> None:
    entry = structs.replace(ENTRY, entry=HELD.entry, tasks=100)
    idleq.wire = FakeWire(view=JobView(entry, None, (structs.replace(RUNNING, id="19_0"), HELD)))

    assert idleq("ps", "19").out == shown("""
        JOB        NAME        STATE    PRIO  CORES  MEMORY  NODE  PROGRESS  AGE  WHY
        19_0       train-cgan  running     5      2      2G  n3        21 %   5m  to be frozen in 30s
        19_[3-99]  sweep       held        0      1      1G  -            -  42s  held by its user
    """)


def test_nodes_are_listed_with_their_gaps(idleq: CommandLine) -> None:
    idleq.wire = FakeWire(node_rows=(FREE_NODE, BUSY_NODE, GUEST_NODE, DOWN_NODE))

    assert idleq("nodes").out == shown("""
        NODE  STATE   CORES  FREE  OURS  MAIN JOB  GAP SINCE  GAP ENDS     GUESTS  WHY
        n1    idle        4     4     0  -               12s  in 1m35s     -       the plan
        n2    busy        4     0     0  main-7            -  opens in 3m  -       -
        n3    guests      4     2     2  -               12s  unknown      17      no main job is planned here
        n4    down        4     0     0  -                 -  -            -       drain
    """)


def test_status_fits_on_one_screen(idleq: CommandLine) -> None:
    assert idleq("status").out == shown(f"""
        Daemon       running (process 4242), {idleq.server_dir}
        Scheduling   active
        Jobs         1 queued, 1 running
        Nodes        3 of 4 up: 12 cores, 24G
        Allocations  1 ready
        Main jobs    33 % of the cores
        Guests       17 % of the cores, 25 % of what main jobs leave
    """)


@pytest.mark.parametrize(
    ("summary", "line"),
    [
        (
            structs.replace(SUMMARY, is_paused=True, pause_reason="maintenance"),
            "Scheduling   paused: maintenance (`idleq resume` goes on)",
        ),
        (
            structs.replace(SUMMARY, slowed_until=Millis(NOW + 5000), slowed_reason="the site refused"),
            "Scheduling   slowed for 5s: the site refused",
        ),
    ],
)
def test_status_says_why_nothing_starts(idleq: CommandLine, summary: object, line: str) -> None:
    idleq.wire = FakeWire(summary=summary)  # type: ignore[arg-type]  # parametrised values have no type

    assert idleq("status").out.splitlines()[1] == line


def test_explain_gives_reasons_the_place_in_the_queue_and_the_nodes(idleq: CommandLine) -> None:
    assert idleq("explain", "18").out == shown("""
        Job 18 is queued.
        1 allocations are asked for; jobs are given to them as they come up.
        1 job is ahead of it in the queue; its priority counts as 3 by now.

        NODE  PLACE     BECAUSE
        n1    possible  its gap of 1 min 35 s is long enough (the plan)
        n2    no        main jobs have it (main-7)
    """)


def test_explain_of_a_job_outside_the_queue_is_the_reasons_alone(idleq: CommandLine) -> None:
    why = replace(WHY, state="done", sentences=("The result of segment 1 was accepted.",), ahead=None, nodes=())
    idleq.wire = FakeWire(why=why)

    assert idleq("explain", "18").out == "Job 18 is done.\nThe result of segment 1 was accepted.\n"


def test_explain_of_a_failed_job_names_the_command_that_shows_why(idleq: CommandLine) -> None:
    why = replace(WHY, job=JobId("18"), state="failed", sentences=("exit code 7",), ahead=None, nodes=())
    idleq.wire = FakeWire(why=why)
    idleq.paths.create()
    file = idleq.paths.job(JobId("18")).segment(Fence(1)).stderr
    file.parent.mkdir(parents=True)
    file.write_text("oops")

    assert idleq("explain", "18").out == shown("""
        Job 18 has failed.
        exit code 7
        `idleq logs --stderr 18` shows what it said.
        """)


class ArrayWire(FakeWire):
    """A daemon that explains tasks, and knows of no job that is an array."""

    def explain(self, job: JobId) -> dict[str, object]:
        if "_" not in job:
            raise UnknownTarget(f"there is no job {job}")
        self.asked.append(("explain", job))
        return super().explain(job)


def test_explain_of_an_array_explains_its_first_task_that_is_not_over(idleq: CommandLine) -> None:
    entry = structs.replace(ENTRY, entry=HELD.entry, tasks=100, done=2, failed=1)
    over = structs.replace(FAILED, id="19_2")
    why = replace(WHY, job=JobId("19_3"), state="held", sentences=("It is held.",), ahead=None, nodes=())
    idleq.wire = ArrayWire(view=JobView(entry, None, (over, HELD)), why=why)

    assert idleq("explain", "19").out == shown("""
        Array 19: 2 of 100 tasks done, 1 failed, 0 cancelled. Here is its task 19_3.

        Job 19_3 is held.
        It is held.
    """)
    assert idleq.wire.asked == [("explain", "19_3")]


def test_the_workloads_are_listed_without_asking_anybody(idleq: CommandLine) -> None:
    idleq.wire = None

    assert idleq("submit", "--list").out == shown("""
        WORKLOAD          CORES  MEMORY  WHAT IT DOES
        train-cgan            1      2G  Train the conditional GAN on TAIGA-IACT images
        generate-cgan         1      1G  Generate images with a trained conditional GAN
        train-cvae            1      2G  Train the conditional VAE on TAIGA-IACT images
        generate-cvae         1      1G  Generate images with a trained conditional VAE
        train-classifier      1      2G  Train the gamma/hadron classifier on TAIGA-IACT images
        evaluate-images       1      3G  Compare generated TAIGA-IACT images with held-out truth
        simulate-showers      1      1G  Simulate TAIGA-IACT events, a file for each task of an array
        count                 1     64M  Count with a state of a given size: a job for trying the machinery
        simulate-tods         1      1G  Simulate time-ordered data with cosmic-ray hits: a file for each task of an array
        train-todgan          1      2G  Train a generator of time-ordered data: CRAB's GAN, a conditional one, or a VAE
        generate-todgan       1      1G  Generate time-ordered data with trained weights
        evaluate-tods         1      3G  Compare generated time-ordered data with held-out truth
    """)
