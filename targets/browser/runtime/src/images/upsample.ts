/** Samples of a channel, which has `width` x `height` of them; rows lie `stride` apart. */
export interface Plane {
  readonly samples: Uint8ClampedArray;
  readonly stride: number;
  readonly width: number;
  readonly height: number;
}

/** Writes a row of a channel at the picture's width. */
export type RowReader = (y: number, out: Uint8ClampedArray) => void;

/**
 * The rows of a channel as libjpeg's `jdsample.c` makes them of fewer samples: by triangle filters at twice the width
 * or height, by repetition at other factors.
 *
 * @param fancy Whether libjpeg filters at this scale (not at 1/8).
 */
export function upsampled(plane: Plane, across: number, down: number, fancy: boolean): RowReader {
  const smooth = fancy && plane.width > 2;
  if (across === 1 && down === 1) return (y, out) => out.set(row(plane, y));
  if (across === 2 && down === 1 && smooth) return (y, out) => twiceWide(row(plane, y), out);
  if (across === 1 && down === 2 && fancy) {
    return (y, out) => {
      const [near, far] = nearAndFar(plane, y);
      const bias = y % 2 === 0 ? 1 : 2;
      for (let x = 0; x < near.length; x++) out[x] = ((near[x] as number) * 3 + (far[x] as number) + bias) >> 2;
    };
  }
  if (across === 2 && down === 2 && smooth) {
    const sums = new Int32Array(plane.width);
    return (y, out) => {
      const [near, far] = nearAndFar(plane, y);
      for (let x = 0; x < sums.length; x++) sums[x] = (near[x] as number) * 3 + (far[x] as number);
      twiceBoth(sums, out);
    };
  }
  return (y, out) => {
    const from = row(plane, Math.floor(y / down));
    for (let x = 0; x < from.length * across; x++) out[x] = from[Math.floor(x / across)] as number;
  };
}

function row(plane: Plane, y: number): Uint8ClampedArray {
  const place = Math.min(Math.max(y, 0), plane.height - 1) * plane.stride;
  return plane.samples.subarray(place, place + plane.width);
}

/** The row that an output row lies in, and the next one to it. */
function nearAndFar(plane: Plane, y: number): [Uint8ClampedArray, Uint8ClampedArray] {
  const near = y >> 1;
  return [row(plane, near), row(plane, y % 2 === 0 ? near - 1 : near + 1)];
}

function twiceWide(from: Uint8ClampedArray, out: Uint8ClampedArray): void {
  const last = from.length - 1;
  for (let x = 0; x <= last; x++) {
    const value = (from[x] as number) * 3;
    out[2 * x] = x === 0 ? value / 3 : (value + (from[x - 1] as number) + 1) >> 2;
    out[2 * x + 1] = x === last ? value / 3 : (value + (from[x + 1] as number) + 2) >> 2;
  }
}

function twiceBoth(sums: Int32Array, out: Uint8ClampedArray): void {
  const last = sums.length - 1;
  for (let x = 0; x <= last; x++) {
    const value = sums[x] as number;
    out[2 * x] = (value * 3 + (sums[Math.max(x - 1, 0)] as number) + 8) >> 4;
    out[2 * x + 1] = (value * 3 + (sums[Math.min(x + 1, last)] as number) + 7) >> 4;
  }
}
