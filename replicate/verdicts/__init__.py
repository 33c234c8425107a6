"""Claims against measurements: pure functions from a tidy frame to verdicts, with the uncertainty of few seeds."""

from replicate.verdicts.exact import agrees_to_printed_digits
from replicate.verdicts.frame import COLUMNS, UNREACHED, collect, final_values
from replicate.verdicts.judge import judge, judge_all, rows_needed
from replicate.verdicts.prior import Prior, fit_prior
from replicate.verdicts.verdict import Outcome, Verdict, answer_words

__all__ = [
    "COLUMNS",
    "UNREACHED",
    "Outcome",
    "Prior",
    "Verdict",
    "agrees_to_printed_digits",
    "answer_words",
    "collect",
    "final_values",
    "fit_prior",
    "judge",
    "judge_all",
    "rows_needed",
]
