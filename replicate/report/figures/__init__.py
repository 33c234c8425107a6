"""Figures of an experiment: the paper's own where a study has one, else the published table as a figure."""
