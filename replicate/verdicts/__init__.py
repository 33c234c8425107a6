"""Claims against measurements: pure functions from a tidy frame to verdicts, with the uncertainty of few seeds."""

from replicate.verdicts.exact import agrees_to_printed_digits
from replicate.verdicts.judge import judge, judge_all
from replicate.verdicts.samples import COLUMNS, collect
from replicate.verdicts.verdict import Outcome, Verdict

__all__ = ["COLUMNS", "Outcome", "Verdict", "agrees_to_printed_digits", "collect", "judge", "judge_all"]
