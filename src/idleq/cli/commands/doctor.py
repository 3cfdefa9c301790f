"""`idleq doctor`: whether idleq can work here."""

import typer

from idleq.cli.options import session_of
from idleq.cli.result import Result, Table


def doctor(context: typer.Context) -> Result:
    """Check this machine, the server directory and the cluster; the exit code is 1 if something is a problem.

    Where config.toml names a Slurm cluster, what is missing there comes with the lines that its admin would set. Inside an
    allocation it checks the node.
    """
    from idleq.cli.checks import Health, all_checks
    from idleq.cli.slurmchecks import is_on_a_node, slurm_checks

    session = session_of(context)
    is_on_node = is_on_a_node(session)
    checks = [*all_checks(session, is_on_node=is_on_node), *slurm_checks(session, is_on_node=is_on_node)]
    problems = [check.name for check in checks if check.health is Health.PROBLEM]
    table = Table(
        columns=("CHECK", "HEALTH", "FOUND", "WHAT TO DO"),
        rows=[(check.name, check.health.value, check.found, check.advice) for check in checks],
    )
    verdict = f"To be put right: {', '.join(problems)}" if problems else "idleq can work here."
    for_admin = [
        "\n".join(
            [
                f"{check.name}: the site's admin would set (in slurm.conf, but for what says otherwise)",
                *(f"    {line}" for line in check.lines),
            ]
        )
        for check in checks
        if check.lines
    ]
    value = {"healthy": not problems, "checks": checks}
    return Result(value=value, text=(table, *for_admin, verdict), ids=tuple(problems), code=1 if problems else 0)
