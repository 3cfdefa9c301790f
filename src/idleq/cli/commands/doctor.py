"""`idleq doctor`: whether idleq can work here."""

import typer

from idleq.cli.options import session_of
from idleq.cli.result import Result, Table


def doctor(context: typer.Context) -> Result:
    """Check this machine and the server directory; the exit code is 1 if something is a problem."""
    from idleq.cli.checks import Health, all_checks

    checks = list(all_checks(session_of(context)))
    problems = [check.name for check in checks if check.health is Health.PROBLEM]
    table = Table(
        columns=("CHECK", "HEALTH", "FOUND", "WHAT TO DO"),
        rows=[(check.name, check.health.value, check.found, check.advice) for check in checks],
    )
    verdict = f"To be put right: {', '.join(problems)}" if problems else "idleq can work here."
    value = {"healthy": not problems, "checks": checks}
    return Result(value=value, text=(table, verdict), ids=tuple(problems), code=1 if problems else 0)
