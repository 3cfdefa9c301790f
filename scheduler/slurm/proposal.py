"""What config.toml should say at a site, and why: pure, from a survey of it."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from idleq.ids import Millis
from idleq.scheduler.core.commands import Mode
from idleq.scheduler.core.policy import MINUTE, SECOND, Policy
from idleq.scheduler.slurm.configuration import check_that_all_is_shown
from idleq.scheduler.slurm.place import Place, choose_place
from idleq.scheduler.slurm.questions import Format
from idleq.scheduler.slurm.survey import Preemption, Survey
from idleq.scheduler.units import format_duration, format_size

POLICY = Policy()

SHOWN_KINDS = 5

MANY_NODES = 1000
"""Of so many each look is megabytes of JSON, which the controller has to write."""

SELDOM_MS, OFTEN_MS, SOONEST_MS = Millis(15 * SECOND), Millis(5 * SECOND), Millis(1 * SECOND)

WINDOW_MS = Millis(30 * MINUTE)
"""Nobody takes a window back, so its length is the harm that it can do."""

OWN_QOS = "idleq"
LONGEST_GRACE_S = 60
"""What is proposed for a QOS of its own: most guests are frozen within it, and main jobs wait no longer than this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One line of config.toml, and why it is so."""

    section: str
    key: str
    value: str | int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What is proposed for a site.

    Attributes:
        cluster: the site's name for itself.
        version: of its Slurm.
        user: who will submit.
        nodes: what nodes there are.
        settings: what config.toml should say.
        notes: what is to be minded, in sentences.
        commands: what the site's admin would type so that guests have a QOS of their own that is not charged; none if there is one.
    """

    cluster: str
    version: str
    user: str
    nodes: str
    settings: tuple[Setting, ...]
    notes: tuple[str, ...]
    commands: tuple[str, ...]


def propose(survey: Survey) -> Proposal:
    """Return what idleq should be told about the site.

    Raises:
        SlurmHidesJobs: gaps would look larger than they are.
        SlurmUnfit: there is no way to run guests there; the message says what would have to change.
    """
    check_that_all_is_shown(survey.settings)
    place = choose_place(survey)
    return Proposal(
        cluster=survey.settings.get("ClusterName", ""),
        version=survey.settings.get("SLURM_VERSION", ".".join(map(str, survey.version))),
        user=survey.user,
        nodes=_kinds_of_nodes(survey),
        settings=(_TRANSPORT, *_policy(place), *_cluster(survey, place)),
        notes=tuple(_notes(survey, place)),
        commands=tuple(own_qos(survey, place)),
    )


def _kinds_of_nodes(survey: Survey) -> str:
    """Return what nodes there are, the most frequent kind first."""
    kinds = Counter(node.capacity for node in survey.nodes)
    return "; ".join(
        f"{count} with {kind.cores} cores, {format_size(kind.memory)}{f', {kind.gpus} GPUs' if kind.gpus else ''}"
        for kind, count in kinds.most_common(SHOWN_KINDS)
    ) + ("; and others" if len(kinds) > SHOWN_KINDS else "")


_TRANSPORT = Setting(
    section="server",
    key="transport",
    value="spool",
    reason="Agents and daemon talk by files, so nodes need not reach the login node's ports.",
)


