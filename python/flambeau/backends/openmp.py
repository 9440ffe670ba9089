"""OpenMP is not used."""


def is_available():
    """False: flambeau has a thread pool of its own."""
    return False
