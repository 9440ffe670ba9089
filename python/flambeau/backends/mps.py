"""Apple's Metal is not used."""


def is_available():
    """False."""
    return False


def is_built():
    """False."""
    return False


def is_macos13_or_newer():
    """False."""
    return False
