"""Names for annotations."""

from . import device, dtype

Number = int | float | bool
Device = device | str | int | None
_dtype = dtype
_device = device
