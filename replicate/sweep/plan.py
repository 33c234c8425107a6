"""What an experiment will cost before anything is run. Every time comes from :mod:`replicate.sweep.costs`."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from replicate.experiments.duration import spoken
from replicate.experiments.experiment import Experiment, load_experiment
from replicate.experiments.run_config import Run
from replicate.runs.committed import available_records
from replicate.runs.records import Record
from replicate.runs.store import RunStore
from replicate.sweep.costs import CostBook
from replicate.sweep.executors import workers_of
from replicate.sweep.select import selected

GPU_PEAK = {"V100 (fp32)": 15.7e12, "A100 (TF32)": 156e12, "H100 (TF32)": 495e12}  # FLOP/s, NVIDIA's data sheets, dense
GPU_SHARE = 0.25  # of the peak; convolutional training reaches 15 to 40 %


@dataclass(frozen=True)
class Plan:
    """Sums over the planned runs. Times are in seconds; `memory_bytes` is that of the largest run's training step.

    measured: runs whose time is that of other seeds on record; the others' is a guess from their operations.
    """

    experiment: str
    scale: str
    runs: int
    workers: int
    measured: int
    training_images: int
    training_flops: float
    disk_bytes: int
    memory_bytes: int
    seconds_here: float
    seconds_on: dict[str, float]
    header: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def as_text(self) -> str:
        gpus = ", ".join(f"{name} {spoken(seconds)}" for name, seconds in self.seconds_on.items())
        lines = [f"{self.experiment} at {self.scale} scale: {self.runs} runs, {self.workers} at a time"]
        if self.training_flops:
            lines += [
                f"training images   {self.training_images:,}",
                f"operations        {self.training_flops:.3g} FLOP (forward and backward)",
                f"disk              {self.disk_bytes / 1e6:,.1f} MB of weights and checkpoints",
                f"memory            {self.memory_bytes / 1e9:,.2f} GB a run at least, in float32",
            ]
        lines.append(f"on this machine   {spoken(self.seconds_here)} ({self.basis})")
        if self.training_flops:
            lines.append(f"on one GPU        {gpus} (a guess: {GPU_SHARE:.0%} of the data sheet's peak; not measured)")
        return "\n".join([*lines, f"its file says     {self.header}"])

    @property
    def basis(self) -> str:
        """Where the time here comes from."""
        if self.measured == self.runs:
            return "measured: other seeds are on record"
        guess = "a guess from operations and the speed of other runs"
        return f"{self.measured} of {self.runs} runs measured, the rest {guess}" if self.measured else guess


def make_plan(name: str, overrides: Sequence[str], results: Path) -> Plan:
    """Add up what the runs of experiment `name` will take. Raises UserError as running it would."""
    experiment = load_experiment(name, overrides)
    records = available_records(experiment, RunStore(experiment.runs_dir), results)
    return plan_of(experiment, selected(experiment, overrides), records)


def plan_of(experiment: Experiment, runs: Sequence[Run], records: Sequence[Record]) -> Plan:
    """The plan of these runs; `records` tell what runs took."""
    from replicate.experiments.catalogue import find

    costs = CostBook()
    costs.learn(records)
    works, estimates = [costs.work_of(run) for run in runs], [costs.estimate(run) for run in runs]
    flops, workers = sum(work.flops for work in works), workers_of(experiment)
    longest = max((estimate.seconds for estimate in estimates), default=0.0)
    return Plan(
        experiment=experiment.name,
        scale=experiment.scale,
        runs=len(runs),
        workers=min(workers, max(len(runs), 1)),
        measured=sum(estimate.measured for estimate in estimates),
        training_images=sum(work.images for work in works),
        training_flops=flops,
        disk_bytes=sum(work.bytes for work in works),
        memory_bytes=max((work.memory for work in works), default=0),
        seconds_here=max(sum(estimate.seconds for estimate in estimates) / workers, longest),
        seconds_on={gpu: flops / (peak * GPU_SHARE) for gpu, peak in GPU_PEAK.items()},
        header=find(experiment.name).cost[experiment.scale],
    )
