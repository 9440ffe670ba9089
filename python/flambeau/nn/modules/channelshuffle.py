"""Channels interleaved."""

from .. import functional as F
from .module import Module

__all__ = ["ChannelShuffle"]


class ChannelShuffle(Module):
    """Split the channels (dimension 1) into `groups` and interleave them (Zhang et al., 2018)."""

    __constants__ = ["groups"]

    def __init__(self, groups):
        super().__init__()
        self.groups = groups

    def forward(self, input):
        """Rearrange."""
        return F.channel_shuffle(input, self.groups)

    def extra_repr(self):
        """The argument."""
        return f"groups={self.groups}"
