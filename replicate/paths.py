"""Where the configuration lies: beside the package in a checkout, inside it in an installed wheel."""

from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent


@cache
def conf_dir() -> Path:
    """The folder of config.yaml, experiment/, recipe/ and launcher/."""
    checkout = PACKAGE.parent / "conf"
    return checkout if (checkout / "config.yaml").exists() else PACKAGE / "conf"
