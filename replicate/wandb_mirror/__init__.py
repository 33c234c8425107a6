"""A mirror of runs and finished sweeps in wandb; the run store stays the truth."""
