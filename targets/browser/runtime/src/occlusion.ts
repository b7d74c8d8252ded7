/** Cells of a map along each side; a patch hides two by two of them, so that 64 are tried. */
export const CELLS = 7;

/**
 * How much a score falls where each cell of a photo is hidden: what the answer depends on, not whether a clinician
 * would accept that as a reason.
 *
 * A patch of the photo's mean colour hides two by two cells at a time, at the border the part of them that there is;
 * the value of a cell is the mean over the four patches that hide it. Source: Zeiler & Fergus 2014, "Visualizing and
 * understanding convolutional networks", section 4.2; Python's `edgekd.evaluation.occlusion` computes the same.
 *
 * @param score The score of a square, such as the probability of one class.
 * @param square RGB pixels, row by row.
 * @param size Its side in pixels.
 * @returns Falls of the score, row by row; positive where the cell speaks for it.
 */
export async function occlusionMap(
  score: (square: Uint8Array) => Promise<number>,
  square: Uint8Array,
  size: number,
  cells = CELLS,
): Promise<Float64Array> {
  const edges = Array.from({ length: cells + 1 }, (_, index) => halfEven((index * size) / cells));
  const edge = (index: number): number => edges[Math.min(Math.max(index, 0), cells)] as number;
  const colour = meanColour(square);
  const whole = await score(square);
  const falls = new Float64Array(cells * cells);
  for (let row = 0; row <= cells; row++) {
    for (let column = 0; column <= cells; column++) {
      const rows: Span = [edge(row - 1), edge(row + 1)];
      const columns: Span = [edge(column - 1), edge(column + 1)];
      const fall = whole - (await score(hidden(square, size, rows, columns, colour)));
      for (const y of [row - 1, row]) {
        for (const x of [column - 1, column]) {
          if (y >= 0 && x >= 0 && y < cells && x < cells) (falls[y * cells + x] as number) += fall / 4;
        }
      }
    }
  }
  return falls;
}

type Span = readonly [from: number, to: number];

function hidden(square: Uint8Array, size: number, rows: Span, columns: Span, colour: Uint8Array): Uint8Array {
  const copy = square.slice();
  for (let y = rows[0]; y < rows[1]; y++) {
    for (let x = columns[0]; x < columns[1]; x++) copy.set(colour, 3 * (y * size + x));
  }
  return copy;
}

function meanColour(square: Uint8Array): Uint8Array {
  const sums = [0, 0, 0];
  square.forEach((each, index) => {
    (sums[index % 3] as number) += each;
  });
  return Uint8Array.from(sums, (sum) => halfEven((3 * sum) / square.length));
}

/** The nearest whole number; of two, the even one, as NumPy rounds. */
function halfEven(value: number): number {
  const below = Math.floor(value);
  if (value - below === 0.5) return below + (below % 2);
  return Math.round(value);
}