def _policy(place: Place) -> Iterator[Setting]:
    yield Setting(section="policy", key="mode", value=place.mode.value, reason=place.why_mode)
    if place.mode is Mode.PREEMPTIBLE:
        yield Setting(
            section="policy",
            key="grace",
            value=format_duration(Millis(place.grace_s * SECOND)),
            reason=f"From the signal to the end, as {place.grace_source} has it (GraceTime).",
        )
    longest, why = _longest(place)
    if why:
        yield Setting(section="policy", key="max_allocation", value=format_duration(longest), reason=why)
    if longest < POLICY.min_gap_ms:
        yield Setting(
            section="policy",
            key="min_gap",
            value=format_duration(longest),
            reason="No longer than an allocation may be.",
        )
    jobs, source = place.limits.max_jobs, place.limits.jobs_source
    if jobs is not None and jobs // 2 < POLICY.max_pending:
        yield Setting(
            section="policy",
            key="max_pending",
            value=max(1, jobs // 2),
            reason=f"Half of the {jobs} jobs that a user may have there ({source}); those that run count too.",
        )


def _longest(place: Place) -> tuple[Millis, str]:
    """Return how long an allocation may be, and why; no reason if it is as long as everywhere."""
    longest, why = POLICY.max_allocation_ms, ""
    if place.mode is Mode.WINDOW:
        longest, why = WINDOW_MS, "So long at most can a main job that nobody foresaw wait for a window to end."
    minutes = place.limits.max_minutes
    if minutes is not None and minutes * MINUTE < longest:
        return Millis(minutes * MINUTE), f"Nothing may run longer there ({place.limits.max_source})."
    return longest, why


def _cluster(survey: Survey, place: Place) -> Iterator[Setting]:
    yield Setting(section="cluster", key="kind", value="slurm", reason="")
    key = "partition" if place.mode is Mode.PREEMPTIBLE else "window_partition"
    yield Setting(section="cluster", key=key, value=place.partition, reason=place.why_partition)
    if place.qos:
        yield Setting(section="cluster", key="qos", value=place.qos, reason=place.why_qos)
    if place.account:
        yield Setting(section="cluster", key="account", value=place.account, reason=place.why_account)
    is_json = survey.form is Format.JSON
    yield Setting(
        section="cluster",
        key="format",
        value=survey.form.value,
        reason=f"Slurm {survey.version[0]}.{survey.version[1]:02} has {'the' if is_json else 'no'} plan in its JSON.",
    )
    poll, why = _poll(survey)
    yield Setting(section="cluster", key="poll", value=format_duration(poll), reason=why)


def _poll(survey: Survey) -> tuple[Millis, str]:
    count, cycle = len(survey.nodes), survey.backfill_s
    if count >= MANY_NODES:
        return SELDOM_MS, f"Each look at {count} nodes is work for the controller."
    if cycle * SECOND < 2 * OFTEN_MS:
        return max(SOONEST_MS, Millis(cycle * SECOND // 2)), f"The plan is made every {cycle} s (bf_interval)."
    return OFTEN_MS, f"The plan is made every {cycle} s (bf_interval), and nodes become free in between."


def _notes(survey: Survey, place: Place) -> Iterator[str]:
    if place.mode is Mode.WINDOW:
        yield (
            "Nobody takes nodes back here: a main job that comes unforeseen may wait for the rest of a window."
            " `idleq doctor` says what the admin would set so that guests give way."
        )
    elif place.grace_s == 0:
        yield "There is no grace: guests save now and then, and what they did since is lost when a main job comes."
    if place.kept_waiting:
        yield (
            f"Jobs in {' and '.join(place.kept_waiting)} take nothing back from guests: they may wait for"
            f" {format_duration(_longest(place)[0])}. `idleq doctor` says what the admin would set so that guests give way to them too."
        )
    if survey.preemption is not Preemption.NONE and "sched/backfill" not in survey.settings.get("SchedulerType", ""):
        yield "There is no plan (SchedulerType is not sched/backfill): no gap has an end that is known before it comes."
    if survey.settings.get("ProctrackType") != "proctrack/cgroup":
        yield "Without proctrack/cgroup Slurm cannot promise that nothing of a guest outlives its allocation."
    if not survey.has_accounting:
        yield "There is no accounting data base: nothing is charged, and there is no QOS to keep guests apart with."


def own_qos(survey: Survey, place: Place) -> Iterator[str]:
    """Yield the commands that make a QOS for guests that is not charged, unless they have one."""
    if not survey.has_accounting or place.is_free_of_charge:
        return
    names = [each.name for each in survey.qos]
    grace = place.grace_s or LONGEST_GRACE_S
    if OWN_QOS not in names:
        yield f"sacctmgr add qos {OWN_QOS}"
    yield f"sacctmgr modify qos {OWN_QOS} set UsageFactor=0 Priority=0 GraceTime={grace} MaxSubmitJobsPerUser=200"
    if survey.preemption is Preemption.QOS:
        for name in names:
            if name != OWN_QOS:
                yield f"sacctmgr modify qos {name} set Preempt+={OWN_QOS}"
    if survey.associations:  # of a user that the accounting does not know nothing can be changed, nor need it be
        yield f"sacctmgr modify user {survey.user} set qos+={OWN_QOS}"
