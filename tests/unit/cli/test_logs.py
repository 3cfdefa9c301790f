import pytest

from idleq.cli.commands.logs import Tail
from idleq.ids import Fence, JobId
from idleq.scheduler.errors import UnknownTarget
from support.command_line import CommandLine, FakeWire, Outcome, outlook

JOB = JobId("17")


@pytest.fixture
def printed(idleq: CommandLine) -> CommandLine:
    """A job of two segments has printed something."""
    idleq.paths.create()
    idleq.wire = FakeWire(outlooks=[(outlook("17", done=1),)])
    for fence, text in ((1, "one\ntwo\n"), (2, "three\n")):
        segment = idleq.paths.job(JOB).segment(Fence(fence))
        segment.root.mkdir(parents=True)
        segment.stdout.write_text(text)
        segment.stderr.write_text(f"warning {fence}\n")
    return idleq


def test_the_segments_are_shown_one_after_the_other(printed: CommandLine) -> None:
    assert printed("logs", "17") == Outcome(0, "one\ntwo\nthree\n", "")
    assert printed("logs", "17", "--stderr") == Outcome(0, "warning 1\nwarning 2\n", "")
    assert printed("logs", "17", "--segment", "2") == Outcome(0, "three\n", "")


def test_the_logs_are_json_by_segment(printed: CommandLine) -> None:
    segments = [{"segment": 1, "stdout": "one\ntwo\n"}, {"segment": 2, "stdout": "three\n"}]

    assert printed("logs", "17", "--json").json == {"job": "17", "segments": segments}


def test_the_logs_can_be_read_without_a_daemon(printed: CommandLine) -> None:
    printed.wire = None

    assert printed("logs", "17").out == "one\ntwo\nthree\n"


def test_following_a_job_that_is_over_ends(printed: CommandLine) -> None:
    assert printed("logs", "17", "--follow") == Outcome(0, "one\ntwo\nthree\n", "")


def test_a_tail_goes_on_where_it_stopped_and_into_new_segments(printed: CommandLine) -> None:
    job = printed.paths.job(JOB)
    tail = Tail(job, "stdout", None)
    assert "".join(tail.read()) == "one\ntwo\nthree\n"

    with job.segment(Fence(2)).stdout.open("a") as file:
        file.write("four\n")
    job.segment(Fence(3)).root.mkdir()
    job.segment(Fence(3)).stdout.write_text("five\n")

    assert "".join(tail.read()) == "four\nfive\n"
    assert "".join(tail.read()) == ""


def test_a_character_that_is_half_written_is_not_torn(printed: CommandLine) -> None:
    file = printed.paths.job(JOB).segment(Fence(2)).stdout
    tail = Tail(printed.paths.job(JOB), "stdout", 2)
    file.write_bytes(b"caf\xc3")
    assert "".join(tail.read()) == "caf"

    file.write_bytes("café".encode())

    assert "".join(tail.read()) == "é"


@pytest.mark.parametrize("options", [(), ("--follow",)])
def test_a_job_that_printed_errors_only_is_told_with_the_command_that_shows_them(
    printed: CommandLine, options: tuple[str, ...]
) -> None:
    for fence in (1, 2):
        printed.paths.job(JOB).segment(Fence(fence)).stdout.write_text("")
    hint = "idleq: job 17 printed errors only; `idleq logs --stderr 17` shows them\n"

    assert printed("logs", "17", *options) == Outcome(62, "", hint)


@pytest.mark.parametrize(("options", "what"), [((), "output"), (("--follow",), "output"), (("--stderr",), "errors")])
def test_a_job_that_printed_nothing_and_is_over_has_nothing_to_show(
    printed: CommandLine, options: tuple[str, ...], what: str
) -> None:
    for fence in (1, 2):
        printed.paths.job(JOB).segment(Fence(fence)).stdout.write_text("")
        printed.paths.job(JOB).segment(Fence(fence)).stderr.write_text("")
    message = f"idleq: job 17 has no {what}: it is over and printed none\n"

    assert printed("logs", "17", *options) == Outcome(62, "", message)


def test_a_job_that_runs_may_print_yet(printed: CommandLine) -> None:
    printed.wire = FakeWire(outlooks=[(outlook("17"),)])
    for fence in (1, 2):
        printed.paths.job(JOB).segment(Fence(fence)).stdout.write_text("")
        printed.paths.job(JOB).segment(Fence(fence)).stderr.write_text("")

    assert printed("logs", "17") == Outcome(62, "", "idleq: job 17 has no output: it has printed none yet\n")


def test_no_output_yet_says_where_to_look(idleq: CommandLine) -> None:
    idleq.wire = FakeWire(outlooks=[(outlook("17"),)])
    message = "idleq: job 17 has no output: it has not started yet (`idleq explain 17` says where it is)\n"

    assert idleq("logs", "17") == Outcome(62, "", message)


def test_no_such_segment_is_told(printed: CommandLine) -> None:
    outcome = printed("logs", "17", "--segment", "9")

    assert (outcome.code, outcome.out) == (62, "")
    assert outcome.err.startswith("idleq: job 17 has no output: there is no segment 9")


def test_no_such_job_is_told(idleq: CommandLine) -> None:
    idleq.wire = FakeWire(refusal=UnknownTarget("there is no job 99"))

    assert idleq("logs", "99") == Outcome(18, "", "idleq: there is no job 99\n")


def test_an_array_has_its_output_by_task(printed: CommandLine) -> None:
    printed.paths.job(JobId("19_4")).segment(Fence(1)).root.mkdir(parents=True)

    message = "idleq: job 19 has no output: it is an array; name one of its tasks, like 19_4\n"
    assert printed("logs", "19") == Outcome(62, "", message)
