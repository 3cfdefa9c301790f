"""Every `idleq` command that the documentation shows exists, with the options shown."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from idleq.cli.app import app

ROOT = Path(__file__).resolve().parents[2]
LISTED = subprocess.run(
    ["git", "ls-files", "-co", "--exclude-standard", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True
).stdout.split()
BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
SHOWN = sorted(
    {
        line.removeprefix("$ ").partition(" #")[0].strip()
        for page in LISTED
        if (ROOT / page).exists()
        for block in BLOCK.findall((ROOT / page).read_text())
        for line in block.splitlines()
        if line.startswith("$ idleq ")
    }
)


def problem(line: str) -> str | None:
    """What the command line's own parser says is wrong with *line*; nothing is run."""
    words = shlex.split(line)[1:]
    command = get_command(app)
    context = typer.Context(command, info_name="idleq")
    while hasattr(command, "commands"):
        word = words.pop(0) if words and words[0] in command.commands else getattr(command, "default", "")
        if not word:
            word = words.pop(0)
        if word not in command.commands:
            return f"No such command {word!r}."
        command = command.commands[word]
        context = typer.Context(command, info_name=word, parent=context)
    try:
        command.make_context(context.info_name, words, parent=context.parent)
    except typer.TyperException as error:
        return error.format_message()
    return None


@pytest.mark.parametrize("line", SHOWN)
def test_the_command_exists_as_it_is_shown(line: str) -> None:
    assert problem(line) is None


@pytest.mark.parametrize(
    ("line", "expected"),
    [("idleq fly", "No such command 'fly'."), ("idleq nodes --wrong", "No such option: --wrong"), ("idleq ps", None)],
)
def test_the_check_itself_notices(line: str, expected: str | None) -> None:
    found = problem(line)

    assert found is None if expected is None else found and found.startswith(expected)
