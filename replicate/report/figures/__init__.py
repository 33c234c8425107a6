"""Figures of an experiment: the paper's own where a study has one, else the published table as a figure."""

from replicate.report.findings import Findings


def has_own_figure(findings: Findings) -> bool:
    """Whether its figure is another than the table drawn as dots."""
    from replicate.report.figures.draw import own_figure  # here, since matplotlib takes a second to import

    return own_figure(findings) is not None
