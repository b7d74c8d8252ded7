"""One of two processes that train the methods with players."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import manual_methods
import method_share
from method_share import PRECISIONS
from pair import take_part

CASES = [(label, precision) for label in manual_methods.SECTIONS for precision in PRECISIONS]
# One precision of each method, either one in turn.
QUICK = [(label, PRECISIONS[n % 2]) for n, label in enumerate(manual_methods.SECTIONS)]

if __name__ == "__main__":
    sys.path.insert(0, os.environ["METHODS"])
    method_share.SECTIONS.update(manual_methods.SECTIONS)
    work = Path(os.environ["WORK"])
    cases = [(label, precision) for label, precision in json.loads(os.environ["CASES"])]
    take_part(lambda rank, processes: method_share.all_outcomes(work, processes, cases))
