"""`idleq init`: look at a cluster and write what idleq has to know of it."""

from itertools import count
from typing import TYPE_CHECKING, Annotated

import typer

from idleq.cli.options import IdleqCommand, IdleqGroup, session_of
from idleq.cli.result import Result, Table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from idleq.scheduler.slurm.proposal import Proposal, Setting

init_app = typer.Typer(cls=IdleqGroup, help="Look at a cluster and write config.toml for it.", no_args_is_help=True)


@init_app.callback()
def init() -> None:
    """Keeps the name of the cluster's kind a word of its own."""


@init_app.command(cls=IdleqCommand)
def slurm(
    context: typer.Context,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Write a new config.toml in place of the one that is there, which is kept as config.toml.old.",
        ),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print config.toml and write nothing.")] = False,
) -> Result:
    """Ask Slurm what it is like here, and write config.toml with the reasons beside it.

    Nothing is asked of Slurm but questions that every user may ask, and nothing is changed there. What a config.toml that is there
    says of other things (`server.database`, say) goes on to hold. The exit code is 76 where guests could run nowhere, 69 where Slurm hides what gaps are made of, and 77 where there is a config.toml.
    """
    from idleq.bootstrap import survey_slurm
    from idleq.scheduler.slurm.carrying import with_kept
    from idleq.scheduler.slurm.proposal import propose
    from idleq.scheduler.slurm.rendering import config_text

    session = session_of(context)
    path = session.paths.config
    if not (force or dry_run):
        _refuse_to_overwrite(path)
    proposal = propose(survey_slurm())
    settings = _kept_of(path)
    text = config_text(with_kept(proposal, settings))
    former = None
    if not dry_run:
        session.paths.create()
        former = _written(path, text)
    names = [f"{each.section}.{each.key}" for each in settings]
    value = {
        "config": str(path),
        "written": not dry_run,
        "text": text,
        "proposal": proposal,
        "kept": names,
        "former": None if former is None else str(former),
    }
    shown = (text.rstrip("\n"),) if dry_run else (_table(proposal), _ending(path, proposal, former, names))
    return Result(value=value, text=shown, ids=(str(path),))


def _kept_of(path: "Path") -> "tuple[Setting, ...]":
    """Return what of the configuration that is there goes on to hold: nothing where the daemon could not read it either."""
    import tomllib

    from idleq.scheduler.config import load_config
    from idleq.scheduler.errors import BadConfig
    from idleq.scheduler.slurm.carrying import kept

    try:
        load_config(path)
        return kept(tomllib.loads(path.read_text(encoding="utf-8"))) if path.exists() else ()
    except BadConfig:
        return ()


def _written(path: "Path", text: str) -> "Path | None":
    """Write *text* to *path*; return where what was there is now, None if nothing was."""
    from idleq.scheduler.atomic import write_atomically

    former = None
    if path.exists():
        names = (path.with_name(f"{path.name}.old{number or ''}") for number in count())
        former = next(name for name in names if not name.exists())
        write_atomically(former, path.read_bytes())
    write_atomically(path, text.encode())
    return former


def _refuse_to_overwrite(path: "Path") -> None:
    """Raise ConfigThere if *path* is there."""
    from idleq.scheduler.slurm.errors import ConfigThere

    if path.exists():
        raise ConfigThere(
            f"{path} is there, and was left as it is: `idleq init slurm --dry-run` prints what would be written,"
            " `--force` writes it in place of that one, which is kept beside it"
        )


def _table(proposal: "Proposal") -> Table:
    return Table(
        columns=("KEY", "VALUE", "WHY"),
        rows=[(f"{each.section}.{each.key}", str(each.value), each.reason) for each in proposal.settings],
    )


def _ending(path: "Path", proposal: "Proposal", former: "Path | None", names: "Sequence[str]") -> str:
    lines = [f"Wrote {path} for {proposal.cluster} (Slurm {proposal.version})"]
    if former is not None:
        kept = f"; kept of it: {', '.join(names)}" if names else ""
        lines.append(f"The one before is {former}{kept}")
    lines += proposal.notes
    if proposal.commands:
        lines += ["A QOS of its own would not be charged; the site's admin types:"]
        lines += [f"    {command}" for command in proposal.commands]
    lines.append("Next: idleq doctor, then idleq daemon start")
    return "\n".join(lines)
