"""`python benchmarks/run.py --device D …` is `edgekd bench --device D …`, from a checkout.

--device cpu|rpi|android|jetson   the device to measure
--bundle B …                      bundles to measure; --run DIR takes those of a run
--preset rapid|quick|normal       how long to measure
--limit N  --threads N            fewer images; threads of the engines
--json OUT  --html OUT            where the result and its page go
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
_AGAIN = "EDGEKD_BENCH_REEXECUTED"


def main() -> int:
    """Pass the arguments to `edgekd bench`, by the checkout's own Python where necessary."""
    # Python put this folder on the path, which has no edgekd; the checkout itself would have the
    # package without its dependencies.
    if importlib.util.find_spec("edgekd") is not None:
        from edgekd.cli import main as edgekd

        return int(edgekd(["bench", *sys.argv[1:]]) or 0)
    python = CHECKOUT / ".venv" / "bin" / "python"
    if python.exists() and _AGAIN not in os.environ:
        os.environ[_AGAIN] = "1"  # an environment without edgekd must not call itself for ever
        os.execv(python, [str(python), __file__, *sys.argv[1:]])
    print("edgekd is not installed for this Python: run `make demo` once", file=sys.stderr)
    return 3


if __name__ == "__main__":
    sys.exit(main())
