"""Sites as `idleq init slurm` sees them: what Slurm's commands said of the test cluster, set up in several ways."""

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from idleq.scheduler.slurm import questions
from idleq.scheduler.slurm.errors import SlurmError, SlurmRefused
from idleq.scheduler.slurm.questions import Format
from idleq.scheduler.slurm.survey import Survey
from idleq.scheduler.slurm.surveying import survey_site
from support.slurm import RECORDED

CLUSTER = "testbed"
"""What the recorded clusters are called."""

ANSWERS: Mapping[tuple[str, ...], str] = {
    tuple(questions.ask_version()): "version.txt",
    tuple(questions.ask_configuration()): "config.txt",
    tuple(questions.ask_partitions()): "partitions.txt",
    tuple(questions.ask_nodes(Format.JSON)): "nodes.json",
    tuple(questions.ask_nodes(Format.TEXT)): "nodes.txt",
    tuple(questions.ask_qos()): "qos.txt",
    tuple(questions.ask_associations("alice", CLUSTER)): "associations.txt",
}


def recorded_survey(version: str, site: str, *, accounting_error: SlurmError | None = None) -> Survey:
    """The survey of a recorded site, which alice made; its accounting answers with the error if there is one."""

    def run(argv: Sequence[str], _said: str) -> str:
        if accounting_error is not None and argv[0] == "sacctmgr":
            raise accounting_error
        path = RECORDED / version / site / ANSWERS[tuple(argv)]
        if not path.exists():
            raise SlurmRefused(f"{argv[0]}: You are not running a supported accounting_storage plugin")
        return path.read_text()

    return survey_site(run, "alice")


def make_programs(folder: Path, version: str, site: str, user: str) -> dict[str, str]:
    """Make programs in *folder* that answer as those of a recorded site did, whoever asks; return the environment that finds them."""
    cases: dict[str, list[str]] = {}
    for argv, name in ANSWERS.items():
        words = shlex.quote(" ".join(argv[1:]).replace("user=alice", f"user={user}"))
        path = RECORDED / version / site / name
        answer = f"cat {shlex.quote(str(path))}" if path.exists() else "echo none >&2; exit 1"
        cases.setdefault(argv[0], []).append(f"{words}) {answer};;")
    folder.mkdir()
    for program, answers in cases.items():
        script = folder / program
        unknown = "*) echo what? >&2; exit 1;;"
        script.write_text("\n".join(["#!/bin/sh", 'case "$*" in', *answers, unknown, "esac", ""]))
        script.chmod(0o755)
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
