"""What is known of each job that was begun: its number, what it was told, and of which code. It lies in jobs.json."""

import json
import subprocess
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from bench.science.plan import Step

REPOSITORY = Path(__file__).parents[2]
RESULTS = Path("results")
"""Where options find results, from the place: it may lie elsewhere the next time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """One job.

    Attributes:
        job: as the daemon calls it.
        options: those of its workload; None where they were not recorded, which nothing is compared with.
        code: which commit it was begun of; empty where that was not recorded.
    """

    job: str
    options: Sequence[str] | None = None
    code: str = ""

    @classmethod
    def from_json(cls, value: str | Mapping[str, Any]) -> Self:
        """The inverse of `asdict`; earlier runs kept nothing but the job."""
        return cls(job=value) if isinstance(value, str) else cls(**value)


def read(path: Path) -> dict[str, Begun]:
    """What was begun, by the name of the step."""
    found: Mapping[str, str | Mapping[str, Any]] = json.loads(path.read_text()) if path.exists() else {}
    return {name: Begun.from_json(value) for name, value in found.items()}


def write(path: Path, begun: Mapping[str, Begun]) -> None:
    """Keep it, whole or not at all."""
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps({name: asdict(one) for name, one in begun.items()}))
    beside.replace(path)


def told(step: Step) -> list[str]:
    """The options of *step*, wherever the place lies."""
    return step.options({name: RESULTS / name for name in step.after})


def outdated(steps: Sequence[Step], begun: Mapping[str, Begun]) -> list[str]:
    """The steps that were told something else than now, and those that come after them; those last of all first."""
    found: list[str] = []
    for step in steps:
        one = begun.get(step.name)
        is_other = one is not None and one.options is not None and list(one.options) != told(step)
        if is_other or _any_in(step.after, found):
            found.append(step.name)
    return found[::-1]


def _any_in(names: Collection[str], found: Collection[str]) -> bool:
    return any(name in found for name in names)


def code() -> str:
    """The commit that is checked out, and whether there are changes but for those of the pages; empty where there is no checkout."""
    commit = _git("rev-parse", "--short=10", "HEAD")
    return f"{commit} + changes" if commit and _git("status", "--porcelain", "--", ".", ":!docs") else commit


def _git(*arguments: str) -> str:
    try:
        run = subprocess.run(["git", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return run.stdout.strip() if run.returncode == 0 else ""
