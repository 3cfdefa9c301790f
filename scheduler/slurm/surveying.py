"""Asking a site all that `Survey` holds."""

import grp
import os
import pwd

from idleq.scheduler.slurm import accounting, answers, columns, configuration, partitions, questions
from idleq.scheduler.slurm.commandline import Run
from idleq.scheduler.slurm.errors import SlurmAway, SlurmRefused
from idleq.scheduler.slurm.questions import Format
from idleq.scheduler.slurm.survey import FIRST_JSON, Survey, read_version


def survey_site(run: Run, user: str) -> Survey:
    """Ask Slurm's commands what the site is like, as *user* is shown it.

    Raises:
        SlurmAway, SlurmRefused, SlurmUnreadable: Slurm cannot be asked. That its accounting cannot be is no error.
    """
    settings = configuration.read_configuration(run(questions.ask_configuration(), ""))
    version = read_version(run(questions.ask_version(), ""))
    form = Format.JSON if version >= FIRST_JSON else Format.TEXT
    nodes = run(questions.ask_nodes(form), "")
    return Survey(
        user=user,
        version=version,
        settings=settings,
        partitions=partitions.read_partitions(run(questions.ask_partitions(), "")),
        nodes=answers.read_nodes(nodes.encode()).nodes if form is Format.JSON else columns.read_nodes(nodes),
        qos=accounting.read_qos(_if_it_answers(run, questions.ask_qos())),
        associations=accounting.read_associations(
            _if_it_answers(run, questions.ask_associations(user, configuration.cluster_name(settings)))
        ),
        groups=groups_of(user),
    )


def groups_of(user: str) -> frozenset[str]:
    """Return the groups of *user* on this machine, none if nobody is called so."""
    try:
        primary = pwd.getpwnam(user).pw_gid
    except KeyError:
        return frozenset()
    names = {group.gr_gid: group.gr_name for group in grp.getgrall()}
    return frozenset(names[each] for each in os.getgrouplist(user, primary) if each in names)


def _if_it_answers(run: Run, argv: list[str]) -> str:
    """Return what the accounting says; nothing where there is none, or where it does not answer."""
    try:
        return run(argv, "")
    except (SlurmAway, SlurmRefused):
        return ""
