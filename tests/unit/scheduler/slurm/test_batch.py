import os
import subprocess
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from msgspec import structs

from idleq.ids import AllocationId, CommandId, Millis, NodeName
from idleq.scheduler.core.commands import Mode, RequestAllocation
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.slurm import batch
from idleq.scheduler.slurm.batch import SiteSettings, allocation_of, batch_job, sbatch_argv, scancel_argv
from idleq.scheduler.slurm.errors import SlurmRefused
from idleq.scheduler.slurm.rest import submission
from support.slurm import job

GOLDEN = Path(__file__).parent / "golden"
MINUTE = 60_000
AGENT = ("/opt/idleq/bin/idleq", "agent", "/home/a b/it's $HOME", "--node", "{node}", "{until}", "{scratch}")
SITE = SiteSettings(server="s1", user="alice", partition="guests", window_partition="main", folder="/home/alice/.idleq")
NOW = Millis(1_790_000_000_000)
ASKED = RequestAllocation(
    id=CommandId(5),
    allocation=AllocationId("a12"),
    mode=Mode.PREEMPTIBLE,
    node=None,
    resources=Resources(4, 3 * 2**30 + 1),
    min_ms=Millis(5 * MINUTE + 1),
    max_ms=Millis(61 * MINUTE - 1),
)


@pytest.mark.parametrize(
    ("mode", "partition", "window_partition", "there"),
    [
        (Mode.PREEMPTIBLE, "guests", "main", {"guests"}),
        (Mode.PREEMPTIBLE, "", "main", set()),
        (Mode.WINDOW, "guests", "main", {"main"}),
        (Mode.WINDOW, "guests", "", set()),
    ],
)
def test_gaps_are_looked_for_where_allocations_of_the_mode_in_force_go(
    mode: Mode, partition: str, window_partition: str, there: set[str]
) -> None:
    site = replace(SITE, mode=mode, partition=partition, window_partition=window_partition)

    assert site.partitions == there


def test_the_script_is_what_it_was() -> None:
    assert batch_job(ASKED, SITE, AGENT, NOW).script == (GOLDEN / "script.sh").read_text()


