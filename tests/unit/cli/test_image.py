"""`idleq image`: what it refuses before an engine is asked."""

from pathlib import Path

import pytest

from idleq.cli.commands.image import engine_here
from idleq.migration.errors import ImageRefused
from support.command_line import CommandLine


def test_podman_is_taken_before_docker_unless_docker_is_wanted() -> None:
    assert engine_here(None, lambda name: name) == "podman"
    assert engine_here("docker", lambda name: name) == "docker"
    assert engine_here(None, lambda name: name if name == "docker" else None) == "docker"


@pytest.mark.parametrize(
    ("wanted", "said"), [(None, "podman nor docker is not here"), ("docker", "docker is not here")]
)
def test_where_there_is_no_engine_it_says_what_to_install(wanted: str | None, said: str) -> None:
    with pytest.raises(ImageRefused, match=said):
        engine_here(wanted, lambda _: None)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("load", "missing.tar", "--store", "x"), 9, "there is no archive missing.tar; make one: docker save --output missing.tar IMAGE"),
        (("load", "missing.tar", "--store", "x", "--engine", "docker"), 9, "docker's engine has its images to itself"),
        (("load", "missing.tar", "--engine", "runc"), 2, "'runc' is not one of podman, docker"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(idleq: CommandLine, arguments: tuple[str, ...], code: int, said: str) -> None:
    outcome = idleq("image", *arguments)
    assert (outcome.code, outcome.out) == (code, "")
    assert said in outcome.err


def test_a_name_that_hides_an_option_is_no_name(
    idleq: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "podman").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "podman").chmod(0o755)
    outcome = idleq("image", "build", str(tmp_path), "--name=--privileged")
    assert (outcome.code, outcome.out) == (2, "")
    assert "'--privileged' is no name of an image" in outcome.err
