"""Fuzzes the runtime: python tests/abuse/fuzz.py --bundles 20000 --images 20000 --jobs 2

Every outcome must be a prediction or one of edgekd's own errors: no crash, no more than 5 s of the
processors nor a minute of the clock, no memory over 1 GB. Ends with a table and, where something
else came out, the cases and exit code 1.
`--only bundle:1234` runs one case again, in this process, with its whole traceback.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parent.parent)  # this folder is the package `abuse`

from abuse.campaign import Campaign, run, table  # noqa: E402
from abuse.cases import BundleCase, bundle_case, image_case  # noqa: E402


def main() -> int:
    arguments = _arguments()
    if arguments.only:
        return _only(arguments.only, arguments.seed, arguments.keep)
    cases = [f"bundle:{number}" for number in range(arguments.bundles)]
    cases += [f"image:{number}" for number in range(arguments.images)]
    campaign = run(cases, seed=arguments.seed, jobs=arguments.jobs, progress=_Progress(len(cases)))
    print(table(campaign))
    for line in _summary(campaign):
        print(line)
    if arguments.json:
        arguments.json.write_text(json.dumps(_document(campaign, arguments.seed), indent=1) + "\n")
    return 1 if campaign.wrong or campaign.printed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bundles", type=int, default=20_000, help="number of damaged bundles")
    parser.add_argument("--images", type=int, default=20_000, help="number of damaged images")
    parser.add_argument("--seed", type=int, default=0, help="another seed makes other cases")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time")
    parser.add_argument("--json", type=Path, help="where to write the outcome")
    parser.add_argument("--only", metavar="KIND:N", help="run one case: bundle:12 or image:34")
    parser.add_argument("--keep", type=Path, help="with --only: where to write its bytes")
    return parser.parse_args()


class _Progress:
    """A line now and then on stderr."""

    def __init__(self, total: int) -> None:
        self._total, self._start, self._told = total, time.monotonic(), 0.0

    def __call__(self, done: int, campaign: Campaign) -> None:
        now = time.monotonic()
        if now - self._told < 10 and done < self._total:
            return
        self._told = now
        wrong, rate = len(campaign.wrong), done / (now - self._start)
        told = f"{done}/{self._total} cases, {rate:.0f} a second, {wrong} wrong"
        print(told, file=sys.stderr, flush=True)


def _summary(campaign: Campaign) -> list[str]:
    forgiven = Counter((one.engine, one.what) for one in campaign.failures if one.forgiven)
    lines = [
        "",
        f"{sum(campaign.outcomes.values())} cases in {campaign.seconds:.0f} s; "
        f"{campaign.retried} were slow once",
        f"slowest: {campaign.slowest[0]:.0f} ms, {campaign.slowest[1]}",
        f"most memory: {campaign.hungriest[0] / 1e6:.0f} MB, {campaign.hungriest[1]}",
    ]
    lines += [f"warned {n} times: {what}" for what, n in campaign.warned.most_common(20)]
    lines += [
        f"{engine} on damaged models whose hashes agree: {what}, {n} times"
        for (engine, what), n in sorted(forgiven.items())
    ]
    if campaign.printed:
        lines.append(f"PRINTED on stdout: {campaign.printed[:500]!r}")
    lines += [f"WRONG {one.case} ({one.group}): {one.what}\n{one.stack}" for one in campaign.wrong]
    return [*lines, f"{len(campaign.wrong)} wrong"]


def _document(campaign: Campaign, seed: int) -> dict[str, Any]:
    entries = sorted(campaign.outcomes.items())
    return {
        "seed": seed,
        "seconds": round(campaign.seconds, 1),
        "outcomes": [[*key, number] for key, number in entries],
        "slowest_ms": campaign.slowest,
        "most_memory_bytes": campaign.hungriest,
        "warned": dict(campaign.warned),
        "failures": [asdict(one) | {"forgiven": one.forgiven} for one in campaign.failures],
        "printed": campaign.printed[:2000],
    }


def _only(name: str, seed: int, keep: Path | None) -> int:
    kind, number = name.split(":")
    case = bundle_case(seed, int(number)) if kind == "bundle" else image_case(seed, int(number))
    print({key: value for key, value in asdict(case).items() if key != "content"})
    if keep and isinstance(case, BundleCase):
        keep.write_bytes(case.put(keep)) if case.form == "bytes" else case.put(keep)
    elif keep:
        keep.write_bytes(case.content)
    import tempfile

    from abuse import worker

    with tempfile.TemporaryDirectory() as folder:
        answer = worker.run_case(kind, seed, int(number), Path(folder))
    print(answer)
    return 1 if answer.failure else 0


if __name__ == "__main__":
    sys.exit(main())
