"""From an experiment's file and the command line to runs. Nothing here imports torch."""
