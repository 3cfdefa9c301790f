from itertools import pairwise

import pytest

from idleq.ids import EntryId, Millis
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.submission import ArrayRange, FreezeMethod, Inputs, JobSpec, Mount, RuntimeWish, Submission
from idleq.scheduler.errors import BadJobFile
from idleq.scheduler.jobfile import NamedJob, read_catalog, read_job_file

CATALOG_TEXT = """
format = 1
[jobs.train]
description = "Train a model"
command = ["{python}", "-m", "train"]
memory = "2G"
freeze = "app"
expected_duration = "10m"
[jobs.train.environment]
OMP_NUM_THREADS = "1"
"""
TRAIN = JobSpec(
    name="train",
    argv=("{python}", "-m", "train"),
    resources=Resources(1, 2 * 2**30),
    environment=(("OMP_NUM_THREADS", "1"),),
    expected_ms=Millis(600_000),
    freeze=FreezeMethod.APP,
)
CATALOG = {"train": NamedJob(name="train", description="Train a model", spec=TRAIN)}


def read(text: str) -> tuple[Submission, ...]:
    return read_job_file(text, CATALOG)


def refusal(text: str) -> str:
    with pytest.raises(BadJobFile) as caught:
        read(text)
    assert caught.value.exit_code == 19
    return str(caught.value)


def test_the_catalog_is_read_into_specs() -> None:
    assert read_catalog(CATALOG_TEXT) == CATALOG


def test_a_command_asks_for_one_core_and_a_gigabyte_and_is_not_frozen() -> None:
    spec = JobSpec(name="echo", argv=("/bin/echo", "hello"), resources=Resources(1, 2**30), freeze=FreezeMethod.NONE)
    assert read('command = ["/bin/echo", "hello"]') == (Submission(spec=spec),)


def test_every_key_reaches_the_submission() -> None:
    text = """
        format = 1
        name = "mine"
        workload = "train"
        args = ["--quick", "--seed", "3"]
        cores = 4
        memory = "1.5G"
        gpus = 0
        environment = { B = "2", A = "1" }
        labels = { project = "iact" }
        priority = -5
        expected = "1h30m"
        max_run = "2d"
        retries = 3
        freeze = "none"
        signal = "SIGUSR2"
        image = "site/image:1"
        runtime = "podman"
        mounts = ["/data", "/data/out:/out:rw"]
        workdir = "/out"
        inputs = ["data.csv", "../maps"]
        outputs = ["*.pt", "plots/"]
        after = [17, "18"]
        array = "0-98:2%10"
        hold = true
    """
    spec = JobSpec(
        name="mine",
        argv=("{python}", "-m", "train", "--quick", "--seed", "3"),
        resources=Resources(4, 3 * 2**29),
        environment=(("A", "1"), ("B", "2"), ("OMP_NUM_THREADS", "1")),
        labels=(("project", "iact"),),
        priority=-5,
        expected_ms=Millis(5_400_000),
        max_run_ms=Millis(172_800_000),
        retries=3,
        freeze=FreezeMethod.NONE,
        signal="SIGUSR2",
        image="site/image:1",
        runtime=RuntimeWish.PODMAN,
        mounts=(Mount(source="/data", target="/data"), Mount(source="/data/out", target="/out", is_writable=True)),
        workdir="/out",
        inputs=Inputs(sources=("data.csv", "../maps")),
        outputs=("*.pt", "plots"),
    )
    after = (EntryId(17), EntryId(18))
    assert read(text) == (Submission(spec=spec, array=ArrayRange(0, 98, 2, 10), after=after, held=True),)


