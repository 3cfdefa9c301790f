"""A call makes no more of the application than it needs, and behaves as if all of it were there."""

import pytest

from idleq.cli.app import app, as_much_as
from support.command_line import CommandLine


@pytest.mark.parametrize(
    ("arguments", "commands", "groups"),
    [
        (["ps"], ["ps"], []),
        (["--json", "explain", "ps"], ["explain"], []),
        (["--server-dir", "ps", "status"], ["status"], []),
        (["--server-dir=ps", "-q", "daemon", "stop"], [], ["daemon"]),
    ],
)
def test_only_the_command_that_is_called_is_made(arguments: list[str], commands: list[str], groups: list[str]) -> None:
    part = as_much_as(arguments)

    assert [one.callback.__name__ for one in part.registered_commands if one.callback] == commands
    assert [one.name for one in part.registered_groups] == groups


@pytest.mark.parametrize("arguments", [[], ["--help"], ["nodez"], ["--server-dir", "ps"], ["--server-dir"]])
def test_whoever_calls_no_command_gets_all_of_them(arguments: list[str]) -> None:
    assert as_much_as(arguments) is app


def test_a_slip_of_the_keyboard_still_finds_its_neighbour(idleq: CommandLine) -> None:
    outcome = idleq("nodez")

    assert (outcome.code, "Did you mean 'nodes'?" in outcome.err) == (2, True)