def on_a_node(folder: Path, now: int, told: dict[str, str]) -> list[str]:
    """What srun is given where the node's clock says *now*; Slurm's own times are 1799996400 to 1800000000."""
    stubs = """\
srun() { printf '%s\\n' "$@"; }
squeue() { case "$*" in *'--jobs=12 --format=%S') echo 1799996400;; *'--jobs=12 --format=%e') echo 1800000000;; esac; }
"""
    clock = f"date() {{ echo {now}; }}\n"
    node = {"SLURMD_NODENAME": "n 7", "SLURM_JOB_ID": "12", "TMPDIR": str(folder)}
    said = subprocess.run(
        ["sh", "-eu"],
        input=stubs + clock + batch_job(ASKED, SITE, AGENT, NOW).script,
        env=os.environ | node | told,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return said.split("--overlap\n")[1].split("\n", 6)  # the last, a path, may have such itself


def test_the_script_removes_the_scratch_only_once_the_agent_has_left_it_also_where_srun_ends_before(
    weird_tmp_path: Path,
) -> None:
    agent = subprocess.Popen(["sh", "-c", "read -r _"], stdin=subprocess.PIPE)
    assert agent.stdin is not None
    stubs = f"""\
srun() {{ for scratch; do :; done; echo {agent.pid} > "$scratch/agent.pid"; return 7; }}
sleep() {{ [ -d "$scratch" ] && echo at home; read -r _ < go; }}
"""
    os.mkfifo(weird_tmp_path / "go")
    script = subprocess.Popen(
        ["sh", "-u", "-c", stubs + batch_job(ASKED, SITE, AGENT, NOW).script],
        env=os.environ | TIMES | {"SLURMD_NODENAME": "n7", "SLURM_JOB_ID": "12", "TMPDIR": str(weird_tmp_path)},
        cwd=weird_tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert script.stdout is not None
    assert script.stdout.readline() == "at home\n"
    agent.communicate()
    (weird_tmp_path / "go").write_text("\n")

    assert script.communicate()[0] == ""
    assert script.returncode == 7
    assert [path.name for path in weird_tmp_path.iterdir()] == ["go"]


@pytest.mark.parametrize("engine", ["podman", "docker"])
def test_an_engine_that_hangs_keeps_no_node_from_being_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    for name in ("END_SECONDS", "KILL_SECONDS"):
        monkeypatch.setattr(batch, name, 1)
    (tmp_path / engine).write_text("#!/bin/sh\ntrap '' TERM\necho asked >&3\nexec sleep 60\n")
    (tmp_path / engine).chmod(0o700)
    node = {"SLURMD_NODENAME": "n7", "SLURM_JOB_ID": "12", "TMPDIR": str(tmp_path)}
    stubs = f'srun() {{ for scratch; do :; done; touch "$scratch/{engine}"; return 7; }}\nexec 3>asked\n'
    ran = subprocess.run(
        ["sh", "-u", "-c", stubs + batch_job(ASKED, SITE, AGENT, NOW).script],
        env=os.environ | TIMES | node | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        cwd=tmp_path,
        check=False,
        timeout=30,
    )

    assert (ran.returncode, (tmp_path / "asked").read_text()) == (7, "asked\n")
    assert list(tmp_path.glob("idleq-12-*")) == []


TIMES = {"SLURM_JOB_START_TIME": "1799996400", "SLURM_JOB_END_TIME": "1800000000"}


def test_the_shell_hands_the_agent_its_words_as_they_are_and_what_only_the_node_knows(weird_tmp_path: Path) -> None:
    *words, until, scratch = on_a_node(weird_tmp_path, 1799996400, TIMES)

    assert words == ["/opt/idleq/bin/idleq", "agent", "/home/a b/it's $HOME", "--node", "n 7"]
    assert until == "1800000000000"
    assert scratch.startswith(f"{weird_tmp_path}/idleq-12-")
    assert list(weird_tmp_path.iterdir()) == []


@pytest.mark.parametrize("is_linked", [False, True])
def test_only_empty_folders_that_allocations_have_left_there_days_ago_are_removed(
    tmp_path_factory: pytest.TempPathFactory, *, is_linked: bool
) -> None:
    tmp_path, link = tmp_path_factory.mktemp("node"), tmp_path_factory.mktemp("links") / "tmp"
    link.symlink_to(tmp_path)
    kept = ["idleq-7-abcdeg", "idleq-7-abcdefg", "idleq-x-abcdef", "idleq", "other"]
    for name in (*kept, "idleq-7-abcdef", "idleq-7-abcdeh"):
        (tmp_path / name).mkdir()
    (tmp_path / "idleq-7-abcdeg" / "left").touch()
    (tmp_path / "idleq-7-abcdei").symlink_to(tmp_path / "other")
    for entry in tmp_path.iterdir():
        os.utime(entry, (0, 0), follow_symlinks=False)
    os.utime(tmp_path / "idleq-7-abcdeh")

    on_a_node(link if is_linked else tmp_path, 1799996400, TIMES)

    assert {path.name for path in tmp_path.iterdir()} == {*kept, "idleq-7-abcdeh", "idleq-7-abcdei"}


@pytest.mark.parametrize("told", [TIMES, {}], ids=["in the environment", "by squeue"])
@pytest.mark.parametrize(
    ("now", "until"),
    [
        pytest.param(1799996400 + 20, 1800000000, id="its clock is right, after a prologue of 20 s"),
        pytest.param(1799996400 - 300, 1800000000 - 300, id="its clock is behind"),
        pytest.param(1799996400 + 300, 1800000000, id="its clock is ahead"),
    ],
)
def test_the_end_of_an_allocation_is_never_later_than_it_is_by_the_nodes_own_clock(
    tmp_path: Path, told: dict[str, str], now: int, until: int
) -> None:
    assert on_a_node(tmp_path, now, told)[-2] == f"{until}000"


def test_a_preemptible_allocation_lets_slurm_choose_node_and_length() -> None:
    assert sbatch_argv(batch_job(ASKED, SITE, AGENT, NOW)) == [
        "sbatch",
        "--parsable",
        "--chdir=/home/alice/.idleq",
        "--comment=idleq:s1:a12",
        "--cpus-per-task=4",
        "--export=NONE",
        "--job-name=idleq-a12",
        "--mem=3073M",
        "--no-requeue",
        "--nodes=1",
        "--ntasks=1",
        "--open-mode=append",
        "--output=idleq-a12.slurm.log",
        "--partition=guests",
        "--time-min=6",
        "--time=60",
    ]


def test_a_window_is_on_its_node_for_its_length_and_never_longer() -> None:
    window = structs.replace(ASKED, mode=Mode.WINDOW, node=NodeName("n7"), resources=Resources(1, 2**20, 2))

    argv = sbatch_argv(batch_job(window, replace(SITE, qos="low", account="physics"), AGENT, NOW))

    assert {
        "--nodelist=n7",
        "--partition=main",
        "--time=60",
        "--gpus-per-node=2",
        "--qos=low",
        "--account=physics",
    } <= set(argv)
    assert not any(option.startswith("--time-min") for option in argv)


def test_allocations_go_to_nodes_with_all_features_that_are_wanted() -> None:
    argv = sbatch_argv(batch_job(ASKED, replace(SITE, features="bigmem, avx2"), AGENT, NOW))

    assert [word for word in argv if "constraint" in word] == ["--constraint=avx2&bigmem"]


def test_slurm_starts_no_window_that_would_reach_past_its_end_however_late_it_is_submitted() -> None:
    window = structs.replace(ASKED, mode=Mode.WINDOW, node=NodeName("n7"), ends_by=Millis(1_800_000_000_999))

    late = batch_job(window, SITE, AGENT, Millis(1_800_000_000_999 - 3 * MINUTE - 1))

    assert (late.minutes, late.deadline) == (3, 1_800_000_000_999)
    (said,) = (word.removeprefix("--deadline=") for word in sbatch_argv(late) if word.startswith("--deadline="))
    assert datetime.fromisoformat(said).timestamp() == 1_800_000_000, "by the time zone of the machine"
    assert submission(late)["job"]["deadline"] == 1_800_000_000  # type: ignore[index]  # JSON
    with pytest.raises(SlurmRefused, match=r"this window has 59\.999 s"):
        batch_job(window, SITE, AGENT, Millis(1_800_000_000_999 - MINUTE + 1))


@pytest.mark.parametrize(
    ("least", "most", "minutes", "least_minutes"),
    [(0, 1000, 1, None), (1000, 121_000, 2, 1), (120_000, 120_000, 2, None)],
)
def test_times_are_whole_minutes_inside_what_was_asked(
    least: int, most: int, minutes: int, least_minutes: int | None
) -> None:
    made = batch_job(structs.replace(ASKED, min_ms=Millis(least), max_ms=Millis(most)), SITE, AGENT, NOW)

    assert (made.minutes, made.least_minutes) == (minutes, least_minutes)


def test_a_window_of_less_than_a_minute_is_refused() -> None:
    with pytest.raises(SlurmRefused, match=r"this window has 59\.9 s"):
        batch_job(structs.replace(ASKED, mode=Mode.WINDOW, max_ms=Millis(59_900)), SITE, AGENT, NOW)


@pytest.mark.parametrize(
    ("comment", "user", "allocation"),
    [
        ("idleq:s1:a12", "alice", "a12"),
        ("idleq:s1:a12", "mallory", None),
        ("idleq:s2:a12", "alice", None),
        ("idleq:s1:", "alice", None),
        ("", "alice", None),
    ],
)
def test_an_allocation_is_ours_by_comment_and_user(comment: str, user: str, allocation: str | None) -> None:
    assert allocation_of(job(1, comment=comment, user_name=user), SITE) == allocation


def test_jobs_are_cancelled_by_their_numbers() -> None:
    assert scancel_argv([12, 3]) == ["scancel", "--quiet", "3", "12"]


def test_the_secret_of_a_site_is_in_no_log_that_shows_its_settings() -> None:
    assert "hush" not in repr(replace(SITE, secret=b"hush"))


def test_the_agent_of_another_user_finds_its_ticket_in_its_environment_and_nothing_is_written_in_that_users_name() -> (
    None
):
    site = replace(SITE, folder="")
    asked = batch_job(ASKED, site, AGENT, NOW, "it's one")
    plain = batch_job(ASKED, site, AGENT, NOW)
    assert [line for line in asked.script.splitlines() if line not in plain.script.splitlines()] == [
        """export IDLEQ_TICKET='it'"'"'s one'"""
    ]
    assert {"--chdir=/", "--output=/dev/null"} <= set(sbatch_argv(asked))
    told = submission(asked)["job"]
    assert isinstance(told, dict)
    assert (told["current_working_directory"], told["standard_output"]) == ("/", "/dev/null")
