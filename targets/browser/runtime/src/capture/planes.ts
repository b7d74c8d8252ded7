import { halfToEven } from '../images/profile.js';

/** One channel of a square, row by row. */
export interface Channel {
  readonly side: number;
  readonly values: Float64Array;
}

/** A place beyond the border, mirrored without repeating the border (OpenCV's `BORDER_REFLECT_101`). */
const inside = (place: number, side: number): number => {
  if (place < 0) return -place;
  return place < side ? place : 2 * (side - 1) - place;
};

/** A channel convolved with weights of rows, which lie about the pixel. */
export function filtered({ side, values }: Channel, weights: readonly (readonly number[])[]): Channel {
  const reach = (weights.length - 1) / 2;
  const out = new Float64Array(values.length);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      let sum = 0;
      weights.forEach((row, down) => {
        const from = side * inside(y + down - reach, side);
        row.forEach((weight, across) => {
          if (weight !== 0) sum += weight * (values[from + inside(x + across - reach, side)] as number);
        });
      });
      out[y * side + x] = sum;
    }
  }
  return { side, values: out };
}

/** Means of `width` x `width` pixels, rounded to whole levels. */
export function blurred(channel: Channel, width: number): Channel {
  const weights = Array.from({ length: width }, () => Array.from({ length: width }, () => 1));
  const sums = filtered(channel, weights);
  return { side: sums.side, values: sums.values.map((each) => Math.round(each / (width * width))) };
}

/** Weights of a Gaussian in 256ths; what rounding loses goes on to the next, and at last to the middle. */
function gaussianWeights(sigma: number): number[] {
  const width = Math.round(sigma * 6 + 1) | 1;
  const reach = (width - 1) / 2;
  const raw = Array.from({ length: width }, (_, index) => Math.exp(-((index - reach) ** 2) / (2 * sigma * sigma)));
  const total = raw.reduce((sum, each) => sum + each, 0);
  const weights = raw.map(() => 0);
  let error = 0;
  for (let index = 0; index < reach; index++) {
    const exact = (256 * (raw[index] ?? 0)) / total + error;
    const whole = halfToEven(exact);
    error = exact - whole;
    weights[index] = weights[width - 1 - index] = whole;
  }
  weights[reach] = 256 - weights.reduce((sum, each) => sum + each, 0);
  return weights;
}

/** OpenCV's Gaussian blur of levels, in fixed point. */
export function gaussian(channel: Channel, sigma: number): Channel {
  const weights = gaussianWeights(sigma);
  const reach = (weights.length - 1) / 2;
  const column = weights.map((each) => Array.from({ length: weights.length }, (_, at) => (at === reach ? each : 0)));
  const row = weights.map((_, at) => (at === reach ? weights : weights.map(() => 0)));
  const sums = filtered(filtered(channel, row), column);
  return { side: sums.side, values: sums.values.map((each) => Math.floor((each + 32768) / 65536)) };
}

/** Rows of an ellipse of 5 x 5: how far each reaches from its middle. */
const ELLIPSE = [0, 2, 2, 2, 0];

/** Each pixel the largest (or smallest) of those that the ellipse covers inside of the square. */
function spread({ side, values }: Channel, choose: (one: number, other: number) => number): Channel {
  const out = new Float64Array(values.length);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      let value = values[y * side + x] as number;
      ELLIPSE.forEach((reach, index) => {
        const row = y + index - 2;
        if (row < 0 || row >= side) return;
        for (let column = Math.max(0, x - reach); column <= Math.min(side - 1, x + reach); column++) {
          value = choose(value, values[row * side + column] as number);
        }
      });
      out[y * side + x] = value;
    }
  }
  return { side, values: out };
}

/** Closed by the ellipse: thin dark lines, such as hairs, vanish. */
export const closed = (channel: Channel): Channel => spread(spread(channel, Math.max), Math.min);

export const mean = (values: Float64Array | readonly number[]): number => {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
};

/** The three channels of RGB, row by row. */
export function channelsOf(rgb: Uint8Array, side: number): [Channel, Channel, Channel] {
  const pick = (channel: number): Channel => ({
    side,
    values: Float64Array.from({ length: side * side }, (_, index) => rgb[3 * index + channel] as number),
  });
  return [pick(0), pick(1), pick(2)];
}

/** Luma of RGB by OpenCV's weights of 15 bits. */
export function greyOf(rgb: Uint8Array, side: number): Channel {
  const values = Float64Array.from({ length: side * side }, (_, index) => {
    const at = (channel: number): number => rgb[3 * index + channel] as number;
    return (at(0) * 9798 + at(1) * 19235 + at(2) * 3735 + 16384) >> 15;
  });
  return { side, values };
}

/** RGB as luma and two colour differences (Y'CrCb, ITU-R BT.601) by OpenCV's weights of 14 bits. */
export function opponent([red, green, blue]: readonly [Channel, Channel, Channel]): [Channel, Channel, Channel] {
  const { side } = red;
  const luma = new Float64Array(side * side);
  const cr = new Float64Array(side * side);
  const cb = new Float64Array(side * side);
  const level = (value: number): number => Math.min(Math.max(value, 0), 255);
  for (let index = 0; index < luma.length; index++) {
    const [r, g, b] = [red.values[index] as number, green.values[index] as number, blue.values[index] as number];
    const y = (r * 4899 + g * 9617 + b * 1868 + 8192) >> 14;
    luma[index] = y;
    cr[index] = level(((r - y) * 11682 + (128 << 14) + 8192) >> 14);
    cb[index] = level(((b - y) * 9241 + (128 << 14) + 8192) >> 14);
  }
  return [
    { side, values: luma },
    { side, values: cr },
    { side, values: cb },
  ];
}
