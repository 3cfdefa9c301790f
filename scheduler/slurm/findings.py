"""Whether a site's Slurm is as idleq, as it is configured, needs it; what is not comes with the lines that the admin would set. Pure."""

from collections.abc import Iterator, Sequence

from idleq.ids import Millis
from idleq.scheduler.config import SlurmSettings
from idleq.scheduler.core.commands import Mode
from idleq.scheduler.core.policy import SECOND, Policy
from idleq.scheduler.slurm import rights
from idleq.scheduler.slurm.configuration import hidden
from idleq.scheduler.slurm.finding import Finding, Weight
from idleq.scheduler.slurm.hostlist import expand
from idleq.scheduler.slurm.limits import grace_of
from idleq.scheduler.slurm.partitions import Partition, words_of
from idleq.scheduler.slurm.proposal import LONGEST_GRACE_S
from idleq.scheduler.slurm.questions import Format
from idleq.scheduler.slurm.survey import Preemption, Survey
from idleq.scheduler.units import format_duration, span

GUESTS = "guests"
"""How the partition for guests is called that is proposed."""

LOOKS = 3
"""Of an allocation that is over Slurm has to know how it ended for so many looks at least: some may fail."""


def findings(survey: Survey, settings: SlurmSettings, policy: Policy) -> Iterator[Finding]:
    """Yield what a site's Slurm is like for a daemon of these *settings*."""
    yield _version(survey, settings)
    yield _sight(survey)
    partition = _partition_of(survey, settings, policy)
    if partition is None:
        yield _no_partition(survey, settings, policy)
    else:
        yield _preemption(survey, settings, policy, partition)
        if policy.mode is Mode.PREEMPTIBLE:
            yield _grace(survey, settings, policy, partition)
        yield from rights.entry(survey, settings, partition)
        yield rights.limits(survey, settings, policy, partition)
        if settings.features and survey.form is Format.JSON:  # a survey in columns does not ask for features
            yield _kinds(survey, settings, partition)
    yield rights.account(survey, settings, partition)
    yield _plan(survey, policy)
    yield _containment(survey)
    yield _memory_of_ends(survey, settings)


def _version(survey: Survey, settings: SlurmSettings) -> Finding:
    found = f"Slurm {survey.settings.get('SLURM_VERSION', '.'.join(map(str, survey.version)))}"
    if settings.format == "json" and survey.form.value == "text":
        advice = 'set cluster.format = "text" in config.toml: this version has no plan in its JSON'
        return Finding(name="version", weight=Weight.PROBLEM, found=found, advice=advice)
    return Finding(name="version", found=found)


def _sight(survey: Survey) -> Finding:
    what = hidden(survey.settings)
    if not what:
        return Finding(name="what is shown", found="jobs, nodes and reservations of all")
    return Finding(
        name="what is shown",
        weight=Weight.PROBLEM,
        found=f"others' {' and '.join(sorted(what))} are hidden: gaps look larger than they are",
        advice="let the admin show them to every user, with this line",
        lines=(f"PrivateData={_without(survey.settings['PrivateData'], what)}",),
    )


def _without(words: str, hidden_words: frozenset[str]) -> str:
    return ",".join(word for word in words.lower().split(",") if word not in hidden_words)


def _partition_of(survey: Survey, settings: SlurmSettings, policy: Policy) -> Partition | None:
    """Return where allocations go; what is not set is Slurm's default."""
    name = settings.partition if policy.mode is Mode.PREEMPTIBLE else settings.window_partition
    return next((each for each in survey.partitions if (each.name == name if name else each.is_default)), None)


def _no_partition(survey: Survey, settings: SlurmSettings, policy: Policy) -> Finding:
    is_window = policy.mode is Mode.WINDOW
    key, name = ("window_partition", settings.window_partition) if is_window else ("partition", settings.partition)
    there = ", ".join(each.name for each in survey.partitions) or "none"
    found = f"there is no partition {name!r}" if name else "there is no default partition"
    return Finding(
        name="partition", weight=Weight.PROBLEM, found=found, advice=f"set cluster.{key} to one that there is: {there}"
    )


