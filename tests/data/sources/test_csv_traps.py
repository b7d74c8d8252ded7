"""The table of traps: tables as spreadsheets, archives and people leave them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from edgekd.data import load_dataset
from edgekd.errors import InputError

IMAGES = ("a.jpg", "b.JPG", "c,1.png", "Größe 1.jpg", "sub/a.jpg", "IMG_4")


@dataclass(frozen=True)
class Trap:
    """A table, and what becomes of it.

    Attributes:
        name: What it is a case of.
        text: The table.
        labels: Image and label of each row; empty where the table is refused.
        refusal: A part of the message; empty where the table is read.
        keys: Further keys of the recipe's `data`.
        encoding: Of the file.
        notes: A part of a note.
    """

    name: str
    text: str
    labels: dict[str, str] = field(default_factory=dict)
    refusal: str = ""
    keys: dict[str, Any] = field(default_factory=dict)
    encoding: str = "utf-8"
    notes: str = ""

    def __str__(self) -> str:
        return self.name


AB = {"a.jpg": "mel", "b.JPG": "nv"}
HOT = {"label_columns": ["MEL", "NV", "UNK"]}

TRAPS = [
    Trap("BOM", "image,label\na.jpg,mel\nb.JPG,nv\n", AB, encoding="utf-8-sig"),
    Trap("UTF-16", "image\tlabel\na.jpg\tmel\nb.JPG\tnv\n", AB, encoding="utf-16"),
    Trap("cp1252", "image,label\na.jpg,mel\nGröße 1.jpg,nv\n",
         {"a.jpg": "mel", "Größe 1.jpg": "nv"}, encoding="cp1252", notes="read as Windows-1252"),
    Trap("an encoding that is given", "image,label\na.jpg,mel\nGröße 1.jpg,nv\n",
         {"a.jpg": "mel", "Größe 1.jpg": "nv"}, encoding="cp850", keys={"encoding": "cp850"}),
    Trap("semicolon", "image;label;age\na.jpg;mel;45,5\nb.JPG;nv;30\n", AB),
    Trap("tab", "image\tlabel\na.jpg\tmel\nb.JPG\tnv\n", AB),
    Trap("a separator that is given", "image;label,dx\na.jpg;mel\nb.JPG;nv\n", AB,
         keys={"separator": ";", "label_column": "label,dx"}),
    Trap("CRLF", "image,label\r\na.jpg,mel\r\nb.JPG,nv\r\n", AB),
    Trap("quoted commas", 'image,label,note\n"c,1.png",mel,"a, ""b"""\nb.JPG,nv,\n',
         {"c,1.png": "mel", "b.JPG": "nv"}),
    Trap("an open quote", 'image,label\na.jpg,"mel\nb.JPG,nv\n', refusal="begins on line 2"),
    Trap("spaces around", "image , label\n a.jpg , mel\nb.JPG,\u00a0nv \n", AB),
    Trap("quotes after spaces", 'image, label\n"a.jpg", "mel"\n"b.JPG", "nv"\n', AB),
    Trap("numbers as labels", "image,label\na.jpg,0\nb.JPG,1\n", {"a.jpg": "0", "b.JPG": "1"}),
    Trap("numbers as pandas writes them", "image,label\na.jpg,0.0\nb.JPG,1.0\n",
         {"a.jpg": "0", "b.JPG": "1"}, keys={"classes": ["0", "1"]}),
    Trap("numbers as classes in YAML", "image,label\na.jpg,0\nb.JPG,1\n",
         refusal="Expected `str", keys={"classes": [0, 1]}),
    Trap("one-hot", "image,MEL,NV,UNK\na.jpg,1.0,0.0,0.0\nb.JPG,0.0,1.0,0.0\n",
         {"a.jpg": "MEL", "b.JPG": "NV"}, keys=HOT, notes="no image of the class 'UNK'"),
    Trap("one-hot, renamed and dropped",
         "image,MEL,NV,UNK\na.jpg,1,0,0\nb.JPG,0,1,0\nsub/a,0,0,1\n", AB,
         keys=HOT | {"drop": ["UNK"], "label_map": {"MEL": "mel", "NV": "nv"}},
         notes="1 with 'UNK'"),
    Trap("one-hot, two marked", "image,MEL,NV,UNK\na.jpg,1.0,1.0,0.0\n",
         refusal="2 of the classes MEL, NV, UNK marked, not exactly one", keys=HOT),
    Trap("one-hot, none marked", "image,MEL,NV,UNK\na.jpg,0,0,0\n", refusal="0 of the", keys=HOT),
    Trap("one-hot, a share", "image,MEL,NV,UNK\na.jpg,0.5,0.5,0\n", refusal="'0.5'", keys=HOT),
    Trap("missing extension", "image,label\na,mel\nb,nv\n", AB),
    Trap("a file without any extension", "image,label\nIMG_4,mel\nb,nv\n",
         {"IMG_4": "mel", "b.JPG": "nv"}),
    Trap("upper-case extension", "image,label\na.JPG,mel\nb.jpg,nv\n", AB),
    Trap("absolute paths", "image,label\n{root}/a.jpg,mel\n{root}/b.jpg,nv\n", AB),
    Trap("an absolute path elsewhere", "image,label\n/no/such/a.jpg,mel\n", refusal="line 2"),
    Trap("Windows paths", "image,label\nsub\\a.jpg,mel\n.\\b.JPG,nv\n",
         {"sub/a.jpg": "mel", "b.JPG": "nv"}),
    Trap("a Windows drive", "image,label\nC:\\x\\a.jpg,mel\n", refusal="names the image 'C:"),
    Trap("duplicates", "image,label\na.jpg,mel\nb.JPG,nv\n./a.JPG,nv\n",
         refusal="names the image a.jpg twice: on lines 2 and 4"),
    Trap("NaN as label", "image,label\na.jpg,mel\nb.JPG,NaN\n", refusal="line 3"),
    Trap("NaN as label, dropped", "image,label\na.jpg,mel\nb.JPG,nv\nsub/a.jpg,NaN\n", AB,
         keys={"drop": [""]}, notes="1 row is left out"),
    Trap("NaN as lesion", "image,label,lesion\na.jpg,mel,NaN\nb.JPG,nv,NaN\n", AB,
         keys={"group_column": "lesion"}, notes="2 images without a lesion or patient (2 'NaN')"),
    Trap("NaN as image", "image,label\na.jpg,mel\nNaN,nv\n", refusal="line 3"),
    Trap("classes that differ in case", "image,label\na.jpg,mel\nb.JPG,Mel\n",
         refusal="classes that look alike: 'Mel' and 'mel'"),
    Trap("classes that differ in case, mapped", "image,label\na.jpg,MEL\nb.JPG,Mel\nsub/a.jpg,nv\n",
         {"a.jpg": "mel", "b.JPG": "mel", "sub/a.jpg": "nv"}, keys={"label_map": {"mel": "mel"}}),
    Trap("one class", "image,label\na.jpg,mel\nb.JPG,mel\n", refusal="has only one class"),
    Trap("unicode", "image,label\nGro\u0308\u00dfe 1.jpg,na\u0308vus\na.jpg,黒色腫\n",
         {"Größe 1.jpg": "nävus", "a.jpg": "黒色腫"}),
    Trap("Latin and Cyrillic", "image,label\na.jpg,nv\nb.JPG,n\u0435v\n",
         {"a.jpg": "nv", "b.JPG": "n\u0435v"}, notes="Latin and Cyrillic letters"),
    Trap("a column twice", "image,label,label\na.jpg,mel,nv\n", refusal="two columns 'label'"),
    Trap("a short row", "image,label\na.jpg\nb.JPG,nv\n", refusal="line 2"),
    Trap("a workbook", "PK\u0003\u0004", refusal="it is a workbook"),
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("traps")
    for number, name in enumerate(IMAGES):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(bytes([number]))
    return root


