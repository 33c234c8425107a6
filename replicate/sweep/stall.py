"""When a sweep that waits for others gives up: no record, no checkpoint and no progress comes any more."""

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

from replicate.errors import UserError
from replicate.runs.store import RunStore
from replicate.sweep.execute import Job, State

ROUNDS = 5  # in which a run counts as done, and this process finds no record of it
PATIENCE = 6 * 3600.0  # seconds without a sign of life from those who hold the runs that are left


class Stall:
    """Looks after each round of a sweep whether anything has changed."""

    def __init__(self, store: RunStore) -> None:
        self.store = store
        self.unseen: dict[str, int] = {}
        self.signs: object = None
        self.since = time.monotonic()

    def look(self, pending: Sequence[Job], results: Mapping[str, State]) -> None:
        """Raise UserError, with the reason, for a sweep that no further round would bring on."""
        left = [job.run.id for job in pending]
        for run in left:
            self.unseen[run] = self.unseen.get(run, 0) + 1 if results.get(run) == "done" else 0
            if self.unseen[run] >= ROUNDS:
                raise UserError(
                    f"{run} was done {ROUNDS} times and has no record in {self.store.root}: "
                    "do the processes that do the runs see this folder?"
                )
        signs, now = {run: self.latest(run) for run in left}, time.monotonic()
        if signs != self.signs:
            self.signs, self.since = signs, now
        elif left and now - self.since > PATIENCE:
            raise UserError(
                f"{left[0]} is held by {self.store.holder(left[0])}, which gave no sign of life for "
                f"{PATIENCE / 3600:.0f} hours: end it, or remove {self.store.folder(left[0]) / 'lock'} if it is gone"
            )

    def latest(self, run: str) -> int:
        """When a file of the run last changed, in nanoseconds; 0 without any. Its lock changes with each look."""
        newest = 0
        with suppress(OSError), os.scandir(self.store.folder(run)) as entries:
            for entry in entries:
                if entry.name != "lock":
                    with suppress(OSError):
                        newest = max(newest, entry.stat(follow_symlinks=False).st_mtime_ns)
        return newest
