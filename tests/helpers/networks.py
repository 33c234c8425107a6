"""Two small networks to train: one in which images of a batch meet, one in which they do not."""

import torch
from torch import nn


class NoisyNet(nn.Module):
    """Dropout, batch statistics and momentum: whatever an inexact resume could get wrong."""

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(in_channels, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.5), nn.AdaptiveAvgPool2d(2),
            nn.Flatten(), nn.Linear(32, num_classes),
        )  # fmt: skip

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.net(images)


class SmoothNet(nn.Sequential):
    """Neither dropout nor batch statistics: images do not meet."""

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, num_classes)
        )
