"""What code of a dataset can learn about the worker process it runs in."""

__all__ = ["WorkerInfo", "get_worker_info"]

_worker_info = None


class WorkerInfo:
    """Describes a worker process: ``id``, ``num_workers``, ``seed`` and its copy of the ``dataset``."""

    def __init__(self, **fields):
        self.__dict__.update(fields)

    def __repr__(self):
        fields = ", ".join(f"{name}={value}" for name, value in self.__dict__.items())
        return f"{type(self).__name__}({fields})"


def get_worker_info():
    """The :class:`WorkerInfo` of the worker process that calls, or None in the main process."""
    return _worker_info
