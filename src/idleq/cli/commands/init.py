"""`idleq init`: look at a cluster and write what idleq has to know of it."""

from typing import TYPE_CHECKING, Annotated

import typer

from idleq.cli.options import IdleqCommand, IdleqGroup, session_of
from idleq.cli.result import Result, Table

if TYPE_CHECKING:
    from pathlib import Path

    from idleq.scheduler.slurm.proposal import Proposal

init_app = typer.Typer(cls=IdleqGroup, help="Look at a cluster and write config.toml for it.", no_args_is_help=True)


@init_app.callback()
def init() -> None:
    """Keeps the name of the cluster's kind a word of its own."""


@init_app.command(cls=IdleqCommand)
def slurm(
    context: typer.Context,
    force: Annotated[bool, typer.Option("--force", help="Write over a config.toml that is there.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print config.toml and write nothing.")] = False,
) -> Result:
    """Ask Slurm what it is like here, and write config.toml with the reasons beside it.

    Nothing is asked of Slurm but questions that every user may ask, and nothing is changed there. The exit code is 76
    where guests could run nowhere, 69 where Slurm hides what gaps are made of, and 77 where there is a config.toml.
    """
    from idleq.bootstrap import survey_slurm
    from idleq.scheduler.slurm.proposal import propose
    from idleq.scheduler.slurm.rendering import config_text

    session = session_of(context)
    path = session.paths.config
    if not (force or dry_run):
        _refuse_to_overwrite(path)
    proposal = propose(survey_slurm())
    text = config_text(proposal)
    if not dry_run:
        from idleq.scheduler.atomic import write_atomically

        session.paths.create()
        write_atomically(path, text.encode())
    value = {"config": str(path), "written": not dry_run, "text": text, "proposal": proposal}
    shown = (text.rstrip("\n"),) if dry_run else (_table(proposal), _ending(path, proposal))
    return Result(value=value, text=shown, ids=(str(path),))


def _refuse_to_overwrite(path: "Path") -> None:
    """Raise ConfigThere if *path* is there."""
    from idleq.scheduler.slurm.errors import ConfigThere

    if path.exists():
        raise ConfigThere(
            f"{path} is there, and was left as it is: `idleq init slurm --dry-run` prints what would be written,"
            " `--force` writes over it"
        )


def _table(proposal: "Proposal") -> Table:
    return Table(
        columns=("KEY", "VALUE", "WHY"),
        rows=[(f"{each.section}.{each.key}", str(each.value), each.reason) for each in proposal.settings],
    )


def _ending(path: "Path", proposal: "Proposal") -> str:
    lines = [f"Wrote {path} for {proposal.cluster} (Slurm {proposal.version})", *proposal.notes]
    if proposal.commands:
        lines += ["A QOS of its own would not be charged; the site's admin types:"]
        lines += [f"    {command}" for command in proposal.commands]
    lines.append("Next: idleq doctor, then idleq daemon start")
    return "\n".join(lines)
