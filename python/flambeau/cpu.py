"""The CPU as a device: one, always there, with one stream that everything is done in at once."""

import contextlib

__all__ = [
    "Event",
    "Stream",
    "StreamContext",
    "current_device",
    "current_stream",
    "device_count",
    "is_available",
    "is_initialized",
    "set_device",
    "stream",
    "synchronize",
]


def is_available():
    """True."""
    return True


def is_initialized():
    """True."""
    return True


def device_count():
    """1."""
    return 1


def current_device():
    """ "cpu"."""
    return "cpu"


def set_device(device):
    """Does nothing: there is one."""


def synchronize(device=None):
    """Does nothing: calls return when their work is done."""


class Stream:
    """The order of work: that of the calls."""

    def __init__(self, priority=-1):
        pass

    def wait_stream(self, stream):
        """Returns at once: the other's work is done."""

    def record_event(self):
        """Returns at once: the work is done."""

    def wait_event(self, event):
        """Returns at once: the event has happened."""


class Event:
    """A mark in a stream, reached when it is made."""

    def query(self):
        """True."""
        return True

    def record(self, stream=None):
        """Nothing is to be waited for."""

    def synchronize(self):
        """Nothing is to be waited for."""

    def wait(self, stream=None):
        """Nothing is to be waited for."""


_current = Stream()


def current_stream(device=None):
    """The stream."""
    return _current


class StreamContext(contextlib.AbstractContextManager):
    """Context manager: the current stream for a block."""

    def __init__(self, stream):
        self.stream = stream

    def __enter__(self):
        global _current
        if self.stream is not None:
            self.before, _current = _current, self.stream

    def __exit__(self, type, value, traceback):
        global _current
        if self.stream is not None:
            _current = self.before


def stream(stream):
    """:class:`StreamContext`."""
    return StreamContext(stream)
