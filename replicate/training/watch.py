"""Reports of a training's progress and speed to the sweep and the tracker."""

import time

from replicate.runs.progress import Progress
from replicate.runs.task import Task
from replicate.training.module import Classification

SPEED_WINDOW = 20  # steps over which images/s are averaged


class Watch:
    """Reports to the sweep and the tracker how far the run is and how fast."""

    def __init__(self, task: Task, batch_size: int) -> None:
        self.task, self.batch_size = task, batch_size
        self.began = self.window = time.monotonic()
        self.before: int | None = None  # steps of earlier attempts
        self.marks: list[float] = []

    def __call__(self, module: Classification, done: int) -> None:
        self.before = done - 1 if self.before is None else self.before
        if done % SPEED_WINDOW == 0:
            now = time.monotonic()
            self.marks.append(SPEED_WINDOW * self.batch_size / (now - self.window))
            self.window = now
        total = module.total_steps
        if done % SPEED_WINDOW == 0 or done == total:
            self.task.report(self.progress(done, total, module))
        if done % module.plan.steps == 0:
            rate = module.learning_rate(done * module.accumulate - 1)
            values = {**module.history[-1], "lr": rate, "images_per_second": self.speed()}
            self.task.tracker.log(len(module.history), values)

    def progress(self, done: int, total: int, module: Classification) -> Progress:
        return Progress(
            done=done,
            total=total,
            epoch=len(module.history),
            epochs=-(-total // module.plan.steps),
            images_per_second=self.marks[-1] if self.marks else None,
            seconds=time.monotonic() - self.began,
            done_before=self.before or 0,
        )

    def speed(self) -> float | None:
        """The median images/s of this attempt."""
        return sorted(self.marks)[len(self.marks) // 2] if self.marks else None
