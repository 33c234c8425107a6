"""`python -m replicate.cli` is the command `replicate`."""

from replicate.cli.entry import main

if __name__ == "__main__":
    main()
