"""SummaryWriter: scalars, text and histograms over the steps of a training run."""

import os
import socket
import time

from ._record import bytes_field, double_field, doubles_field, float_field, int_field, record

__all__ = ["FileWriter", "SummaryWriter"]

_count = 0


class FileWriter:
    """One event file. A name tells its time, machine and process, so that runs in a folder do not collide.

    Args:
        log_dir (str): folder of the file, made if it is not there.
        filename_suffix (str): added to the name.
    """

    def __init__(self, log_dir, max_queue=10, flush_secs=120, filename_suffix=""):
        global _count
        self._logdir = str(log_dir)
        os.makedirs(self._logdir, exist_ok=True)
        parts = (f"{int(time.time()):010d}", socket.gethostname(), str(os.getpid()), str(_count))
        _count += 1
        self.path = os.path.join(self._logdir, "events.out.tfevents." + ".".join(parts) + filename_suffix)
        self._file = open(self.path, "wb")
        self._limit, self._seconds, self._waiting, self._flushed = max_queue, flush_secs, 0, time.time()
        self._write(double_field(1, time.time()) + bytes_field(3, "brain.Event:2"))
        self.flush()

    def _write(self, event):
        self._file.write(record(event))
        self._waiting += 1
        if self._waiting > self._limit or time.time() - self._flushed > self._seconds:
            self.flush()

    def get_logdir(self):
        """The folder of the file."""
        return self._logdir

    def add_value(self, value, global_step=None, walltime=None):
        """Write one encoded `Summary.Value`."""
        event = double_field(1, time.time() if walltime is None else walltime)
        if global_step is not None:
            event += int_field(2, int(global_step))
        self._write(event + bytes_field(5, bytes_field(1, value)))

    def flush(self):
        """Hand everything written to the system."""
        self._file.flush()
        self._waiting, self._flushed = 0, time.time()

    def close(self):
        """Close the file; closing again does nothing."""
        self._file.close()

    def closed(self):
        """Whether the file is closed."""
        return self._file.closed


def _number(value):
    return float(value.item() if hasattr(value, "item") else value)


class SummaryWriter:
    """Writes events into a folder that TensorBoard shows.

    Args:
        log_dir (str, optional): by default runs/<time>_<machine><comment>.
        comment (str): part of the default folder's name.
        filename_suffix (str): added to file names.
        max_queue, flush_secs: how many events, and for how long, may wait to be written.
    """

    def __init__(
        self, log_dir=None, comment="", purge_step=None, max_queue=10, flush_secs=120, filename_suffix=""
    ):
        if not log_dir:
            when = time.strftime("%b%d_%H-%M-%S")
            log_dir = os.path.join("runs", f"{when}_{socket.gethostname()}{comment}")
        self.log_dir = str(log_dir)
        self._options = (max_queue, flush_secs, filename_suffix)
        self.file_writer = None
        self.all_writers = {}
        self._get_file_writer()

    def _writer(self, log_dir):
        writer = self.all_writers.get(log_dir)
        if writer is None or writer.closed():
            writer = self.all_writers[log_dir] = FileWriter(log_dir, *self._options)
        return writer

    def _get_file_writer(self):
        self.file_writer = self._writer(self.log_dir)
        return self.file_writer

    def get_logdir(self):
        """The folder of the event files."""
        return self.log_dir

    def add_scalar(
        self, tag, scalar_value, global_step=None, walltime=None, new_style=False, double_precision=False
    ):
        """One number (a Python number or a tensor of one element) under `tag`."""
        value = bytes_field(1, tag) + float_field(2, _number(scalar_value))
        self._get_file_writer().add_value(value, global_step, walltime)

    def add_scalars(self, main_tag, tag_scalar_dict, global_step=None, walltime=None):
        """Several numbers in one chart: a folder, hence a curve, for each key."""
        base = self._get_file_writer().get_logdir()
        for tag, number in tag_scalar_dict.items():
            writer = self._writer(os.path.join(base, f"{main_tag.replace('/', '_')}_{tag}"))
            value = bytes_field(1, main_tag) + float_field(2, _number(number))
            writer.add_value(value, global_step, walltime)

    def add_text(self, tag, text_string, global_step=None, walltime=None):
        """A text in Markdown."""
        plugin = bytes_field(9, bytes_field(1, bytes_field(1, "text")))
        shape = bytes_field(2, bytes_field(2, int_field(1, 1)))
        tensor = int_field(1, 7) + shape + bytes_field(8, text_string)
        value = bytes_field(1, f"{tag}/text_summary") + bytes_field(8, tensor) + plugin
        self._get_file_writer().add_value(value, global_step, walltime)

    def add_histogram(self, tag, values, global_step=None, bins=30, walltime=None):
        """How the values of a tensor, array or list are spread, in `bins` ranges of equal width."""
        numbers = values.detach().double().flatten().tolist() if hasattr(values, "detach") else values
        numbers = [float(v) for v in (numbers.ravel() if hasattr(numbers, "ravel") else numbers)]
        if not numbers:
            raise ValueError("The input has no element.")
        low, high = min(numbers), max(numbers)
        width = (high - low) / bins or 1.0
        counts = [0] * bins
        for number in numbers:
            counts[min(int((number - low) / width), bins - 1)] += 1
        limits = [low + width * (i + 1) for i in range(bins)]
        moments = (low, high, len(numbers), sum(numbers), sum(v * v for v in numbers))
        histogram = b"".join(double_field(i + 1, v) for i, v in enumerate(moments))
        histogram += doubles_field(6, limits) + doubles_field(7, counts)
        value = bytes_field(1, tag) + bytes_field(5, histogram)
        self._get_file_writer().add_value(value, global_step, walltime)

    def flush(self):
        """Hand everything written to the system."""
        for writer in self.all_writers.values():
            if not writer.closed():
                writer.flush()

    def close(self):
        """Close all files; a later add opens a new one."""
        for writer in self.all_writers.values():
            writer.close()

    def __enter__(self):
        return self

    def __exit__(self, exc_type, exc_value, traceback):
        self.close()