def test_jobs_of_one_file_wait_for_each_other_by_name() -> None:
    text = """
        [[job]]
        name = "judge"
        command = ["judge"]
        after = ["learn", "prepare", 5]
        [[job]]
        name = "prepare"
        command = ["prepare"]
        [[job]]
        name = "learn"
        workload = "train"
        after = ["prepare"]
    """
    waits = [(one.spec.name, one.after, one.after_here) for one in read(text)]
    assert waits == [("judge", (EntryId(5),), (2, 1)), ("prepare", (), ()), ("learn", (), (1,))]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('workload = "train"\ncors = 2', "the job file: there is no key 'cors'; did you mean 'cores'?"),
        ('workload = "train"\nenv = {A = "1"}', "the job file: there is no key 'env'; did you mean 'environment'?"),
        ('workload = "tarin"', "the job file: there is no workload 'tarin'; did you mean 'train'?"),
        ('workload = "quux"', "the job file: there is no workload 'quux'; there are: train"),
        ('command = ["x"]\ncores = 0', "the job file: cores: it must be at least 1, not 0"),
        ('command = ["x"]\ncores = true', "the job file: cores: it must be a whole number, not True"),
        ('command = ["x"]\nretries = -1', "the job file: retries: it must be at least 0, not -1"),
        (
            'command = ["x"]\nexpected = "-5m"',
            "the job file: expected: '-5m' is negative; a duration is like 90s, 10m or 1h30m",
        ),
        ('command = ["x"]\nmax_run = -5', "the job file: max_run: -5 is negative"),
        ('command = ["x"]\nmax_run = 90', 'the job file: max_run: write it with its unit, like "90s" or "90m"'),
        (
            'command = ["x"]\nmax_run = "0s"',
            "the job file: max_run: it must be longer than nothing and at most ten years, not 0s",
        ),
        ('command = ["x"]\narray = "9-0"', "the job file: array: the array '9-0' ends before it begins"),
        (
            'command = ["x"]\narray = "0-9999999999"',
            "the job file: array: the array '0-9999999999' has a number over 999999999",
        ),
        (
            'command = ["x"]\narray = "0-9%0"',
            "the job file: array: the array '0-9%0' has a 0 after %; it must be at least 1",
        ),
        (
            'command = ["x"]\nfreeze = "dmtcp"',
            "the job file: freeze: it must be one of app, auto, criu, none, not 'dmtcp'",
        ),
        (
            'command = ["x"]\nenvironment = {IDLEQ_CONTROL = "/"}',
            "the job file: environment: IDLEQ_CONTROL is set by idleq itself and cannot be given",
        ),
        (
            'command = "ls -l"',
            "the job file: command: it must be a list of texts, like [\"--quick\"], not 'ls -l'",
        ),
        ("command = []", "the job file: command: it begins with the program to run, and that is missing"),
        (
            "cores = 2",
            'the job file: it says not what to run; give workload = "NAME" or command = ["PROGRAM", ...]',
        ),
        (
            'workload = "train"\ncommand = ["x"]',
            "the job file: it has a workload and a command; it can run one of them",
        ),
        (
            'command = ["x"]\nargs = ["y"]',
            "the job file: args go to a workload; write the command's own arguments into command",
        ),
        ('format = 2\ncommand = ["x"]', "the job file has format 2; this idleq reads format 1"),
        ("cores =", "the job file is not TOML: Invalid value (at end of document)"),
        (
            'command = ["x"]\nname = "a\\u001bb"',
            "the job file: name: it must be 1 to 200 printable characters, not 'a\\x1bb'",
        ),
        (
            'command = ["x"]\nafter = ["prepare"]',
            "the job file: it comes after 'prepare', but this file has one job; give a job's number",
        ),
        ("job = 3", "the job file: jobs are tables that begin with a line [[job]]"),
        (
            'cores = 2\n[[job]]\ncommand = ["x"]',
            "the job file: 'cores' stands outside the [[job]] tables; move it into one of them",
        ),
        (
            '[[job]]\nname = "a"\ncommand = ["x"]\n[[job]]\nname = "a"\ncommand = ["y"]',
            "two jobs of the file are named 'a'; give each a name of its own",
        ),
        (
            '[[job]]\nname = "a"\ncommand = ["x"]\nafter = ["bb"]\n[[job]]\nname = "b"\ncommand = ["y"]',
            "job 'a': in after: there is no job of this file 'bb'; did you mean 'b'?",
        ),
        (
            '[[job]]\nname = "a"\ncommand = ["x"]\nafter = ["a"]',
            "these jobs wait for each other in a circle: 'a' after 'a'",
        ),
        ('[[job]]\ncommand = ["x"]\ncores = 0', "job 1 of the file: cores: it must be at least 1, not 0"),
    ],
)
def test_what_is_wrong_is_said_with_what_would_be_right(text: str, message: str) -> None:
    assert refusal(text) == message


def test_a_circle_is_shown_whole() -> None:
    names = "abc"
    tables = [f'[[job]]\nname = "{one}"\ncommand = ["x"]\nafter = ["{names[i - 1]}"]' for i, one in enumerate(names)]
    message = refusal("\n".join(tables))
    circle = message.removeprefix("these jobs wait for each other in a circle: ").split(" after ")
    assert circle[0] == circle[-1]
    assert {(one, other) for one, other in pairwise(circle)} == {
        ("'a'", "'c'"),
        ("'b'", "'a'"),
        ("'c'", "'b'"),
    }


def test_hostile_numbers_and_depths_are_refused_not_crashed_on() -> None:
    assert refusal("cores = " + "9" * 5000).startswith("the job file is not TOML: ")
    assert refusal("cores = " + "[" * 20_000).startswith("the job file is not TOML: ")
    assert refusal(f'command = ["x"]\nafter = ["{"9" * 30}"]').startswith("the job file: it comes after '999")


def test_tables_of_jobs_in_the_plural_are_told_their_name() -> None:
    assert refusal('[[jobs]]\ncommand = ["true"]') == (
        "the job file: there is no key 'jobs'; did you mean [[job]], one such table for each job?"
    )


def test_named_jobs_run_in_the_image_of_the_site_unless_told_otherwise() -> None:
    catalog = read_catalog(CATALOG_TEXT, image="site/workloads:1")

    def image(text: str) -> tuple[str, RuntimeWish]:
        (one,) = read_job_file(text, catalog)
        return one.spec.image, one.spec.runtime

    assert image('workload = "train"') == ("site/workloads:1", RuntimeWish.AUTO)
    assert image('workload = "train"\nimage = "mine"\nruntime = "docker"') == ("mine", RuntimeWish.DOCKER)
    assert image('workload = "train"\nruntime = "process"') == ("", RuntimeWish.PROCESS)
    assert image('command = ["x"]') == ("", RuntimeWish.AUTO)


def test_a_named_jobs_duration_is_not_assumed_of_one_with_other_arguments() -> None:
    (as_it_is,) = read('workload = "train"')
    (other,) = read('workload = "train"\nargs = ["--steps", "9"]')
    (told,) = read('workload = "train"\nargs = ["--steps", "9"]\nexpected = "2h"')

    assert [one.spec.expected_ms for one in (as_it_is, other, told)] == [600_000, None, 7_200_000]
