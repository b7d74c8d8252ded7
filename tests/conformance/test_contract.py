"""docs/runtime-contract.md: each number of it is that of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edgekd import errors
from edgekd.bundle import manifest, reader, signature, storage
from edgekd.bundle.policy import CAPTURE_CODES
from edgekd.conformance.format import _KINDS
from edgekd.runtime import classifier, preprocess, selftest
from edgekd.runtime.capture import FEATURES, judge, measures
from edgekd.runtime.images import decoding, header, jpeg, jpeg_check, png, profile
from edgekd.tasks.multilabel.manifest import PRESENT_FROM

REPOSITORY = Path(__file__).resolve().parents[2]
CONTRACT = " ".join(
    (REPOSITORY / "docs" / "runtime-contract.md").read_text(encoding="utf-8").split()
)

NUMBERS = {
    "at most {} MiB. Its last": storage.MAX_ARCHIVE_BYTES >> 20,
    "Its last {} bytes": storage._END.size,
    "At most {} members": storage.MAX_FILES,
    "at most {} bytes of directory": storage.MAX_DIRECTORY_BYTES,
    "`manifest.json`: at most {} bytes": reader.MAX_MANIFEST_BYTES,
    "`manifest.sig` is at most {} bytes": reader.MAX_SIGNATURE_BYTES,
    "ignored), {} bytes when decoded": signature._SIGNATURE_BYTES,
    "or {} raw bytes": signature._RAW_KEY_BYTES,
    "which is at most {},": reader.MAX_FILE_BYTES,
    "The first {} vectors": classifier._VECTORS_AT_OPEN,
    "A plain name has 1 to {} characters": storage.MAX_NAME_LENGTH,
    "the newest format is {}.": manifest.FORMAT_VERSION,
    "1 to {} classes": manifest._MOST_CLASSES,
    "names printable, 1 to {} characters": manifest._LONGEST_NAME,
    "`model.resize` is `{}`": preprocess.RULE,
    "`appearance` has {} features": FEATURES,
    "used: at most {} bytes": header.MAX_BYTES,
    "at most {} pixels": header.MAX_PIXELS,
    "at most {} scans,": header.MAX_SCANS,
    "at most {} scans times pixels": header.MAX_SCANNED_PIXELS,
    "at most {} segments": jpeg.MAX_SEGMENTS,
    "at most {} bytes of memory": header.MAX_MEMORY,
    "off by more than {}, primaries": png._GAMMA_SPARE,
    "primaries by more than {},": png._PRIMARIES_SPARE,
    "more than {} chunks": png.MAX_PNG_CHUNKS,
    "chunks, {} compressed texts": png.MAX_COMPRESSED_TEXTS,
    "or {} bytes of text in a PNG": png.MAX_BESIDES,
    "ends in the last {} bytes": jpeg_check.SPARE + 1,
    "(Scans of more than {} bytes": jpeg_check.MAX_WALKED,
    "refused, of more than {} with": jpeg_check.MAX_RESTARTED,
    "a table of {} levels": profile._STEPS,
    "by more than {} levels is ignored": profile._ALIKE,
    "D = min(S, {})": measures._DETAIL_SIDE,
    "by area to {} ×": measures.SIDE,
    "smallest channel is ≥ {} ": measures._WHITE,
    "`present_from` by finding ({} where": PRESENT_FROM,
    "of at most {} bytes in all": selftest._MAX_BYTES,
    "at most {} characters (then": errors._LONGEST,
}


@pytest.mark.parametrize("place", NUMBERS)
def test_numbers(place: str) -> None:
    assert place.format(NUMBERS[place]) in CONTRACT


def test_a_number_that_is_not_the_codes_is_noticed() -> None:
    assert "At most 65 members" not in CONTRACT


def test_renamed_fields() -> None:
    rows = re.findall(r"\| `([\w.\[\]]+)` \| `(\w+)` \| `(\w+)` \|", CONTRACT)
    renamed = {(tuple(path.replace("[]", "").split(".")), a, b) for path, a, b in rows}
    assert renamed == set(manifest._RENAMED)


def test_measures_and_their_codes() -> None:
    table = CONTRACT.replace("\\|", "")
    rows = dict(re.findall(r"\| `(\w+)` \| [^|]*\|([^|]*\|[^|]*)\|", table))
    codes = {
        name: tuple(re.search(r"`(.*)`", cell).group(1) if "`" in cell else None  # type: ignore
                    for cell in rows[name].split("|"))
        for name in CAPTURE_CODES
    }  # fmt: skip
    assert codes == CAPTURE_CODES


def test_reason_codes_are_listed() -> None:
    codes = {"not-finite", "unsure", "not-excluded", "unfamiliar", "unlike"}
    assert all(f"`{code}`" in CONTRACT for code in codes)
    assert "_SENTENCES_BEFORE_1_6" in CONTRACT
    assert judge._SENTENCES_BEFORE_1_6


def test_kinds_of_errors() -> None:
    rows = dict(re.findall(r"\| `(\w+)` \| (\d) \|", CONTRACT))
    kinds = {name: str(kind.exit_code) for kind, name in _KINDS}
    assert rows == kinds | {"input": str(errors.InputError.exit_code)}


def test_scales_of_a_jpeg() -> None:
    factors = [factor for factor, _ in decoding._REDUCED if factor > 1]
    assert f"the scales {', '.join(f'1/{factor}' for factor in factors)} (" in CONTRACT
