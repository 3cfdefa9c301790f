import pytest

from idleq.scheduler.slurm import columns
from idleq.scheduler.slurm.errors import SlurmUnreadable
from support.slurm import RECORDED, recorded_as_json, recorded_as_text

STATES = sorted(folder.name for folder in (RECORDED / "24.11").iterdir())
JOB = "7|RUNNING|main|alice|1000|2000|N/A|900|n1|(null)|cpu=1,mem=500M|None|(null)|name|"


@pytest.mark.parametrize("state", STATES)
def test_columns_say_of_nodes_and_reservations_what_json_says(state: str) -> None:
    text, told = recorded_as_text("24.11", state), recorded_as_json("24.11", state)

    assert [(n.name, n.states, n.capacity, n.allocated) for n in text.nodes] == [
        (n.name, n.states, n.capacity, n.allocated) for n in told.nodes
    ]
    assert [(r.name, r.nodes) for r in text.reservations] == [(r.name, r.nodes) for r in told.reservations]


def test_separators_in_comments_and_names_do_no_harm() -> None:
    (job,) = columns.read_jobs("7|RUNNING|main|alice|1000|2000|1500|900|n1|(null)|cpu=1|None|idleq:a1|x|RUNNING|n9|")

    said = (job.job_id, job.preempt_time, job.eligible_time, job.nodes, job.comment, job.name)
    assert said == (7, 1500, 900, "n1", "idleq:a1", "x|RUNNING|n9")


@pytest.mark.parametrize(
    "odd", ["\v", "\f", "\r", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029", "\n", "|\n", "\n9|", "|"]
)
def test_what_others_write_into_comments_and_names_hides_no_job(odd: str) -> None:
    end = "|mark\n"
    strange = JOB.replace("(null)|name|", f"a{odd}b|c{odd}d")
    ours = JOB.replace("7", "8", 1).removesuffix("|")

    jobs = columns.read_jobs(f"{strange}{end}{ours}{end}", "mark")

    assert [(job.job_id, job.nodes, job.user_name) for job in jobs] == [(7, "n1", "alice"), (8, "n1", "alice")]


@pytest.mark.parametrize("cut", [1, 20, 60])
def test_rows_that_are_cut_off_are_refused_rather_than_passed_over(cut: int) -> None:
    text = f"{JOB}mark\n" * 2

    with pytest.raises(SlurmUnreadable, match="has no end"):
        columns.read_jobs(text[: -cut - len("\n")], "mark")


def test_what_unicode_takes_for_the_end_of_a_line_ends_none_of_a_node_or_a_reservation() -> None:
    (node,) = columns.read_nodes("n1|idle|0/4/0/4|4000|0|gpu:a\x85b:1|(null)|\n")
    (reservation,) = columns.read_reservations("ReservationName=a StartTime=1 EndTime=2 Nodes=n1 Comment=a\u2028b\n")

    assert (node.gres, reservation.node_list) == ("gpu:a\x85b:1", "n1")


@pytest.mark.parametrize(
    "line", ["7|RUNNING|main", JOB.replace("7", "seven", 1), JOB.replace("1000", "N/O"), "Unable to contact"]
)
def test_a_line_that_is_not_what_was_asked_for_is_refused(line: str) -> None:
    with pytest.raises(SlurmUnreadable):
        columns.read_jobs(f"{JOB}\n{line}\n")


def test_a_node_line_without_four_counts_is_refused() -> None:
    with pytest.raises(SlurmUnreadable, match="allocated/idle/other/total"):
        columns.read_nodes("n1|idle|0/2|4000|0|(null)|(null)|")


def test_a_reservation_without_its_times_is_refused() -> None:
    with pytest.raises(SlurmUnreadable, match="lacks 'EndTime'"):
        columns.read_reservations("ReservationName=upkeep StartTime=1000 Nodes=n3")


@pytest.mark.parametrize("version", ["22.05", "24.11"])
def test_the_time_of_the_last_plan_is_that_of_backfilling(version: str) -> None:
    folder = RECORDED / version / "busy"
    planned_at = columns.read_last_backfill((folder / "sdiag.txt").read_text())

    assert planned_at is not None
    assert abs(planned_at * 1000 - recorded_as_text(version, "busy").at) < 60_000
    assert columns.read_last_backfill("nothing of that") is None
