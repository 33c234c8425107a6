"""The command line, a file for each group of commands. Each command imports what it needs, when it runs."""

from replicate.cli.entry import app, main

__all__ = ["app", "main"]
