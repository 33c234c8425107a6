"""Layers and blocks that several papers share."""