def _preemption(survey: Survey, settings: SlurmSettings, policy: Policy, partition: Partition) -> Finding:
    if not partition.starts_jobs:
        found, advice = (
            f"partition {partition.name} is {partition.state}: nothing starts there",
            "ask the admin when it is up",
        )
        return Finding(name="preemption", weight=Weight.PROBLEM, found=found, advice=advice)
    if policy.mode is Mode.WINDOW:
        return Finding(
            name="preemption",
            weight=Weight.WARNING,
            found=f"windows: a main job that nobody foresaw may wait for {span(policy.max_allocation_ms)}",
            advice="with these lines guests would give way; then `idleq init slurm --force`",
            lines=_preemption_lines(survey),
        )
    by_whom = _who_preempts(survey, settings, partition)
    if by_whom:
        return _partly(
            survey, settings, policy, partition, f"jobs in {' and '.join(by_whom)} take nodes back from guests"
        )
    where = f"QOS {settings.qos}" if survey.preemption is Preemption.QOS else f"partition {partition.name}"
    return Finding(
        name="preemption",
        weight=Weight.PROBLEM,
        found=f"nobody takes nodes back from {where}: guests would be in main jobs' way",
        advice='set policy.mode = "window", or let the admin set these lines',
        lines=_preemption_lines(survey),
    )


def _who_preempts(survey: Survey, settings: SlurmSettings, partition: Partition) -> Sequence[str]:
    match survey.preemption:
        case Preemption.PARTITIONS:
            return [each.name for each in survey.preempting(partition)]
        case Preemption.QOS:
            mine = [each for each in survey.qos if each.name == settings.qos and survey.gives_way(each)]
            return [f"QOS {each.name}" for each in survey.qos if mine and settings.qos in each.preempts]
        case Preemption.NONE:
            return []


def _partly(survey: Survey, settings: SlurmSettings, policy: Policy, partition: Partition, found: str) -> Finding:
    """Return that nodes are taken back, and who could not: their jobs wait until a guest's allocation ends."""
    if survey.preemption is Preemption.QOS:
        names = [each.name for each in survey.qos_kept_waiting(settings.qos)]
        lines = [f"sacctmgr modify qos {name} set Preempt+={settings.qos}" for name in names]
        names = [f"QOS {name}" for name in names]
    else:
        names = [each.name for each in survey.kept_waiting(partition)]
        lines = [f"PartitionName={name} ... PriorityTier={partition.tier + 1} (or more)" for name in names]
    if not names:
        return Finding(name="preemption", found=found)
    return Finding(
        name="preemption",
        weight=Weight.WARNING,
        found=f"{found}, but those in {' and '.join(names)} do not: they may wait for {span(policy.max_allocation_ms)}",
        advice="let the admin set these lines for those that are main jobs",
        lines=tuple(lines),
    )


def _preemption_lines(survey: Survey) -> tuple[str, ...]:
    """Return what makes a partition for guests out of a site's own: each that shares its nodes needs a tier above it."""
    main = max(survey.partitions, key=lambda each: (each.is_default, each.node_count), default=None)
    its = [] if main is None else [main, *survey.beside(main)]
    raised = [f"PartitionName={each.name} ... PriorityTier=10 PreemptMode=OFF" for each in its if each.name != GUESTS]
    nodes = "ALL" if main is None else main.nodes
    return (
        "PreemptType=preempt/partition_prio",
        "PreemptMode=REQUEUE",
        *(raised or ("PartitionName=main ... PriorityTier=10 PreemptMode=OFF",)),
        f"PartitionName={GUESTS} Nodes={nodes} PriorityTier=1 PreemptMode=REQUEUE GraceTime={LONGEST_GRACE_S} MaxTime=4:00:00",
    )


