"""replicate: classic convolutional-network papers, replicated with an honest verdict."""

__version__ = "0.1.0"
