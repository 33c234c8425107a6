"""Convolutions themselves: the statements of the source documents as checks that run, and the algorithms they name."""