def _grace(survey: Survey, settings: SlurmSettings, policy: Policy, partition: Partition) -> Finding:
    seconds, _who = grace_of(survey, partition, settings.qos)
    given = Millis(seconds * SECOND)
    line = (
        f"sacctmgr modify qos {settings.qos} set GraceTime={LONGEST_GRACE_S}"
        if survey.preemption is Preemption.QOS
        else f"PartitionName={partition.name} ... GraceTime={LONGEST_GRACE_S}"
    )
    if policy.grace_ms > given:
        return Finding(
            name="grace",
            weight=Weight.PROBLEM,
            found=f"Slurm gives {span(given)}, and policy.grace believes {span(policy.grace_ms)}: guests would die half frozen",
            advice=f'set policy.grace = "{format_duration(given)}", or let the admin give more',
            lines=(line,),
        )
    if given < policy.freeze_ms + policy.margin_ms:
        found = f"{span(given)}, less than a freeze takes ({span(policy.freeze_ms)}, by policy.freeze): guests save now and then instead"
        return Finding(
            name="grace", weight=Weight.WARNING, found=found, advice="more grace is less lost work", lines=(line,)
        )
    return Finding(
        name="grace", found=f"{span(given)} from SIGTERM, which Slurm sends to steps (as the agent is one), to the end"
    )


def _kinds(survey: Survey, settings: SlurmSettings, partition: Partition) -> Finding:
    """Whether there are nodes of the kind that is wanted."""
    names = frozenset(expand(partition.nodes))
    wanted = words_of(settings.features.replace(" ", ""))
    there = [node for node in survey.nodes if node.name in names]
    fitting = sum(wanted <= node.features for node in there)
    found = f"{fitting} of {len(there)} nodes in {partition.name} have {' and '.join(sorted(wanted))}"
    if fitting:
        return Finding(name="features", found=found)
    known = sorted(frozenset[str]().union(*(node.features for node in there)))
    advice = f"set cluster.features to some of: {', '.join(known) or 'none is known'}"
    return Finding(name="features", weight=Weight.PROBLEM, found=found, advice=advice)


def _plan(survey: Survey, policy: Policy) -> Finding:
    if "sched/backfill" in survey.settings.get("SchedulerType", ""):
        return Finding(name="plan", found=f"made every {survey.backfill_s} s (bf_interval)")
    return Finding(
        name="plan",
        weight=Weight.PROBLEM if policy.mode is Mode.WINDOW else Weight.WARNING,
        found="none is made (SchedulerType): no gap's end is known before it comes",
        advice="let the admin have jobs planned",
        lines=("SchedulerType=sched/backfill",),
    )


CONTAINMENT = (
    ("ProctrackType", "proctrack/cgroup", "ProctrackType=proctrack/cgroup"),
    ("TaskPlugin", "task/cgroup", "TaskPlugin=task/cgroup,task/affinity"),
    ("ConstrainCores", "yes", "ConstrainCores=yes        (cgroup.conf)"),
    ("ConstrainRAMSpace", "yes", "ConstrainRAMSpace=yes     (cgroup.conf)"),
)
"""A setting, the word that has to be in it, and the line that makes it so."""


def _containment(survey: Survey) -> Finding:
    missing = [line for key, word, line in CONTAINMENT if word not in survey.settings.get(key, "").split(",")]
    if not missing:
        return Finding(
            name="containment", found="guests stay in their allocation's control group, within its cores and memory"
        )
    return Finding(
        name="containment",
        weight=Weight.WARNING,
        found="a guest may outlive its allocation, or take more than its share",
        advice="let the admin set these lines",
        lines=tuple(missing),
    )


def _memory_of_ends(survey: Survey, settings: SlurmSettings) -> Finding:
    """Slurm forgets jobs that are over after MinJobAge; how they ended is asked of it until then."""
    said = survey.settings.get("MinJobAge", "").split(" ")[0]
    kept = Millis(int(said) * SECOND) if said.isdecimal() else None
    if kept is not None and kept < LOOKS * settings.poll_ms:
        found = f"Slurm forgets after {span(kept)} how a job ended, and idleq looks every {span(settings.poll_ms)}"
        return Finding(
            name="ended jobs",
            weight=Weight.WARNING,
            found=found,
            advice="look more often (cluster.poll), or let the admin set this line",
            lines=("MinJobAge=300",),
        )
    return Finding(
        name="ended jobs", found="are remembered long enough" if kept is not None else "it is not said how long"
    )
