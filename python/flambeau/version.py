"""Version of the package; ``cuda`` and the like are None, since no such backend is built in."""

from . import __version__

cuda = None
hip = None
rocm = None
xpu = None
debug = False
git_version = "unknown"
