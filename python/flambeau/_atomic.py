"""Files that are replaced only once their new contents are complete."""

import os
from contextlib import contextmanager


@contextmanager
def replacing(path):
    """A binary file to write to, which takes the place of ``path`` at the end of the ``with`` block.

    What was there before stays if the block raises, or if the process or the machine stops in it. A path that
    is no plain file (a pipe, a device) is written to directly; through a link the file it points to is
    replaced.

    Raises:
        OSError: if the folder cannot be written to.
    """
    path = os.path.realpath(os.fspath(path))
    if os.path.exists(path) and not os.path.isfile(path):
        with open(path, "wb") as file:
            yield file
        return
    folder, name = os.path.split(path)
    # In the same folder, so that it can be moved into place; of a length that any name allows.
    suffix = f".{os.getpid()}-{os.urandom(4).hex()}.tmp"
    part = os.path.join(folder, _shortened(name, 255 - len(suffix)) + suffix)
    file = open(part, "xb")
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        try:
            # Permissions stay as they were; for a new file they are those that open gave.
            os.chmod(part, os.stat(path).st_mode & 0o7777)
        except FileNotFoundError:
            pass
        os.replace(part, path)
    except BaseException:
        try:
            os.unlink(part)
        except OSError:
            pass
        raise


def _shortened(name, length):
    while len(os.fsencode(name)) > length:
        name = name[:-1]
    return name
