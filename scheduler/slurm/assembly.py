"""The parts of a site's Slurm, put together as the configuration says."""

import getpass
import secrets
import shutil
from functools import partial
from pathlib import Path

from idleq.ids import AllocationId, Millis
from idleq.scheduler.atomic import write_atomically
from idleq.scheduler.config import SlurmSettings
from idleq.scheduler.core.policy import Policy
from idleq.scheduler.paths import ServerPaths
from idleq.scheduler.ports import Clock
from idleq.scheduler.slurm import configuration, questions
from idleq.scheduler.slurm.batch import SiteSettings, server_name
from idleq.scheduler.slurm.cluster import Agent, SlurmCluster
from idleq.scheduler.slurm.commandline import CommandLine, run
from idleq.scheduler.slurm.rest import Http, Rest
from idleq.scheduler.slurm.site import Site
from idleq.scheduler.slurm.token import TokenFile
from idleq.scheduler.slurm.users import AsUsers, UserTokens

SEAL_BYTES = 32


def slurm_cluster(
    settings: SlurmSettings,
    policy: Policy,
    paths: ServerPaths,
    agent: Agent,
    clock: Clock,
    *,
    serves_site: bool = False,
) -> SlurmCluster:
    """Return the site's Slurm; *agent* is what an allocation runs. A daemon that *serves_site* submits in each user's name.

    Raises:
        SlurmHidesJobs: gaps would look larger than they are.
        SlurmAway, SlurmRefused, SlurmTokenUnusable: it cannot be asked.
    """
    site = SiteSettings(
        server=server_name(paths.root),
        user=getpass.getuser(),
        partition=settings.partition,
        window_partition=settings.window_partition,
        mode=policy.mode,
        qos=settings.qos,
        account=settings.account,
        features=settings.features,
        shares_nodes=settings.nodes == "shared",
        folder="" if serves_site else str(paths.root),
        secret=_seal_of(paths) if serves_site else b"",
    )
    way, site_says = _way_to_slurm(settings, paths, site.user, clock)

    def ticket(allocation: AllocationId) -> str:
        return paths.allocation(allocation).token.read_text(encoding="ascii") if serves_site else ""

    if serves_site:
        way = _as_users(way, settings, clock)
    bound = Millis(policy.grace_ms + configuration.scheduling_cycle_ms(site_says) + settings.epilog_ms)
    lease = Millis(policy.lease_ms + policy.margin_ms)
    return SlurmCluster(way, site, clock, agent, lease_ms=lease, bound_ms=bound, ticket=ticket)


def _as_users(own: Site, settings: SlurmSettings, clock: Clock) -> AsUsers:
    """Return the Slurm that *own* shows, where jobs are submitted by their users; the daemon's user may make tokens for all."""
    seconds = settings.token_life_ms // 1000
    tokens = UserTokens(lambda user: run(questions.ask_token(seconds, user), ""), clock)
    folders = folders_of_srun(settings.bin, shutil.which("srun"))
    return AsUsers(own, lambda user: Rest(Http(settings.rest, user, partial(tokens.of, user)), folders))


def _seal_of(paths: ServerPaths) -> bytes:
    """Return the secret of this server directory; a daemon that takes over finds it there."""
    if not paths.seal.exists():
        write_atomically(paths.seal, secrets.token_bytes(SEAL_BYTES), mode=0o600)
    return paths.seal.read_bytes()


def _way_to_slurm(settings: SlurmSettings, paths: ServerPaths, user: str, clock: Clock) -> tuple[Site, dict[str, str]]:
    """Return slurmrestd, or Slurm's commands where none is named; and the site's settings, which only those commands show."""
    site_says: dict[str, str] = {}
    if not settings.rest or shutil.which("scontrol"):
        site_says = configuration.read_configuration(run(questions.ask_configuration(), ""))
        configuration.check_that_all_is_shown(site_says)
    if not settings.rest:
        return CommandLine(questions.Format(settings.format), wants_features=bool(settings.features)), site_says
    token = TokenFile(
        paths.root / Path(settings.token_file).expanduser() if settings.token_file else paths.slurm_token,
        clock,
        lambda: run(questions.ask_token(settings.token_life_ms // 1000), ""),
        settings.token_life_ms,
    )
    token()  # nothing is begun with one that will not do
    return Rest(Http(settings.rest, user, token), folders_of_srun(settings.bin, shutil.which("srun"))), site_says


def folders_of_srun(named: str, here: str | None) -> list[str]:
    """Return where srun may lie on the nodes: as the configuration *named* it, and as on this machine, if it is *here*."""
    return [folder for folder in (named, str(Path(here).parent) if here else "") if folder]
