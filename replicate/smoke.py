"""Every experiment and variant at smoke scale, in a folder that is gone afterwards."""

import tempfile
import time

from replicate.catalogue import catalogue
from replicate.launch import run_experiment


def smoke_all() -> int:
    """Run them all, one line each; how many runs failed."""
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for entry in catalogue():
            if "smoke" not in entry.scales:
                continue
            started = time.monotonic()
            words = ["scale=smoke", f"runs_dir={folder}", "wandb=disabled"]
            sweep = run_experiment(entry.name, words, quiet=True)
            failed += len(sweep.failed)
            state = f"{len(sweep.failed)} FAILED" if sweep.failed else "ok"
            print(f"{entry.name:28} {len(sweep.runs):3} runs  {time.monotonic() - started:5.1f} s  {state}", flush=True)
    return failed
