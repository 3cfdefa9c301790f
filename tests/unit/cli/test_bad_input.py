"""Bad input: a message that says what is wrong and what to do, an exit code, and nothing changed."""

from pathlib import Path

import pytest

from idleq.scheduler.errors import BadJobFile
from support.command_line import CommandLine, FakeWire, Outcome


def refused(idleq: CommandLine, *arguments: str) -> tuple[int, str]:
    """The exit code and the message; the daemon was asked nothing."""
    outcome = idleq(*arguments)
    assert outcome.out == ""
    assert idleq.wire is None or idleq.wire.asked == []
    return outcome.code, outcome.err.splitlines()[-1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--cores", "0", "count"), "idleq: the job: cores: it must be at least 1, not 0"),
        (("--expected", "-5m", "count"), "idleq: the job: expected: '-5m' is negative; a duration is like 90s, 10m or 1h30m"),
        (("--max-run", "0s", "count"), "idleq: the job: max_run: it must be longer than nothing and at most ten years, not 0s"),
        (("--array", "9-0", "count"), "idleq: the job: array: the array '9-0' ends before it begins"),
        (("--freeze", "dmtcp", "count"), "idleq: the job: freeze: it must be one of app, auto, criu, none, not 'dmtcp'"),
        (("--env", "IDLEQ_CONTROL=/", "count"), "idleq: the job: environment: IDLEQ_CONTROL is set by idleq itself and cannot be given"),
        (("--image=--privileged", "count"), "idleq: the job: image: '--privileged' is no name of an image; names are like \"python:3.11\", \"site/image\" or \"host:5000/site/image:tag\", in small letters"),
        (("--image", "x", "--mount", "/data/../etc", "count"), "idleq: the job: mounts: '/data/../etc' holds '..'; give the path without it"),
        (("--mount", "/data", "count"), "idleq: the job: mounts: only a job with an image has that; others see the node's own files"),
        (("--runtime", "docker", "count"), 'idleq: the job: runtime: "docker" runs images, and this job has none; give image = "NAME"'),
        (("--runtime", "1m", "count"), "idleq: the job: runtime: it must be one of auto, docker, podman, process, not '1m'; how long it runs is said by expected"),
        (("--retries", "-1", "count"), "idleq: the job: retries: it must be at least 0, not -1"),
        (("--after", "prepare", "count"), "idleq: the job: after: 'prepare' is no job's number"),
        (("cuont",), "idleq: the job: there is no workload 'cuont'; did you mean 'count'?"),
        (("true", "x y"), "idleq: the job: there is no workload 'true'; there are: count, evaluate-images, evaluate-tods, generate-cgan, generate-cvae, generate-todgan, simulate-showers, simulate-tods, train-cgan, train-classifier, train-cvae, train-todgan; for a program type: idleq submit -- true 'x y'"),
        (("quux",), "idleq: the job: there is no workload 'quux'; there are: count, evaluate-images, evaluate-tods, generate-cgan, generate-cvae, generate-todgan, simulate-showers, simulate-tods, train-cgan, train-classifier, train-cvae, train-todgan"),
    ],
)  # fmt: skip
def test_a_wrong_job_is_refused_before_the_daemon_is_asked(
    idleq: CommandLine, options: tuple[str, ...], message: str
) -> None:
    assert refused(idleq, "submit", *options) == (19, message)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("submit",), "Error: Invalid value for WORKLOAD: say what to run: a workload (`idleq submit --list`), -- COMMAND, or --file JOB.TOML"),
        (("submit", "--"), "Error: Invalid value for WORKLOAD: say what to run: a workload (`idleq submit --list`), -- COMMAND, or --file JOB.TOML"),
        (("submit", "--label", "x", "count"), "Error: Invalid value for --label: 'x' is not KEY=VALUE"),
        (("submit", "--file", "x.toml", "count"), "Error: Invalid value for --file: a job file says everything itself; leave out the workload and its options"),
        (("submit", "--file", "x.toml", "--cores", "2"), "Error: Invalid value for --file: a job file says everything itself; leave out the workload and its options"),
        (("submit", "--cores", "two", "count"), "Error: Invalid value for '--cores': 'two' is not a whole number"),
        (("submit", "--time", "1m", "--", "true"), "Error: No such option: --time (Possible options: --expected, --max-run)"),
        (("submit", "-t", "1", "count"), "Error: No such option: -t (Possible options: --expected, --max-run)"),
        (("wait", "17", "--timeout", "-5m"), "Error: Invalid value for --timeout: '-5m' is not a duration like \"30s\", \"5m\", \"1h30m\" or \"2d\" (units: ms, s, m, h, d)"),
        (("logs", "17", "--follow", "--json"), ""),
        (("logs", "17", "--segment", "0"), "Error: Invalid value for '--segment': it must be at least 1, not 0"),
        (("demo", "--nodes", "65"), "Error: Invalid value for '--nodes': it must be at least 2 and at most 64, not 65"),
        (("ps", "--frobnicate"), "Error: No such option: --frobnicate"),
        (("cancel",), "Error: Missing argument 'JOB'."),
        (("explain", "../17"), "Error: Invalid value for JOB: '../17' is no job's name; names are like 17, or 17_3 for a task"),
    ],
)  # fmt: skip
def test_a_wrong_command_line_is_exit_code_2(idleq: CommandLine, arguments: tuple[str, ...], message: str) -> None:
    outcome = idleq(*arguments)

    assert outcome.code == 2
    assert (outcome.err.splitlines() or [""])[-1].startswith(message)  # the end is Typer's to word
    assert idleq.wire is not None
    assert idleq.wire.asked == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('workload = "count"\ncors = 2\n', "the job file: there is no key 'cors'; did you mean 'cores'?"),
        (
            '[[job]]\nname = "a"\ncommand = ["x"]\nafter = ["b"]\n[[job]]\nname = "b"\ncommand = ["x"]\nafter = ["a"]\n',
            "these jobs wait for each other in a circle: 'a' after 'b' after 'a'",
        ),
        ("cores = \n", "the job file is not TOML: Invalid value (at line 1, column 9)"),
    ],
)
def test_a_wrong_job_file_is_refused_whole(idleq: CommandLine, tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "job.toml"
    file.write_text(text)

    assert refused(idleq, "submit", "-f", str(file)) == (19, f"idleq: {file}: {message}")


def test_a_job_file_that_is_not_there_is_told(idleq: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "none.toml"

    assert refused(idleq, "submit", "-f", str(file)) == (19, f"idleq: {file} cannot be read: No such file or directory")


def test_a_job_file_that_is_no_text_is_told(idleq: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "job.toml"
    file.write_bytes(b"name = \xff")

    assert refused(idleq, "submit", "-f", str(file)) == (
        19,
        f"idleq: {file} is not UTF-8 text: invalid start byte at byte 7",
    )


def test_a_program_that_is_not_there_is_refused(
    idleq: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    advice = "give a path that leads to it, or a name that is on the PATH of the nodes"

    assert refused(idleq, "submit", "--", "./simulate") == (
        19,
        f"idleq: the job: there is no program {tmp_path}/simulate; {advice}",
    )


def test_a_program_that_may_not_be_run_is_refused(idleq: CommandLine, tmp_path: Path) -> None:
    program = tmp_path / "my simulation"
    program.touch(mode=0o644)

    assert refused(idleq, "submit", "--", str(program)) == (
        19,
        f"idleq: the job: {program} may not be run; type: chmod +x '{program}'",
    )
    assert refused(idleq, "submit", "--", str(tmp_path)) == (
        19,
        f"idleq: the job: {tmp_path} is a directory; give the program in it",
    )


def test_a_program_of_a_job_file_that_is_not_there_is_refused_with_the_jobs_name(
    idleq: CommandLine, tmp_path: Path
) -> None:
    file = tmp_path / "job.toml"
    file.write_text('[[job]]\ncommand = ["true"]\n[[job]]\nname = "fit"\ncommand = ["bin/fit"]\n')

    code, message = refused(idleq, "submit", "--file", str(file))

    assert code == 19
    assert message.startswith(f"idleq: {file}: job 'fit': there is no program {tmp_path}/bin/fit; ")


def test_what_the_daemon_refuses_is_told_as_it_says_it(idleq: CommandLine) -> None:
    message = "job 'count': no node is large enough: the largest has 4 cores, 8192 MiB of memory and 0 GPUs"
    idleq.wire = FakeWire(refusal=BadJobFile(message))

    assert refused(idleq, "submit", "--cores", "64", "count") == (19, f"idleq: {message}")


def test_a_server_directory_that_others_can_read_is_refused_before_the_token_is_read(idleq: CommandLine) -> None:
    idleq.server_dir.mkdir(mode=0o755)
    idleq.server_dir.chmod(0o755)

    code, message = refused(idleq, "ps")

    assert code == 12
    assert message == (
        f"idleq: the server directory holds the token, and {idleq.server_dir} is open to others (mode 755); "
        f"type: chmod 700 {idleq.server_dir}"
    )


def test_a_server_directory_that_cannot_be_made_is_an_ordinary_error(idleq: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    idleq.wire, idleq.server_dir = None, tmp_path / "file" / "server"

    code, message = refused(idleq, "daemon", "start")

    assert code == 23
    assert message.startswith(f"idleq: the server directory {idleq.server_dir} cannot be made: File exists")


def test_without_a_daemon_nothing_is_submitted_and_both_ways_out_are_named(idleq: CommandLine) -> None:
    idleq.wire = None

    assert idleq("submit", "count") == Outcome(
        14,
        "",
        "idleq: no daemon serves server: start one with `idleq daemon start` "
        "(or let this command do it: --start-daemon, or IDLEQ_AUTOSTART=1)\n",
    )
    assert not idleq.server_dir.exists()


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("./prepare.sh", "x y"), "idleq submit -- ./prepare.sh 'x y'"),
        (("true x 'y z'",), "idleq submit -- true x 'y z'"),
        (("/no/such/program",), "idleq submit -- /no/such/program"),
    ],
)
def test_whoever_leaves_out_the_dashes_is_told_what_to_type(
    idleq: CommandLine, words: tuple[str, ...], hint: str
) -> None:
    assert idleq("submit", *words).err.endswith(f"; for a program type: {hint}\n")


@pytest.mark.parametrize("word", ["'", "  "])
def test_what_is_no_program_at_all_is_no_workload(idleq: CommandLine, word: str) -> None:
    outcome = idleq("submit", word)
    assert (outcome.code, "there is no workload" in outcome.err, "for a program" in outcome.err) == (19, True, False)
