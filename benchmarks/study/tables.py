"""Write the tables of docs/results.md from the records of the study.

python benchmarks/study/tables.py [--check]

A table stands between `<!-- study: NAME -->` and `<!-- end -->`; the text around it is written by
hand. NAME is a table of the study; `cost`, the hours of all runs; or `lowered`, the files of the
shipped student, from a result of `edgekd bench --json`. Rows without records are listed below the
table as 'not run yet'.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from design import HERE, Design, read_design
from hours import cost_markdown
from layout import table_markdown
from lowered import lowered_markdown
from records import RESULTS, Record, read_record
from summaries import summary_of

from edgekd.bench.result.file import read_result
from edgekd.cli.console import exit_code_of, say
from edgekd.errors import GateFailedError, InputError
from edgekd.files import write_atomically

PAGE = HERE.parents[1] / "docs" / "results.md"
_PLACE = re.compile(r"(?<=<!-- study: )([a-z-]+)( -->\n).*?(?=<!-- end -->)", re.DOTALL)


def main(arguments: list[str] | None = None) -> int:
    """Fill the page, or check that it is what the records give."""
    options = _options(arguments)
    return exit_code_of(lambda: _write(options))


def _write(options: argparse.Namespace) -> None:
    try:
        before = options.page.read_text(encoding="utf-8")
    except OSError as error:
        message = f"cannot read {options.page}: {error.strerror}"
        raise InputError(message, "give the page as --page") from error
    after = filled(before, read_design(options.design), options.results, options.bench)
    if not options.check:
        write_atomically(options.page, after)
        say(f"wrote {options.page}")
    elif after != before:
        message = f"{options.page} is not what the records give"
        raise GateFailedError(message, "run python benchmarks/study/tables.py, and commit the page")


def filled(page: str, design: Design, results: Path, bench: Path | None = None) -> str:
    """The page with every table made again.

    Args:
        page: Its text.
        design: The tables.
        results: Folder of the records.
        bench: A result of `edgekd bench --json`; by default `lowered.json` beside the records.

    Raises:
        InputError: The page has a place for a table that there is not.
    """
    runs = _all_records(results)
    file = bench or results / "lowered.json"
    lowered = read_result(file) if bench or file.is_file() else None

    def table(place: re.Match[str]) -> str:
        name = place[1]
        if name == "cost":
            text = cost_markdown(runs)
        elif name == "lowered":
            text = lowered_markdown(lowered)
        else:
            text = table_markdown(summary_of(design, name, results), runs)
        return f"{name}{place[2]}{text}"

    return _PLACE.sub(table, page)


def _all_records(results: Path) -> dict[str, Record]:
    files = sorted(results.glob("*/*-seed*.json"))
    records = [read_record(results, file.parent.name, file.stem) for file in files]
    return {f"{each.table}/{each.name}": each for each in records if each is not None}


def _options(arguments: list[str] | None) -> argparse.Namespace:
    summary, _, rest = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--page", type=Path, default=PAGE, help="the page")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the records")
    parser.add_argument("--design", type=Path, default=HERE, help="folder of tables and recipes")
    parser.add_argument("--bench", type=Path, help="a result of edgekd bench --json")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 4 if it differs")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
