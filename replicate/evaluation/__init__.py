"""Evaluation of trained networks: the views of an image they see, and how their answers are combined."""
