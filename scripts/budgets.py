"""Checks the budgets that are stable on a shared machine: import without numpy, its time and memory, the module's size."""

import pathlib
import subprocess
import sys

PROBE = """
import resource, sys, time
start = time.perf_counter()
import flambeau
took = (time.perf_counter() - start) * 1e3
rss = int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() / 2**20
print(took, rss, int("numpy" in sys.modules))
"""


def main():
    runs = []
    for _ in range(7):
        out = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True).stdout
        runs.append([float(v) for v in out.split()])
    took, rss = min(r[0] for r in runs), min(r[1] for r in runs)
    module = next(pathlib.Path("python/flambeau").glob("_C*.so"))
    size = module.stat().st_size / 2**20
    print(f"import {took:.0f} ms, resident {rss:.0f} MB after import, extension module {size:.1f} MB")
    failures = []
    # Time is reported, not judged: a neighbour on the same cores would fail the run.
    if rss > 40:
        failures.append(f"resident memory after import is {rss:.0f} MB, the budget is 40 MB")
    if size > 25:
        failures.append(f"the extension module is {size:.1f} MB, the budget is 25 MB")
    if any(r[2] for r in runs):
        failures.append("importing flambeau imports numpy")
    sys.exit("\n".join(failures) or 0)


if __name__ == "__main__":
    main()
