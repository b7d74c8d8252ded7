"""Writes the tables of TensorFlow Lite's files, by which the runtime in Kotlin checks one.

    python tests/conformance/make_tflite_tables.py

They are read from the code that flatc made of the schema, which the package `ai-edge-litert` has. A
line is a table: its name, then each field as PLACE:KIND, where PLACE is its place in the vtable and
KIND the bytes of a number, `s` a text, a table's name, `<` and a union's name, or `[` and one of
those for a vector. A line that begins with `<` is a union: its name, then NUMBER:TABLE.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

OUT = (
    Path(__file__).resolve().parents[2]
    / "targets/android/runtime/engine-litert/src/main/resources/edgekd/litert/tables.txt"
)
_BYTES = {"Bool": 1, "Int8": 1, "Uint8": 1, "Int16": 2, "Uint16": 2, "Int32": 4, "Uint32": 4,
          "Float32": 4, "Int64": 8, "Uint64": 8, "Float64": 8}  # fmt: skip


def tables_of(code: str) -> str:
    """The text of the tables, of flatc's Python code."""
    blocks = dict(re.findall(r"(?ms)^class (\w+)\(object\):\n(.*?)(?=^class |^def |\Z)", code))
    unions = set(re.findall(r"(?m)^def (\w+)Creator\(", code))
    of_field = {
        field: union
        for union, field in re.findall(r"= (\w+)Creator\(self\.\w+Type, \w+\.(\w+)\(\)\)", code)
    }
    lines = []
    for name, body in blocks.items():
        if name in unions:
            members = re.findall(r"(?m)^    (\w+) = (\d+)$", body)
            lines.append(
                " ".join([f"<{name}", *(f"{n}:{table}" for table, n in members if n != "0")])
            )
        elif "__slots__ = ['_tab']" in body:
            lines.append(" ".join([name, *_fields(body, of_field)]))
    return "\n".join(sorted(lines)) + "\n"


def _fields(body: str, unions: dict[str, str]) -> list[str]:
    fields = []
    for method, code in re.findall(r"(?ms)^    def (\w+)\(self[^)]*\):\n(.*?)(?=^    # |\Z)", body):
        place = re.search(r"_tab\.Offset\((\d+)\)", code)
        if place is None or method.endswith(("Length", "IsNone", "AsNumpy")):
            continue
        fields.append(
            f"{place[1]}:{'[' if '_tab.Vector(' in code else ''}{_kind(method, code, unions)}"
        )
    return fields


def _kind(method: str, code: str, unions: dict[str, str]) -> str:
    if "_tab.Union(" in code:
        return f"<{unions[method]}"
    if "_tab.Indirect(" in code:
        return re.search(r"obj = (\w+)\(\)", code)[1]  # type: ignore[index]
    if "_tab.String(" in code:
        return "s"
    return str(_BYTES[re.search(r"number_types\.(\w+)Flags, (?!py_type)", code)[1]])  # type: ignore[index]


def generated() -> str:
    """flatc's code of the installed package."""
    from importlib.util import find_spec

    spec = find_spec("ai_edge_litert")
    if spec is None or spec.origin is None:
        raise SystemExit("ai-edge-litert is not installed: pip install 'edgekd[tflite]'")
    return (Path(spec.origin).parent / "schema_py_generated.py").read_text()


if __name__ == "__main__":
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(tables_of(generated()))
    sys.exit(0)
