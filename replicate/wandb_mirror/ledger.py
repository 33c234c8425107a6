"""What was written to which wandb project: so that nothing is sent twice, by whatever command."""

from pathlib import Path

from replicate.files import digest
from replicate.wandb_mirror.session import destination


class Ledger:
    """A text file for each server, entity and project: a line for each run that was written for it, with a digest."""

    def __init__(self, runs_dir: Path) -> None:
        self.path = runs_dir / "wandb" / f"mirrored-{digest(destination())[:12]}.txt"
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []
        self._written = dict(line.split(maxsplit=1) for line in lines if " " in line)

    def has(self, run: str, content: str) -> bool:
        """Whether the run was written with this content."""
        return self._written.get(run) == content

    def add(self, run: str, content: str) -> None:
        """Note that it was: at once, so that a command that is stopped goes on where it was."""
        self._written[run] = content
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{run} {content}\n")
