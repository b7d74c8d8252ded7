import type { Appearance } from '../bundle/manifest.js';
import { SIDE, type Views } from './measuring.js';
import { type Channel, filtered, mean, opponent } from './planes.js';

/** Number of features that describe an image. */
export const FEATURES = 16;
const COARSE = 16;
const LAPLACIAN = [
  [0, 1, 0],
  [1, -4, 1],
  [0, 1, 0],
];
const SOBEL_ACROSS = [
  [-1, 0, 1],
  [-2, 0, 2],
  [-1, 0, 1],
];
const SOBEL_DOWN = [
  [-1, -2, -1],
  [0, 0, 0],
  [1, 2, 1],
];

/**
 * The features of an image: means and spreads of Y'CrCb (6), correlations between its channels (3), contrast at three
 * scales and mean gradient of the luma (4), and the difference of the centre from the whole image (3).
 */
export function featuresOf({ tiny, grey }: Views): number[] {
  const colours = opponent(tiny);
  const means = colours.map((each) => mean(each.values));
  const centred = colours.map((each, index) => each.values.map((value) => value - Math.fround(means[index] ?? 0)));
  const covariance = (one: number, other: number): number =>
    mean((centred[one] ?? []).map((value, index) => value * (centred[other]?.[index] ?? 0)));
  const spreads = [0, 1, 2].map((each) => Math.sqrt(covariance(each, each)));
  const correlations = ([[0, 1], [0, 2], [1, 2]] as const).map(
    ([one, other]) => covariance(one, other) / (((spreads[one] ?? 0) + 1e-3) * ((spreads[other] ?? 0) + 1e-3)),
  );
  const cores = colours.map((each, index) => (mean(core(each)) - (means[index] ?? 0)) / ((spreads[index] ?? 0) + 2));
  const logarithms = spreads.map((each) => Math.log(each + 1));
  return [...means, ...logarithms, ...correlations, ...texture(colours[0], grey), ...cores];
}

/** The middle quarter of a channel. */
function core({ side, values }: Channel): number[] {
  const quarter = side / 4;
  const isInside = (place: number): boolean => place >= quarter && place < 3 * quarter;
  return [...values].filter((_, index) => isInside(index % side) && isInside(Math.floor(index / side)));
}

function texture(luma: Channel, grey: Channel): number[] {
  const spreads = [luma, coarse(luma), grey].map((each) => Math.log(spreadOfLaplacian(each) + 0.5));
  const across = filtered(luma, SOBEL_ACROSS).values;
  const down = filtered(luma, SOBEL_DOWN).values;
  const lengths = across.map((each, index) => Math.fround(Math.sqrt(each * each + (down[index] as number) ** 2)));
  return [...spreads, Math.log(mean(lengths) + 1)];
}

/** A channel by area at 16 x 16. */
function coarse({ side, values }: Channel): Channel {
  const factor = side / COARSE;
  const out = Float64Array.from({ length: COARSE * COARSE }, (_, index) => {
    let sum = 0;
    const [left, top] = [(index % COARSE) * factor, Math.floor(index / COARSE) * factor];
    for (let y = 0; y < factor; y++) {
      for (let x = 0; x < factor; x++) sum += values[(top + y) * SIDE + left + x] as number;
    }
    return sum / (factor * factor);
  });
  return { side: COARSE, values: out };
}

function spreadOfLaplacian(channel: Channel): number {
  const { values } = filtered(channel, LAPLACIAN);
  const middle = mean(values);
  return Math.sqrt(mean(values.map((each) => (each - middle) ** 2)));
}

/** Squared Mahalanobis distance of features from the training images (Mahalanobis 1936). */
export function distanceOf(features: readonly number[], known: Appearance): number {
  const centred = features.map((each, index) => each - (known.mean[index] ?? NaN));
  return known.whitening.reduce((sum, row) => {
    const whitened = centred.reduce((total, each, index) => total + (row[index] ?? NaN) * each, 0);
    return sum + whitened * whitened;
  }, 0);
}
