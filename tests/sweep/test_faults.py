"""One fault of each quick kind, then the same command again: nothing lost, nothing different, nothing doubled."""

import subprocess
import sys
from pathlib import Path

from benchmarks.faults.kinds import KINDS, shortened


def test_the_short_campaign(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.faults", "--each", "1", "--short"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    quick = shortened(KINDS)
    assert len({kind.name for kind in KINDS}) == len(KINDS) >= 30
    told = [kind.name for kind in quick if f"| {kind.name} | 1 | 0 | 0 | 0 | 0 |" in done.stdout]
    left_out = [kind.name for kind in quick if kind.mounts and kind.name not in told]
    assert len(told) + len(left_out) == len(quick)
