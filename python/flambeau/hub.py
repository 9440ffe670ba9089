"""Models by name: from a folder with a ``hubconf.py``, and weights by address. GitHub is not asked for
code."""

import hashlib
import importlib.util
import os
import re
import sys
import urllib.parse
import urllib.request
import uuid

import flambeau

__all__ = ["download_url_to_file", "get_dir", "help", "list", "load", "load_state_dict_from_url", "set_dir"]

_dir = None
_HASH = re.compile(r"-([a-f0-9]*)\.")


def get_dir():
    """The folder for downloads: what was set, else ``hub`` in ``$TORCH_HOME`` or in ``~/.cache/torch``."""
    if _dir is not None:
        return _dir
    home = os.getenv("TORCH_HOME", os.path.join(os.getenv("XDG_CACHE_HOME", "~/.cache"), "torch"))
    return os.path.join(os.path.expanduser(home), "hub")


def set_dir(d):
    """Sets the folder for downloads."""
    global _dir
    _dir = os.path.expanduser(d)


def _hubconf(folder, source="local"):
    if source not in ("github", "local"):
        raise ValueError(f'Unknown source: "{source}". Allowed values: "github" | "local".')
    if source == "github":
        raise NotImplementedError(
            "flambeau.hub does not download and run code; fetch the repository and pass its folder with "
            "source='local'"
        )
    folder = os.path.expanduser(folder)
    sys.path.insert(0, folder)
    try:
        spec = importlib.util.spec_from_file_location("hubconf", os.path.join(folder, "hubconf.py"))
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(folder)
    # A file that asks for "torch" is served by this package.
    asked = (m for m in getattr(module, "dependencies", []) if m != "torch")
    missing = [m for m in asked if importlib.util.find_spec(m) is None]
    if missing:
        raise RuntimeError(f"Missing dependencies: {', '.join(missing)}")
    return module


def _entry(module, model):
    if not isinstance(model, str):
        raise ValueError("Invalid input: model should be a string of function name")
    found = getattr(module, model, None)
    if not callable(found):
        raise RuntimeError(f"Cannot find callable {model} in hubconf")
    return found


def list(
    github, force_reload=False, skip_validation=False, trust_repo="check", verbose=True, *, source="github"
):
    """The names that a ``hubconf.py`` offers. NotImplementedError unless ``source`` is "local"."""
    module = _hubconf(github, source)
    return [name for name in dir(module) if callable(getattr(module, name)) and not name.startswith("_")]


def help(github, model, force_reload=False, skip_validation=False, trust_repo="check", *, source="github"):
    """The docstring of one of those names. NotImplementedError unless ``source`` is "local"."""
    return _entry(_hubconf(github, source), model).__doc__


def load(
    repo_or_dir,
    model,
    *args,
    source="github",
    trust_repo="check",
    force_reload=False,
    verbose=True,
    skip_validation=False,
    **kwargs,
):
    """Calls the function ``model`` of a folder's ``hubconf.py``.

    NotImplementedError for ``source="github"``: no code is downloaded. RuntimeError for a name that is not
    there.
    """
    return _entry(_hubconf(repo_or_dir, source), model)(*args, **kwargs)


def download_url_to_file(url, dst, hash_prefix=None, progress=True):
    """Downloads to a file, which appears when it is whole.

    RuntimeError if its SHA-256 does not begin with ``hash_prefix``. ``progress`` is accepted; nothing is
    shown.
    """
    dst = os.path.expanduser(dst)
    partial = f"{dst}.{uuid.uuid4().hex}.partial"
    digest = hashlib.sha256()
    request = urllib.request.Request(url, headers={"User-Agent": "flambeau.hub"})
    try:
        with urllib.request.urlopen(request) as source, open(partial, "xb") as target:
            while chunk := source.read(1 << 17):
                target.write(chunk)
                digest.update(chunk)
        digest = digest.hexdigest()
        if hash_prefix is not None and not digest.startswith(hash_prefix):
            raise RuntimeError(f'invalid hash value (expected "{hash_prefix}", got "{digest}")')
        os.replace(partial, dst)
    finally:
        if os.path.exists(partial):
            os.remove(partial)


def load_state_dict_from_url(
    url,
    model_dir=None,
    map_location=None,
    progress=True,
    check_hash=False,
    file_name=None,
    weights_only=False,
):
    """Loads a checkpoint from an address, downloading it once into ``model_dir`` (``checkpoints`` in
    :func:`get_dir`).

    Args:
        url (str): its address.
        check_hash (bool): the name of the file holds the beginning of its SHA-256, as in
            ``name-0123abcd.pth``.
        file_name (str): what to call it here.
        map_location, weights_only: as of :func:`flambeau.load`.
    """
    model_dir = os.path.join(get_dir(), "checkpoints") if model_dir is None else model_dir
    os.makedirs(model_dir, exist_ok=True)
    name = file_name or os.path.basename(urllib.parse.urlparse(url).path)
    path = os.path.join(model_dir, name)
    if not os.path.exists(path):
        sys.stderr.write(f'Downloading: "{url}" to {path}\n')
        found = _HASH.search(name) if check_hash else None
        download_url_to_file(url, path, found.group(1) if found else None, progress)
    return flambeau.load(path, map_location=map_location, weights_only=weights_only)
