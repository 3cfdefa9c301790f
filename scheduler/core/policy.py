"""Every number that a site may want to change, each with the reason for its default."""

from dataclasses import dataclass

from idleq.ids import Millis
from idleq.scheduler.core.commands import Mode, Sharing

SECOND = Millis(1000)
MINUTE = Millis(60 * SECOND)
HOUR = Millis(60 * MINUTE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How the engine decides; all durations in milliseconds.

    Attributes:
        mode: how allocations give way to main jobs.
        sharing: whose jobs run in one allocation: "anybody"'s, or one "user"'s, as where allocations belong to users.
        grace_ms: what the site's scheduler gives a guest between the signal and the end.
        min_gap_ms: shorter gaps are left alone; starting and stopping would eat them.
        max_allocation_ms: no allocation is asked for longer than this, so that plans stay fresh and sites stay friendly.
        grain_ms: the site's scheduler counts the lengths of allocations in these and drops the rest, as Slurm does by minutes ("1m" where the cluster is Slurm's).
        begin_ms: what of an allocation is over before its agent takes guests; what is asked for is long enough without it ("15s" where the cluster is Slurm's).
        lease_ms: how long an agent goes on without hearing from the daemon.
        patience_ms: each time a job has waited this long it counts as one priority higher, so that nothing starves.
        linger_ms: how long an empty allocation is kept when nothing fits it, so that a stream of short jobs needs no new one.
        retry_ms: a failed workload is tried again after this, doubled each time.
        longest_retry_ms: the doubling ends here, so that a job that was mended is tried again the same day.
        stall_segments: after so many segments in a row without progress the job is held (no livelock).
        progress_ms: how often a job's progress is journalled; a journal that kept every step would grow by gigabytes.
        max_pending: never more allocations waiting in the site's queue.
        ramp_start: how many allocations are asked for at once at first; grows by half with each one granted, halves on refusal.
        window_wait_ms: a window that has not begun after this is given back, so that it never stands before a main job in the site's queue.
        slow_ms: after a refusal no allocation is asked for during this time.
        harm_limit_ms: the most that a main job may wait for guests to leave before idleq backs off; its bound (the grace, one scheduling cycle and the epilog) where it is not set.
        back_off_ms: backing off, no allocation is asked for during this time; twice as long for each other time in the last 24 hours, up to 64 times as long.
        max_array: the largest array that one submit may make.
        freeze_ms: how long a freeze takes as long as nothing has been measured.
        thaw_ms: how long a thaw takes as long as nothing has been measured.
        bandwidth: bytes a second that one node can count on writing to the shared file system.
        shared_bandwidth: bytes a second that the shared file system takes from all nodes together: at known ends no more of them write at once than that bears; 0 if it is no limit.
        generations: how many snapshots of a job are kept: the newest, and those to fall back to when one is damaged.
        margin_ms: kept free between a freeze's expected end and the gap's, for clocks and polls.
    """

    mode: Mode = Mode.PREEMPTIBLE
    sharing: Sharing = Sharing.ANYBODY
    grace_ms: Millis = Millis(30 * SECOND)
    min_gap_ms: Millis = Millis(5 * MINUTE)
    max_allocation_ms: Millis = Millis(4 * HOUR)
    grain_ms: Millis = Millis(1)
    begin_ms: Millis = Millis(3 * SECOND)
    lease_ms: Millis = Millis(2 * MINUTE)
    patience_ms: Millis = Millis(1 * HOUR)
    linger_ms: Millis = Millis(2 * SECOND)
    retry_ms: Millis = Millis(10 * SECOND)
    longest_retry_ms: Millis = Millis(1 * HOUR)
    stall_segments: int = 5
    progress_ms: Millis = Millis(10 * SECOND)
    max_pending: int = 20
    ramp_start: int = 3
    window_wait_ms: Millis = Millis(60 * SECOND)
    slow_ms: Millis = Millis(60 * SECOND)
    harm_limit_ms: Millis | None = None
    back_off_ms: Millis = Millis(10 * MINUTE)
    max_array: int = 1_000_000
    freeze_ms: Millis = Millis(10 * SECOND)
    thaw_ms: Millis = Millis(10 * SECOND)
    bandwidth: int = 200_000_000
    shared_bandwidth: int = 0
    generations: int = 2
    margin_ms: Millis = Millis(2 * SECOND)

    @property
    def writers(self) -> int:
        """How many nodes may write to the shared file system at once, where that is limited.

        Who writes at once gets equal parts, so a whole number does: the nearest, as each gets less than a node could write with one
        too many, and what one too few leave is of no use to anybody.
        """
        return max((2 * self.shared_bandwidth + self.bandwidth) // (2 * self.bandwidth), 1)

    @property
    def write_rate(self) -> int:
        """Bytes a second that one node can count on, while no more write than may."""
        if not self.shared_bandwidth:
            return self.bandwidth
        return min(self.bandwidth, self.shared_bandwidth // self.writers)

    def counted_ms(self, length_ms: Millis) -> Millis:
        """Return how long the site makes an allocation that could be so long."""
        grain = max(self.grain_ms, 1)
        return Millis(length_ms // grain * grain)

    def at_least_ms(self, length_ms: Millis) -> Millis:
        """Return the shortest that the site can make an allocation that must be so long."""
        grain = max(self.grain_ms, 1)
        return Millis(-(-length_ms // grain) * grain)

    def usable_ms(self, length_ms: Millis) -> Millis:
        """Return what jobs have of an allocation that could be so long."""
        return Millis(self.counted_ms(length_ms) - self.begin_ms)
