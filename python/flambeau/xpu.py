"""Intel's GPUs: no such backend."""


def is_available():
    return False


def device_count():
    return 0
