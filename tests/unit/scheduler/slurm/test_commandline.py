from collections.abc import Sequence

import pytest

from idleq.ids import NodeName
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.slurm import commandline, questions
from idleq.scheduler.slurm.batch import BatchJob
from idleq.scheduler.slurm.commandline import CommandLine
from idleq.scheduler.slurm.errors import SlurmAway, SlurmError, SlurmLimit, SlurmRefused, SlurmUnreadable
from idleq.scheduler.slurm.questions import Format
from support.slurm import FEATURES, RECORDED, recorded_as_json, recorded_as_text

JOB = BatchJob(
    comment="idleq:s1:a1",
    name="idleq-a1",
    partition="",
    qos="",
    account="",
    node=None,
    resources=Resources(1, 2**20),
    minutes=5,
    least_minutes=None,
    folder="/",
    script="#!/bin/sh\n",
)


class Recorded:
    """Answers as the recorded cluster did; whatever is submitted is printed as *number*."""

    def __init__(self, version: str = "24.11", number: str = "17\n", failure: SlurmError | None = None) -> None:
        self.asked: list[tuple[Sequence[str], str]] = []
        self._folder, self._number, self._failure = RECORDED / version / "busy", number, failure

    def __call__(self, argv: Sequence[str], said: str) -> bytes:
        self.asked.append((argv, said))
        if self._failure is not None:
            raise self._failure
        form = "json" if "--json" in argv else "txt"
        match argv[0]:
            case "squeue":
                name = "jobs"
            case "sdiag":
                name = "sdiag"
            case "sbatch":
                return self._number.encode()
            case "scancel":
                return b""
            case _:
                name = argv[-1] if argv[0] == "scontrol" and form == "txt" else "nodes"
                name = "reservations" if "reservations" in argv else name
        if any("features_act" in word for word in argv):
            return FEATURES.encode()
        folder = self._folder if name != "partitions" else self._folder.parent / "plain"
        recorded = (folder / f"{name}.{form}").read_bytes()
        return as_asked(argv, recorded.decode()).encode() if (name, form) == ("jobs", "txt") else recorded


def as_asked(argv: Sequence[str], rows: str) -> str:
    """*rows* that were asked for without a mark, as squeue prints them with the one in *argv*."""
    return rows.replace("|\n", f"{argv[-1].rpartition(':')[2]}\n")


def test_a_reading_in_json_is_all_that_was_recorded() -> None:
    told = recorded_as_json("24.11", "busy")

    assert CommandLine(Format.JSON, Recorded()).read(told.at) == told


@pytest.mark.parametrize("version", ["22.05", "24.11"])
def test_a_reading_in_columns_is_all_that_was_recorded_and_when_slurm_planned(version: str) -> None:
    told = recorded_as_text(version, "busy")

    read = CommandLine(Format.TEXT, Recorded(version)).read(told.at)

    assert (read.jobs, read.nodes, read.reservations) == (told.jobs, told.nodes, told.reservations)
    assert read.planned_at is not None


@pytest.mark.parametrize("form", list(Format))
def test_what_is_hidden_or_closed_to_our_groups_is_asked_for_as_well(form: Format) -> None:
    run = Recorded()

    site = CommandLine(form, run, wants_features=True)
    site.read(recorded_as_json("24.11", "busy").at)
    site.ends([7])
    site.over_on([NodeName("n1")])

    asked = [argv for argv, _ in run.asked if argv[0] != "sdiag"]
    assert [argv for argv in asked if argv[1] != "--all"] == []
    assert {argv[0] for argv in asked} >= {"scontrol", "squeue"}


def test_a_job_is_submitted_with_its_script_as_standard_input() -> None:
    run = Recorded(number="17;cluster\n")

    assert CommandLine(Format.JSON, run).submit(JOB) == 17
    assert run.asked[0][0][0] == "sbatch"
    assert run.asked[0][1] == "#!/bin/sh\n"


def test_a_submission_that_prints_no_number_is_not_taken_for_one() -> None:
    with pytest.raises(SlurmUnreadable, match="no job's number"):
        CommandLine(Format.JSON, Recorded(number="Submitted batch job")).submit(JOB)


def test_of_a_job_that_slurm_has_forgotten_nothing_is_known() -> None:
    forgotten = SlurmRefused("squeue: slurm_load_jobs error: Invalid job id specified")

    assert CommandLine(Format.JSON, Recorded(failure=forgotten)).ends([7]) == {}
    with pytest.raises(SlurmRefused, match="no permission"):
        CommandLine(Format.JSON, Recorded(failure=SlurmRefused("no permission"))).ends([7])


def test_what_has_ended_on_some_nodes_is_asked_for_there_alone() -> None:
    run = Recorded()

    over = CommandLine(Format.JSON, run).over_on([NodeName("n2"), NodeName("n1")])

    (argv, _), *_ = run.asked
    assert [word for word in argv if word.startswith("--nodelist")] == ["--nodelist=n1,n2"]
    assert [job.job_id for job in over] == [job.job_id for job in recorded_as_text("24.11", "busy").jobs]


def test_what_has_ended_anywhere_is_asked_for_once_for_all_nodes() -> None:
    run = Recorded()

    CommandLine(Format.JSON, run).over_on(None)

    ((argv, _),) = run.asked
    assert [word for word in argv if word.startswith("--nodelist")] == []