@pytest.mark.parametrize("trap", TRAPS, ids=str)
def test_traps(trap: Trap, folder: Path) -> None:
    file = folder / "labels.csv"
    file.write_bytes(trap.text.replace("{root}", str(folder)).encode(trap.encoding))
    section = {"source": "csv", "file": str(file), **trap.keys}
    if trap.refusal:
        with pytest.raises(InputError) as caught:
            load_dataset(section)
        assert trap.refusal in caught.value.message
        assert caught.value.hint
        assert "\n" not in caught.value.message + caught.value.hint
        return
    dataset = load_dataset(section)
    assert {sample.image: sample.label for sample in dataset.samples} == trap.labels
    assert all(path.is_file() for path in dataset.paths())
    assert any(trap.notes in note for note in dataset.notes)


@pytest.mark.parametrize("classes", [2, 200])
def test_few_and_many_classes_of_one_sample_each(classes: int, tmp_path: Path) -> None:
    """One sample of a class is enough to read a table; the split leaves it to training."""
    names = [f"{n}.jpg" for n in range(classes)]
    for name in names:
        (tmp_path / name).write_bytes(b"")
    rows = [f"{name},class {n}" for n, name in enumerate(names)]
    file = tmp_path / "labels.csv"
    file.write_text("\n".join(["image,label", *rows]) + "\n")
    dataset = load_dataset({"source": "csv", "file": str(file)})
    assert len(dataset.classes) == classes
    assert set(dataset.counts().values()) == {1}
    assert sorted(dataset.targets().tolist()) == list(range(classes))
