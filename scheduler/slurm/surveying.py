"""Asking a site all that `Survey` holds."""

import grp
import os
import pwd
from dataclasses import replace

from idleq.scheduler.slurm import accounting, answers, columns, configuration, partitions, questions
from idleq.scheduler.slurm.commandline import Run
from idleq.scheduler.slurm.errors import SlurmRefused
from idleq.scheduler.slurm.questions import Format
from idleq.scheduler.slurm.survey import Survey, form_of, read_version


def survey_site(run: Run, user: str) -> Survey:
    """Ask Slurm's commands what the site is like, as *user* is shown it.

    Raises:
        SlurmAway, SlurmRefused, SlurmUnreadable: Slurm cannot be asked, or its accounting where there is one that matters.
    """
    version = read_version(run(questions.ask_version(), ""))
    settings = configuration.read_configuration(run(questions.ask_configuration(), ""))
    form = form_of(version)
    nodes = run(questions.ask_nodes(form), "")
    survey = Survey(
        user=user,
        version=version,
        settings=settings,
        partitions=partitions.read_partitions(run(questions.ask_partitions(), "")),
        nodes=answers.read_nodes(nodes.encode()).nodes if form is Format.JSON else columns.read_nodes(nodes),
        groups=groups_of(user),
    )
    return _with_accounting(run, survey) if survey.has_accounting else survey


def groups_of(user: str) -> frozenset[str]:
    """Return the groups of *user* on this machine, none if nobody is called so."""
    try:
        primary = pwd.getpwnam(user).pw_gid
    except KeyError:
        return frozenset()
    names = {group.gr_gid: group.gr_name for group in grp.getgrall()}
    return frozenset(names[each] for each in os.getgrouplist(user, primary) if each in names)


def _with_accounting(run: Run, survey: Survey) -> Survey:
    """Return *survey* with what the accounting says; where it enforces nothing, a user who may not ask it needs no answer."""
    try:
        return replace(
            survey,
            qos=accounting.read_qos(run(questions.ask_qos(), "")),
            associations=accounting.read_associations(
                run(questions.ask_associations(survey.user, configuration.cluster_name(survey.settings)), "")
            ),
        )
    except SlurmRefused:
        if survey.enforced:
            raise
        return survey
