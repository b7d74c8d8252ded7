/**
 * Inverse DCTs in integers, as libjpeg computes them by default: `jidctint.c` at 8 x 8 and `jidctred.c` at the smaller
 * sizes (Loeffler, Ligtenberg and Moschytz 1989, with 13 bits of the constants).
 *
 * Each takes coefficients in the order of rows with their factors, and writes samples 0 … 255 at a place of a plane.
 */
export type InverseDct = (
  block: Int16Array,
  factors: Uint16Array,
  plane: Uint8ClampedArray,
  place: number,
  stride: number,
) => void;

const CONST_BITS = 13;
const PASS1_BITS = 2;
const LEVEL = 128;
const WORK = new Int32Array(64);

const descaled = (value: number, bits: number): number => (value + (1 << (bits - 1))) >> bits;

const FULL_SHIFT = CONST_BITS + PASS1_BITS + 3;

/** One pass of the 8-point transform over eight values that lie `step` apart. */
function eight(from: Int32Array, at: number, step: number, to: Int32Array, shift: number): void {
  const z2 = from[at + 2 * step] as number;
  const z3 = from[at + 6 * step] as number;
  const z1 = (z2 + z3) * 4433;
  const even2 = z1 - z3 * 15137;
  const even3 = z1 + z2 * 6270;
  const s0 = from[at] as number;
  const s4 = from[at + 4 * step] as number;
  const even0 = (s0 + s4) << CONST_BITS;
  const even1 = (s0 - s4) << CONST_BITS;
  const t10 = even0 + even3;
  const t13 = even0 - even3;
  const t11 = even1 + even2;
  const t12 = even1 - even2;
  const o0 = from[at + 7 * step] as number;
  const o1 = from[at + 5 * step] as number;
  const o2 = from[at + 3 * step] as number;
  const o3 = from[at + step] as number;
  const z5 = (o0 + o2 + o1 + o3) * 9633;
  const y1 = (o0 + o3) * -7373;
  const y2 = (o1 + o2) * -20995;
  const y3 = (o0 + o2) * -16069 + z5;
  const y4 = (o1 + o3) * -3196 + z5;
  const q0 = o0 * 2446 + y1 + y3;
  const q1 = o1 * 16819 + y2 + y4;
  const q2 = o2 * 25172 + y2 + y3;
  const q3 = o3 * 12299 + y1 + y4;
  to[at] = descaled(t10 + q3, shift);
  to[at + 7 * step] = descaled(t10 - q3, shift);
  to[at + step] = descaled(t11 + q2, shift);
  to[at + 6 * step] = descaled(t11 - q2, shift);
  to[at + 2 * step] = descaled(t12 + q1, shift);
  to[at + 5 * step] = descaled(t12 - q1, shift);
  to[at + 3 * step] = descaled(t13 + q0, shift);
  to[at + 4 * step] = descaled(t13 - q0, shift);
}

function load(block: Int16Array, factors: Uint16Array): void {
  for (let k = 0; k < 64; k++) WORK[k] = (block[k] as number) * (factors[k] as number);
}

const isConstant = (block: Int16Array): boolean => {
  for (let k = 1; k < 64; k++) if (block[k] !== 0) return false;
  return true;
};

/** A block of one colour, which many are. */
function flat(
  block: Int16Array,
  factors: Uint16Array,
  plane: Uint8ClampedArray,
  place: number,
  stride: number,
  side: number,
): void {
  const value = descaled((block[0] as number) * (factors[0] as number), 3) + LEVEL;
  for (let y = 0; y < side; y++) plane.fill(value, place + y * stride, place + y * stride + side);
}

const full: InverseDct = (block, factors, plane, place, stride) => {
  if (isConstant(block)) {
    flat(block, factors, plane, place, stride, 8);
    return;
  }
  load(block, factors);
  for (let x = 0; x < 8; x++) eight(WORK, x, 8, WORK, CONST_BITS - PASS1_BITS);
  for (let y = 0; y < 8; y++) {
    eight(WORK, 8 * y, 1, WORK, FULL_SHIFT);
    for (let x = 0; x < 8; x++) plane[place + y * stride + x] = (WORK[8 * y + x] as number) + LEVEL;
  }
};

function four(at: number, step: number, shift: number): void {
  const even0 = (WORK[at] as number) << (CONST_BITS + 1);
  const even2 = (WORK[at + 2 * step] as number) * 15137 - (WORK[at + 6 * step] as number) * 6270;
  const z1 = WORK[at + 7 * step] as number;
  const z2 = WORK[at + 5 * step] as number;
  const z3 = WORK[at + 3 * step] as number;
  const z4 = WORK[at + step] as number;
  const odd0 = z1 * -1730 + z2 * 11893 - z3 * 17799 + z4 * 8697;
  const odd2 = z1 * -4176 - z2 * 4926 + z3 * 7373 + z4 * 20995;
  const t10 = even0 + even2;
  const t12 = even0 - even2;
  WORK[at] = descaled(t10 + odd2, shift);
  WORK[at + 3 * step] = descaled(t10 - odd2, shift);
  WORK[at + step] = descaled(t12 + odd0, shift);
  WORK[at + 2 * step] = descaled(t12 - odd0, shift);
}

const half: InverseDct = (block, factors, plane, place, stride) => {
  if (isConstant(block)) {
    flat(block, factors, plane, place, stride, 4);
    return;
  }
  load(block, factors);
  for (let x = 0; x < 8; x++) if (x !== 4) four(x, 8, CONST_BITS - PASS1_BITS + 1);
  for (let y = 0; y < 4; y++) {
    four(8 * y, 1, FULL_SHIFT + 1);
    for (let x = 0; x < 4; x++) plane[place + y * stride + x] = (WORK[8 * y + x] as number) + LEVEL;
  }
};

function two(at: number, step: number, shift: number): void {
  const even = (WORK[at] as number) << (CONST_BITS + 2);
  const odd =
    (WORK[at + 7 * step] as number) * -5906 +
    (WORK[at + 5 * step] as number) * 6967 +
    (WORK[at + 3 * step] as number) * -10426 +
    (WORK[at + step] as number) * 29692;
  WORK[at] = descaled(even + odd, shift);
  WORK[at + step] = descaled(even - odd, shift);
}

const quarter: InverseDct = (block, factors, plane, place, stride) => {
  if (isConstant(block)) {
    flat(block, factors, plane, place, stride, 2);
    return;
  }
  load(block, factors);
  for (const x of [0, 1, 3, 5, 7]) two(x, 8, CONST_BITS - PASS1_BITS + 2);
  for (let y = 0; y < 2; y++) {
    two(8 * y, 1, FULL_SHIFT + 2);
    plane[place + y * stride] = (WORK[8 * y] as number) + LEVEL;
    plane[place + y * stride + 1] = (WORK[8 * y + 1] as number) + LEVEL;
  }
};

const eighth: InverseDct = (block, factors, plane, place, stride) => {
  flat(block, factors, plane, place, stride, 1);
};

/** The inverse DCT that makes so many samples a side of a block. */
export function inverseDct(side: number): InverseDct {
  const known: Readonly<Record<number, InverseDct>> = { 8: full, 4: half, 2: quarter, 1: eighth };
  const found = known[side];
  if (found === undefined) throw new Error(`there is no inverse DCT of ${side}`);
  return found;
}
