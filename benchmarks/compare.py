"""Whether a result of `edgekd bench --json` is worse than an earlier one: a check for CI.

python benchmarks/compare.py OLD.json NEW.json [--metric latency …] [--strict]

Exit code 0: no regression. 4: a regression beyond chance; with --strict also where evidence is
lacking (a row or number is gone, times are not valid). 2: the two cannot be compared. 6: a file is
damaged.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from edgekd.bench.compare.regression import METRICS, RegressionLimits, Regressions, compare_results
from edgekd.bench.compare.regression_table import as_markdown, print_changes
from edgekd.bench.result.file import read_result
from edgekd.cli.console import emit_json, exit_code_of, say
from edgekd.files import write_atomically
from edgekd.policy import DEFAULT_POLICY


def main(arguments: list[str] | None = None) -> int:
    """Compare, print the table, write the files."""
    options = _options(arguments)
    limits = RegressionLimits(
        metrics=options.metric or METRICS,
        tolerance=options.tolerance,
        loose_tolerance=options.loose_tolerance,
        critical=options.critical,
        policy=options.policy,
    )

    def work() -> int:
        regressions = compare_results(read_result(options.old), read_result(options.new), limits)
        _report(regressions, options)
        return regressions.exit_code(strict=options.strict)

    return exit_code_of(work)


def _report(regressions: Regressions, options: argparse.Namespace) -> None:
    if str(options.json) == "-":
        emit_json(regressions)
    else:
        print_changes(regressions)
        if options.json is not None:
            emit_json(regressions, options.json)
            say(f"wrote {options.json}")
    if options.markdown is not None:
        write_atomically(options.markdown, as_markdown(regressions))
        say(f"wrote {options.markdown}")


def _options(arguments: list[str] | None) -> argparse.Namespace:
    summary, _, rest = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--metric", action="append", choices=METRICS, help="all by default")
    parser.add_argument("--tolerance", type=float, default=0.05, help="of latency and size")
    parser.add_argument("--loose-tolerance", type=float, default=0.1, help="of memory and energy")
    parser.add_argument("--critical", action="append", help="class whose sensitivity counts")
    parser.add_argument(
        "--policy",
        default=DEFAULT_POLICY,
        help="of results that record none: a name or a .toml file",
    )
    parser.add_argument("--strict", action="store_true", help="lacking evidence fails too")
    parser.add_argument("--json", type=Path, help="file for the changes; - is stdout")
    parser.add_argument("--markdown", type=Path, help="file for the table as Markdown")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
