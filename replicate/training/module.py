"""The one LightningModule: a network, a recipe, and sums that stay on the device until the epoch ends."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from replicate.data.epochs import Plan
from replicate.data.random import derived_seed
from replicate.experiments.recipe import Recipe
from replicate.models.layers.auxiliary import AuxOutput
from replicate.training.optimizers import make_optimizer
from replicate.training.ranking import ranks

Batch = tuple[Tensor, Tensor]
Observer = Callable[["Classification", int], None]
"""Called after each step with the module and the number of steps done, and never between micro-batches, where a
checkpoint would lose their gradient. Lightning's own callbacks come before the end of the epoch is recorded: a
checkpoint would miss its row of the history."""
WARMUP_CHECK = 20  # steps between checks of the training error, each of which waits for the device


def seed_generators(value: int, device: torch.device) -> None:
    """Seed the CPU's generator and that of a GPU in use.

    Without a GPU torch.manual_seed would keep each call and its stack for a later start of CUDA: half a millisecond a
    step, and memory that only grows.
    """
    torch.default_generator.manual_seed(value)
    if device.type == "cuda":
        torch.cuda.manual_seed(value)


class Classification(pl.LightningModule):
    """Trains `network` to classify; `history` gets one row per finished epoch.

    Lightning sees the whole training as one stream of batches, so a batch's index is its place in the training.
    Before every batch torch's generator is seeded from (seed, index), so that dropout and stochastic depth resume
    exactly without a saved state. If `plan` cuts the recipe's batches, Lightning's batches are the micro-batches, and
    each loss is weighted so that a step follows the mean gradient over the recipe's batch. `average` follows the
    network's weights after every step, and is scored in its place.
    """

    def __init__(
        self,
        network: nn.Module,
        recipe: Recipe,
        seed: int,
        plan: Plan,
        validation: Iterable[Batch] | None = None,
        observers: Sequence["Observer"] = (),
        average: AveragedModel | None = None,
    ) -> None:
        super().__init__()
        self.network, self.recipe, self.seed = network, recipe, seed
        self.average = average
        self.plan, self.accumulate = plan, plan.share.micro_batches // plan.share.devices
        self.validation, self.observers = validation, observers
        self.history: list[dict[str, float]] = []
        self.warming = recipe.warmup.until_train_error is not None
        self.diverged = False
        self.begun = False  # whether a checkpoint, if there was one, has been taken over
        self.sums: Tensor
        self.register_buffer("sums", torch.zeros(3))  # loss, wrong answers, images of this epoch
        self.scores: Tensor
        self.register_buffer("scores", torch.zeros(4), persistent=False)  # loss, top-1, top-5 errors, images

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return make_optimizer(self.network, self.recipe)

    @property
    def tested(self) -> nn.Module:
        """The network that is scored."""
        return self.network if self.average is None else self.average.module

    @property
    def total_steps(self) -> int:
        """Steps of the whole training."""
        return int(self.trainer.num_training_batches) // self.accumulate

    def ends(self, done: int) -> bool:
        """Whether the training is over after `done` steps."""
        return done == self.total_steps or self.diverged

    def learning_rate(self, index: int) -> float:
        """The rate for the batch at `index`."""
        warmup = self.recipe.warmup
        if self.warming and warmup.lr is not None:
            return warmup.lr
        return self.recipe.learning_rate(index // self.accumulate, self.plan.steps)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        seed_generators(derived_seed(self.seed, "step", self.plan.place(batch_idx)), self.device)
        rate = self.learning_rate(batch_idx)
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = rate * group.get("rate", 1.0)  # a checkpoint of an older version has none

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        images, labels = batch
        outputs = self.network(images)
        logits = outputs.logits if isinstance(outputs, AuxOutput) else outputs
        smoothing = self.recipe.label_smoothing
        loss = F.cross_entropy(logits, labels, label_smoothing=smoothing)
        with torch.no_grad():
            wrong = (ranks(logits, labels) >= 1).sum()
            self.sums += torch.stack([loss * len(labels), wrong, wrong.new_tensor(len(labels))])
        if isinstance(outputs, AuxOutput):
            weight = float(self.network.auxiliary_weight)  # type: ignore[arg-type]  # every network with such heads has it
            for head in outputs.auxiliary:
                loss = loss + weight * F.cross_entropy(head, labels, label_smoothing=smoothing)
        return loss * self.plan.weight(batch_idx % len(self.plan))

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        done, more = divmod(batch_idx + 1, self.accumulate)
        if more:
            return
        if self.average is not None:
            self.average.update_parameters(self.network)
        if self.warming and done % WARMUP_CHECK == 0:
            self.warming = self.batch_error() >= (self.recipe.warmup.until_train_error or 0)
        if done % self.plan.steps == 0:
            self.end_epoch()
        for observe in self.observers:
            observe(self, done)

    def batch_error(self) -> float:
        """The training error of this epoch so far, in percent."""
        _, wrong, images = self.totals()
        return 100 * wrong / max(images, 1)

    def totals(self) -> list[float]:
        """The sums over all devices: loss, wrong answers, images."""
        sums = self.sums
        if self.plan.share.devices > 1:
            sums = self.trainer.strategy.reduce(sums.clone(), reduce_op="sum")
        return [float(value) for value in sums.tolist()]

    def end_epoch(self) -> None:
        """Turn the sums into a row of history; stop a training whose loss is not finite."""
        loss, wrong, images = self.totals()
        self.sums.zero_()
        self.history.append({"train_loss": loss / images, "train_error": 100 * wrong / images, **self.validate()})
        if not math.isfinite(loss):
            self.diverged = True
            self.trainer.should_stop = True

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Loss and errors on the validation images, if there are any, by the first device, in the trainer's precision.

        Lightning's validation loop would leave the row out after a resume at the end of an epoch.
        """
        if self.validation is None or self.plan.share.rank:
            return {}
        self.scores.zero_()
        self.tested.eval()
        precision = self.trainer.precision_plugin
        for images, labels in self.validation:
            batch = precision.convert_input((images.to(self.device), labels.to(self.device)))
            with precision.val_step_context():
                self.score(batch)
        self.tested.train()
        return {f"validation_{name}": value for name, value in self.rates().items()}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["replicate"] = {"history": self.history, "warming": self.warming, "diverged": self.diverged}
        checkpoint["state_dict"]["sums"] = self.all_gather(self.sums)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        state, sums = checkpoint["replicate"], checkpoint["state_dict"]["sums"]
        checkpoint["state_dict"]["sums"] = sums.view(-1, 3)[self.plan.share.rank]  # exactly those of this device
        self.history, self.warming, self.diverged = state["history"], state["warming"], state["diverged"]

    def on_train_start(self) -> None:
        self.begun = True
        self.trainer.should_stop = self.diverged  # the checkpoint may be of a training that has diverged

    def on_test_epoch_start(self) -> None:
        self.scores.zero_()

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        self.score(batch)

    def score(self, batch: Batch) -> None:
        """Add one batch to the scores. Images may carry several crops: (batch, crops, c, h, w), softmax averaged."""
        images, labels = batch
        if images.dim() == 5:
            logits = self.tested(images.flatten(0, 1)).softmax(1).view(*images.shape[:2], -1).mean(1).log()
        else:
            logits = self.tested(images)
        places = ranks(logits, labels)
        loss = F.cross_entropy(logits, labels, reduction="sum")
        self.scores += torch.stack([loss, (places >= 1).sum(), (places >= 5).sum(), loss.new_tensor(len(labels))])

    def rates(self) -> dict[str, float]:
        """Mean loss, error (top-1) and top-5 error in percent, since the scores were last reset."""
        loss, top1, top5, images = (float(value) for value in self.scores.tolist())
        return {"loss": loss / images, "error": 100 * top1 / images, "top5_error": 100 * top5 / images}
