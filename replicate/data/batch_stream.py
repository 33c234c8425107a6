"""The whole training as one sequence of batches, so that it can resume at any batch."""

from collections.abc import Iterator

from replicate.data.epochs import Batch, ResumableLoader


class Stream:
    """`batches` batches, epoch after epoch. Lightning saves and restores the position through the state_dict."""

    def __init__(self, loader: ResumableLoader, batches: int) -> None:
        self.loader, self.batches, self.position = loader, batches, 0

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[Batch]:
        while self.position < self.batches:
            epoch, batch = divmod(self.position, len(self.loader))
            for images_and_labels in self.loader.batches(epoch, batch):
                if self.position >= self.batches:
                    return
                self.position += 1  # before the yield: a checkpoint taken at this batch counts it as done
                yield images_and_labels

    def state_dict(self) -> dict[str, int]:
        return {"position": self.position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.position = state["position"]