def test_rows_that_somebody_made_up_in_a_jobs_name_are_no_rows() -> None:
    row = "7|RUNNING|main|mallory|1000|2000|N/A|900|n1|(null)|cpu=1,mem=500M|None|(null)|"
    made_up = "x|\n8|RUNNING|main|alice|1000|2000|N/A|900|n2|(null)|cpu=1,mem=500M|None|idleq:s1:a1|y"
    asked: list[str] = []

    def squeue(argv: Sequence[str], _said: str) -> bytes:
        asked.append(argv[-1])
        return f"{row}{made_up}{argv[-1].rpartition(':')[2]}\n".encode()

    site = CommandLine(Format.JSON, squeue)

    assert [(each.job_id, each.name) for each in site.over_on([NodeName("n1")])] == [(7, made_up)]
    assert list(site.ends([7])) == [7]
    assert len(set(asked)) == len(asked)  # what ends a row is not known before it is asked


def test_nothing_is_asked_to_cancel_nothing() -> None:
    run = Recorded()

    CommandLine(Format.JSON, run).cancel([])

    assert run.asked == []


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("slurm_load_jobs error: Unable to contact slurm controller (connect failure)", SlurmAway),
        ("sbatch: error: Batch job submission failed: Socket timed out on send/recv operation", SlurmAway),
        ("sbatch: error: Batch job submission failed: Zero Bytes were transmitted or received", SlurmAway),
        ("sbatch: error: Batch job submission failed: Message send failure", SlurmAway),
        ("sbatch: error: Batch job submission failed: Message receive failure", SlurmAway),
        ("sbatch: error: Batch job submission failed: Unexpected message received", SlurmAway),
        ("sbatch: error: Batch job submission failed: Communication connection failure", SlurmAway),
        (
            "sbatch: error: QOSMaxSubmitJobPerUserLimit\nsbatch: error: Batch job submission failed: Job violates accounting/QOS policy",
            SlurmLimit,
        ),
        (
            "sbatch: error: Batch job submission failed: Slurm temporarily unable to accept job, sleeping and retrying",
            SlurmLimit,
        ),
        ("sbatch: error: invalid partition specified: nowhere", SlurmRefused),
        (
            "sbatch: error: Batch job submission failed: Requested time limit is invalid (missing or exceeds some limit)",
            SlurmRefused,
        ),
    ],
)
def test_what_slurm_says_tells_whether_trying_again_may_help(said: str, kind: type[SlurmError]) -> None:
    error = commandline.refusal("sbatch", said)

    assert str(error).count("sbatch: ") == 1
    assert type(error) is kind
    assert error.transient is (kind is not SlurmRefused)


def test_a_program_that_is_not_there_is_refused_with_what_to_do() -> None:
    with pytest.raises(SlurmRefused, match="must run where Slurm's commands are"):
        commandline.run(["/nowhere/squeue"], "")


def test_a_program_that_fails_is_told_in_its_own_words() -> None:
    with pytest.raises(SlurmRefused, match="false: no such partition"):
        commandline.run(["sh", "-c", "echo 'false: no such partition' >&2; exit 1"], "")
    assert commandline.run(["sh", "-c", "echo $SLURM_TIME_FORMAT; cat"], "said") == "%s\nsaid"
    assert commandline.output(["printf", "\\377"], "") == b"\xff"


def test_a_program_that_is_killed_has_said_neither_yes_nor_no() -> None:
    with pytest.raises(SlurmAway, match="sh was ended by signal 9"):
        commandline.run(["sh", "-c", "kill -9 $$"], "")


def test_what_people_prefer_of_slurms_commands_changes_nothing_that_we_ask_or_submit() -> None:
    preferred = {
        "SQUEUE_USERS": "alice",
        "SINFO_PARTITION": "main",
        "SCONTROL_FUTURE": "1",
        "SBATCH_PARTITION": "main",
        "SCANCEL_STATE": "PENDING",
        "SLURM_CLUSTERS": "other",
        "SLURM_HINT": "nomultithread",
    }
    ours = {"PATH": "/opt/slurm/bin:/usr/bin", "SLURM_CONF": "/etc/slurm.conf", "SLURM_TIME_FORMAT": "relative"}
    fixed = {"SLURM_TIME_FORMAT": "%s", "LC_ALL": "C", "SLURM_JSON": "compact"}

    assert questions.environment(ours | preferred) == ours | fixed


def test_a_program_is_run_without_what_people_prefer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SQUEUE_USERS", "alice")

    assert commandline.run(["sh", "-c", "echo ${SQUEUE_USERS-none}"], "") == "none\n"


def test_features_are_asked_for_in_columns_where_they_matter_only() -> None:
    plain, wanting = Recorded(), Recorded()

    CommandLine(Format.TEXT, plain, new_mark=str).read(recorded_as_text("24.11", "busy").at)
    site = CommandLine(Format.TEXT, wanting, wants_features=True, new_mark=str)
    read = site.read(recorded_as_text("24.11", "busy").at)

    asked = [argv for argv, _ in wanting.asked if argv not in [before for before, _ in plain.asked]]
    assert asked == [["sinfo", "--all", "--noheader", "--Node", "--Format=NodeHost:|,features_act:|"]]
    assert [sorted(each.features) for each in read.nodes] == [["avx2", "bigmem"], ["avx2"], []]
