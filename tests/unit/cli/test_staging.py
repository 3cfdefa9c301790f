"""What a submit copies for its jobs, and what it leaves where it fails."""

import os
from pathlib import Path

import pytest

from idleq.migration import snapshot
from idleq.scheduler.core.rows import InputCopies
from idleq.scheduler.core.submission import Inputs, Submission
from idleq.scheduler.errors import BadMessage, DaemonAway, Refused
from support.command_line import CommandLine, FakeWire, outlook
from support.moving import files_of


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a person submits from."""
    home = tmp_path / "home"
    (home / "maps").mkdir(parents=True)
    (home / "data.csv").write_text("1,2\n")
    (home / "maps" / "north").write_text("N")
    (home / "latest").symlink_to("data.csv")
    monkeypatch.chdir(home)
    return home


def submitted(idleq: CommandLine) -> tuple[Submission, ...]:
    assert idleq.wire is not None
    ((_, submissions, _),) = idleq.wire.asked
    return submissions  # type: ignore[no-any-return]  # what was asked is anything


def inputs_of(idleq: CommandLine) -> Inputs:
    found = submitted(idleq)[0].spec.inputs
    assert found is not None
    return found


def copies(idleq: CommandLine) -> list[str]:
    return sorted(path.name for path in idleq.paths.inputs.iterdir()) if idleq.paths.inputs.exists() else []


def test_files_and_folders_are_copied_and_what_becomes_of_them_later_changes_nothing(
    idleq: CommandLine, home: Path
) -> None:
    outcome = idleq(
        *("submit", "--input", "data.csv", "--input", "../home/maps/", "--input", "latest"),
        *("--output", "*.pt", "--output", "plots/", "--", "fit"),
    )
    (home / "data.csv").write_text("changed")
    (home / "maps" / "north").unlink()

    assert outcome.code == 0, outcome.err
    inputs = inputs_of(idleq)
    copy = idleq.paths.input(inputs.id)
    assert inputs.sources == (f"{home}/data.csv", f"{home}/maps", f"{home}/latest")
    assert submitted(idleq)[0].spec.outputs == ("*.pt", "plots")
    snapshot.verify(copy, inputs.digest)
    assert files_of(copy / "files" / "input") == {"data.csv": b"1,2\n", "maps/north": b"N", "latest": b"1,2\n"}
    assert inputs.bytes == 9
    assert {path.stat().st_mode & 0o077 for path in (idleq.paths.root, idleq.paths.inputs, copy)} == {0}


def test_jobs_of_a_file_that_are_given_the_same_and_tasks_of_an_array_share_one_copy(
    idleq: CommandLine, home: Path
) -> None:
    jobs = """
        [[job]]
        command = ["fit"]
        inputs = ["data.csv"]
        array = "0-99"
        [[job]]
        command = ["judge"]
        inputs = ["data.csv"]
        [[job]]
        command = ["report"]
        inputs = ["maps"]
    """
    (home / "jobs.toml").write_text(jobs)

    assert idleq("submit", "--file", "../home/jobs.toml").code == 0

    names = [one.spec.inputs.id for one in submitted(idleq) if one.spec.inputs]
    assert (names[0], len(set(names)), len(copies(idleq))) == (names[1], 2, 2)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("gone.csv",), "the job: inputs: there is no {home}/gone.csv"),
        (
            ("data.csv", "maps/../data.csv"),
            "the job: inputs: {home}/data.csv and {home}/data.csv would both be called data.csv",
        ),
        (("/",), "the job: inputs: '/' is no full path of a file or folder"),
        (("pipe",), "inputs: {home}/pipe is neither a file nor a folder"),
        (("odd",), "'input/odd/link' is a symbolic link (to 'x'): only files and folders are kept"),
        ((".",), None),
    ],
)
def test_what_cannot_be_copied_is_refused_and_nothing_is_submitted(
    idleq: CommandLine, home: Path, given: tuple[str, ...], message: str | None
) -> None:
    os.mkfifo(home / "pipe")
    (home / "odd").mkdir()
    (home / "odd" / "link").symlink_to("x")

    outcome = idleq("submit", *(word for path in given for word in ("--input", path)), "--", "fit")

    assert outcome.code == 19
    assert idleq.wire is not None
    assert (idleq.wire.asked, copies(idleq)) == ([], [])
    assert message is None or message.format(home=home) in outcome.err


@pytest.mark.parametrize(("refusal", "is_kept"), [(Refused("no"), False), (DaemonAway("it hangs"), True)])
def test_of_a_submit_that_was_refused_no_copy_is_left(
    idleq: CommandLine, home: Path, refusal: Refused | DaemonAway, *, is_kept: bool
) -> None:
    assert home.is_dir()
    idleq.wire = FakeWire(refusal=refusal)

    assert idleq("submit", "--input", "data.csv", "--", "fit").code == refusal.exit_code

    assert len(copies(idleq)) == is_kept  # where nobody answers, nobody knows whether it was taken


def test_where_no_daemon_is_nothing_is_copied(idleq: CommandLine, home: Path) -> None:
    assert home.is_dir()
    idleq.wire = None

    assert idleq("submit", "--input", "data.csv", "--", "fit").code == 14

    assert not idleq.server_dir.exists()


OLD = f"{1:032x}"


@pytest.fixture
def at_a_site(idleq: CommandLine) -> CommandLine:
    """The command line where a daemon serves a whole site, with one copy that an earlier submit has left."""
    idleq.paths.door.write_text("{}")
    idleq.paths.create()
    idleq.paths.input(OLD).mkdir(parents=True)
    return idleq


def test_at_a_site_a_submit_with_inputs_first_removes_the_copies_that_its_users_jobs_do_not_want_any_more(
    at_a_site: CommandLine, home: Path
) -> None:
    assert home.is_dir()
    at_a_site.wire = FakeWire(copies=InputCopies(frozenset(), frozenset({OLD})))

    assert at_a_site("submit", "--", "fit").code == 0
    assert copies(at_a_site) == [OLD]  # whoever gives nothing is not kept waiting
    at_a_site.wire.asked.clear()
    assert at_a_site("submit", "--input", "data.csv", "--", "fit").code == 0

    (question, (_, submissions, _)) = at_a_site.wire.asked
    assert question == ("input_copies", (OLD,))
    assert copies(at_a_site) == [submissions[0].spec.inputs.id]


@pytest.mark.parametrize(("known", "kept"), [("spent", []), ("wanted", [OLD])])
def test_at_a_site_a_wait_removes_the_copies_that_no_job_wants_any_more(
    at_a_site: CommandLine, known: str, kept: list[str]
) -> None:
    told = {"wanted": frozenset[str](), "spent": frozenset[str](), known: frozenset({OLD})}
    at_a_site.wire = FakeWire(outlooks=[(outlook("17", cancelled=1),)], copies=InputCopies(**told))

    outcome = at_a_site("wait", "17")

    assert (outcome.err, copies(at_a_site)) == ("", kept)


def test_where_nobody_says_which_copies_are_wanted_they_stay_and_the_wait_is_over_all_the_same(
    at_a_site: CommandLine,
) -> None:
    refusal = BadMessage("there is no POST '/v1/inputs'")  # a daemon of an older version
    at_a_site.wire = FakeWire(
        outlooks=[(outlook("17", cancelled=1),)],
        refusal=refusal,
        refused=frozenset({(OLD,)}),
    )

    outcome = at_a_site("wait", "17")

    assert outcome.err == "Old copies of inputs stay for now: there is no POST '/v1/inputs'\n"
    assert copies(at_a_site) == [OLD]


def test_a_submit_leaves_alone_what_another_one_is_copying(idleq: CommandLine, home: Path) -> None:
    assert home.is_dir()
    (under_way := idleq.paths.inputs / f".tmp-{OLD}-99").mkdir(parents=True)
    idleq.paths.root.chmod(0o700)

    assert idleq("submit", "--input", "data.csv", "--", "fit").code == 0

    assert under_way.is_dir()
