"""How far a guest is that works and now and then stands still to save: reckoned, not stepped through."""

from msgspec import Struct
from msgspec.structs import replace

from idleq.ids import Millis


class Work(Struct, frozen=True, gc=False):
    """Where a guest stands.

    Attributes:
        done_ms: what it has done in all.
        saved_ms: how much of that its newest save holds.
        saves: how many saves it has made.
        save_left_ms: how much longer the save takes that it stands still for; 0 if it works.
    """

    done_ms: Millis
    saved_ms: Millis
    saves: int = 0
    save_left_ms: Millis = Millis(0)

    def after(self, elapsed: Millis, every_ms: Millis | None, save_ms: Millis) -> "Work":
        """Return where it stands *elapsed* later if it works now and saves after each *every_ms* of work (None: never)."""
        if self.save_left_ms:
            if elapsed < self.save_left_ms:
                return replace(self, save_left_ms=Millis(self.save_left_ms - elapsed))
            safe = Work(self.done_ms, self.done_ms, self.saves + 1)
            return safe.after(Millis(elapsed - self.save_left_ms), every_ms, save_ms)
        wait = elapsed + 1 if every_ms is None else max(0, every_ms - (self.done_ms - self.saved_ms))
        if every_ms is None or elapsed < wait:
            return Work(Millis(self.done_ms + elapsed), self.saved_ms, self.saves)
        rounds, rest = divmod(elapsed - wait, every_ms + save_ms)
        done = self.done_ms + wait + rounds * every_ms
        if rest < save_ms:
            saved = self.saved_ms if rounds == 0 else Millis(done - every_ms)
            return Work(Millis(done), saved, self.saves + rounds, Millis(save_ms - rest))
        return Work(Millis(done + rest - save_ms), Millis(done), self.saves + rounds + 1)

    def time_for(self, work_ms: Millis, every_ms: Millis | None, save_ms: Millis) -> Millis:
        """Return how long *work_ms* more take, the saves in between included."""
        if every_ms is None:
            return Millis(self.save_left_ms + work_ms)
        unsaved = 0 if self.save_left_ms else self.done_ms - self.saved_ms
        wait = max(0, every_ms - unsaved)
        saves = 0 if work_ms <= wait else 1 + (work_ms - wait - 1) // every_ms
        return Millis(self.save_left_ms + work_ms + saves * save_ms)

    def time_to_save(self, every_ms: Millis, save_ms: Millis) -> Millis:
        """Return how long it takes until the next save is over."""
        if self.save_left_ms:
            return self.save_left_ms
        return Millis(max(0, every_ms - (self.done_ms - self.saved_ms)) + save_ms)
