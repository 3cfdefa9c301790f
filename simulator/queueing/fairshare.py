"""Who has used how much of the machine lately: use fades away by half in every half-life."""

from math import exp, log


class Usage:
    """Decayed processor-seconds of each user, those of running jobs included, exact at every moment."""

    def __init__(self, half_life: int) -> None:
        self._rate = log(2) / half_life
        self._used: dict[int, float] = {}
        self._held: dict[int, int] = {}
        self._at: dict[int, int] = {}

    def hold(self, user: int, size: int, now: int) -> None:
        """Let *user* hold *size* more processors from *now* on (fewer if negative)."""
        self._used[user] = self.of(user, now)
        self._at[user] = now
        self._held[user] = self._held.get(user, 0) + size

    def know(self, user: int, now: int) -> None:
        """Count *user* among those who share the machine."""
        self._used.setdefault(user, 0.0)
        self._at.setdefault(user, now)

    def of(self, user: int, now: int) -> float:
        """Return what *user* has used, as it counts at *now*."""
        fading = exp(-self._rate * (now - self._at.get(user, now)))
        # A constant use over a time fades while it goes on: the integral of the decay.
        return self._used.get(user, 0.0) * fading + self._held.get(user, 0) * (1 - fading) / self._rate

    def factors(self, now: int) -> dict[int, float]:
        """Return 2^(-used share / fair share) of each user: 1 for those who used nothing, 0.5 at the fair share."""
        used = {user: self.of(user, now) for user in self._used}
        total = sum(used.values())
        if not total:
            return dict.fromkeys(used, 1.0)
        return {user: 2.0 ** (-(amount / total) * len(used)) for user, amount in used.items()}
