"""Records what PyTorch makes of the cases in tests/surface. Run with PyTorch's Python:

    python tests/tools/record_surface.py [NAME...]     the files surface_NAME.py, all by default
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
FOLDER = HERE.parent / "surface"
sys.path[:0] = [str(HERE), str(FOLDER)]

import importlib  # noqa: E402

import expressions  # noqa: E402

if __name__ == "__main__":
    for path in sorted(FOLDER.glob("surface_*.py")):
        name = path.stem.removeprefix("surface_")
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        module = importlib.import_module(path.stem)
        # The setup runs before each case: cases are independent of each other.
        expressions.record(module.CASES, FOLDER / f"{name}.json", setup=module.SETUP)
