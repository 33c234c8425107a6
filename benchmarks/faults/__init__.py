"""The fault campaign: a small sweep is killed, starved and damaged in every way we know, and run again each time.

    python -m benchmarks.faults            # 200 faults and more, writes docs/faults.md
    python -m benchmarks.faults --each 1   # one of each kind, writes nothing

The store must end as if nothing had happened, and no batch may be trained twice that a checkpoint already held.
"""
