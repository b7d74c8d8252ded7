"""A contact sheet: many images of a data set on one picture."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from edgekd.errors import InputError

__all__ = ["contact_sheet"]

_BAND = 18  # pixels over each tile for its label
_GAP = 4
_PAPER, _INK = 255, (20, 20, 20)


def contact_sheet(
    images: Sequence[npt.NDArray[np.uint8]],
    labels: Sequence[str],
    columns: int,
    *,
    tile: int = 128,
) -> npt.NDArray[np.uint8]:
    """Lay images out in rows, the label over each.

    Args:
        images: RGB uint8 [h, w, 3] of any sizes; each is fitted into its tile, uncropped.
        labels: One text per image; longer ones are cut off at the edge of the tile.
        columns: Tiles in a row.
        tile: Pixels a side of a tile.

    Returns:
        RGB uint8 [rows * (tile + 22) + 4, columns * (tile + 4) + 4, 3].

    Raises:
        InputError: No images, not one label per image, or columns or tile below 1.
    """
    _check(images, labels, columns, tile)
    rows = -(-len(images) // columns)
    shape = (rows * (tile + _BAND + _GAP) + _GAP, columns * (tile + _GAP) + _GAP, 3)
    sheet = np.full(shape, _PAPER, dtype=np.uint8)
    for place, (image, label) in enumerate(zip(images, labels, strict=True)):
        row, column = divmod(place, columns)
        top, left = _GAP + row * (tile + _BAND + _GAP), _GAP + column * (tile + _GAP)
        cell = sheet[top : top + _BAND + tile, left : left + tile]
        cell[:] = _draw_cell(image, label, tile)
    return sheet


def _check(
    images: Sequence[npt.NDArray[np.uint8]], labels: Sequence[str], columns: int, tile: int
) -> None:
    if not images:
        raise InputError("there are no images for a contact sheet", "give one or more")
    if len(images) != len(labels):
        raise InputError(f"{len(images)} images but {len(labels)} labels", "give one label each")
    if columns < 1 or tile < 1:
        raise InputError(f"{columns} columns of {tile} px make no sheet", "use 1 or more of both")


def _draw_cell(image: npt.NDArray[np.uint8], label: str, tile: int) -> npt.NDArray[np.uint8]:
    cell = np.full((_BAND + tile, tile, 3), _PAPER, dtype=np.uint8)
    fitted = _fit(image, tile)
    height, width = fitted.shape[:2]
    top, left = _BAND + (tile - height) // 2, (tile - width) // 2
    cell[top : top + height, left : left + width] = fitted
    # Drawn last and on its own cell: a long label cannot run into the neighbour.
    cv2.putText(cell, label, (1, _BAND - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.42, _INK, 1, cv2.LINE_AA)
    return cell


def _fit(image: npt.NDArray[np.uint8], tile: int) -> npt.NDArray[np.uint8]:
    height, width = image.shape[:2]
    factor = tile / max(height, width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, size, interpolation=method), dtype=np.uint8)
