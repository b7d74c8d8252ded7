"""Methods for situations that a hospital knows, beside what it would do without them.

python benchmarks/situations/run.py few-labels --data DIR --out runs --markdown few-labels.md

    few-labels    2, 10 and 30 % of the labels, the other images without theirs
    wide-gap      a student of 0.08 M parameters beside a teacher of 34 times as many
    wrong-labels  20 % of the training labels are wrong
    rare-classes  the classes as rare as they are, for a generator that proposes images of them
    few-shot      classes that a network never learnt, taught by one or five images of each

DIR is a folder in HAM10000's layout. Networks and images are small, so that two cores can train
every arm with several seeds: what is compared is the arms of a table, not the table with others.
Finished trainings are reused. Each table has the balanced accuracy on the test part, and the
difference from its first arm with an interval that holds what other seeds and other images change.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from arms import FEW_SHOT, SITUATIONS, recipes_of
from compared import Outputs, outputs_of, rows_of, text_of, trained_alone
from few_shot import few_shot_rows
from labels import wrong_labels

from edgekd.cli.console import exit_code_of, publish, say
from edgekd.distill.comparison.compare import CompareRequest, compare
from edgekd.distill.comparison.predictions import PREDICTIONS, Predictions


def main(arguments: list[str] | None = None) -> int:
    """Train what is not trained yet, and write the tables of one situation."""
    options = _options(arguments)
    return exit_code_of(lambda: _run(options), "train the arms")


def _run(options: argparse.Namespace) -> int:
    data = {"source": "ham10000", "root": str(options.data.resolve())}
    if options.situation == "few-shot":
        rows = few_shot_rows(data, options.seeds, options.out / options.situation, say)
        values = {"table": FEW_SHOT.name, "seeds": options.seeds, "rows": rows}
        publish(text_of(rows), values, markdown=options.markdown, json=options.json)
        return 0
    _compare(options, data)
    return 0


def _compare(options: argparse.Namespace, data: dict[str, Any]) -> None:
    texts, values = [], []
    for table in SITUATIONS[options.situation]:
        if options.only and table.name not in options.only:
            continue
        out = options.out / options.situation / table.name
        source = data
        if table.wrong:
            source = wrong_labels(data, table.wrong, out / "labels.csv")
        outputs: dict[str, Outputs] = {}
        for epochs, recipes in recipes_of(table, source).items():
            folder = out / f"epochs-{epochs}"
            if len(recipes) == 1:
                (recipe,) = recipes
                outputs[recipe.name] = trained_alone(recipe, options.seeds, folder, say)
                continue
            compare(CompareRequest(recipes, options.seeds, folder, say))
            known = outputs_of(Predictions.load(folder / PREDICTIONS))
            # Beside these a comparison has the undistilled student of their schedule.
            wanted = {"teacher", *(recipe.name for recipe in recipes)}
            outputs |= {name: arm for name, arm in known.items() if name in wanted}
        rows = list(rows_of(table, outputs))
        texts.append(f"{table.name}\n\n{text_of(rows)}")
        values.append({"table": table.name, "seeds": options.seeds, "rows": rows})
        publish("\n".join(texts), values, markdown=options.markdown, json=options.json)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    summary, _, rest = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("situation", choices=[*SITUATIONS, "few-shot"])
    parser.add_argument("--data", type=Path, required=True, help="folder in HAM10000's layout")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--seeds", type=_numbers, default=[0, 1, 2], help="with commas")
    parser.add_argument("--only", action="append", metavar="TABLE", help="its name")
    parser.add_argument("--json", type=Path, help="file for its values")
    parser.add_argument("--markdown", type=Path, help="file for the tables")
    return parser.parse_args(arguments)


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


if __name__ == "__main__":
    sys.exit(main())
