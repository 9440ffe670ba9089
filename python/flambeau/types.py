"""Names for annotations."""

import os
from typing import IO, Union

from . import device, dtype
from .storage import TypedStorage, UntypedStorage

Number = int | float | bool
Device = device | str | int | None
_dtype = dtype
_device = device
FileLike = Union[str, os.PathLike[str], IO[bytes]]
Storage = TypedStorage | UntypedStorage
