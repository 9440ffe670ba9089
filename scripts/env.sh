# Sourced by the other scripts: a virtual environment with what they need, and the package built into it.
# The checkout may be anywhere; nothing outside it is written.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

command -v cargo >/dev/null || { echo "flambeau builds with Rust: install it from https://rustup.rs" >&2; exit 1; }
PYTHON=${PYTHON:-$(command -v python3.11 || command -v python3)}
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "flambeau needs Python 3.11 or newer" >&2; exit 1; }

[ -x .venv/bin/python ] || "$PYTHON" -m venv .venv
PY=$PWD/.venv/bin/python

# pip is asked only for what is missing, so that a second run works offline.
need() {
    local missing=()
    for package in "$@"; do
        "$PY" -c "import importlib.util as u, sys; sys.exit(u.find_spec('${package%%=*}') is None)" || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] || "$PY" -m pip install --quiet --disable-pip-version-check "${missing[@]}"
}

# Builds the extension module and puts the package into the virtual environment.
install_flambeau() {
    need maturin
    VIRTUAL_ENV=$PWD/.venv .venv/bin/maturin develop --release --quiet
}
