import { resizedByArea, resizedLinearly } from '../images/resize.js';
import type { Measure } from '../prediction.js';
import { type Channel, blurred, channelsOf, closed, gaussian, greyOf, mean, opponent } from './planes.js';

export const SIDE = 64;
const DETAIL_SIDE = 128;
const WHITE = 245;
const BLUR = 1.5;
const FLT_EPSILON = 2 ** -23;

/** Distance of each row or column of the thumbnail from its centre. */
const axis = (index: number): number => index - (SIDE - 1) / 2;
const across = (place: number): number => axis(place % SIDE);
const down = (place: number): number => axis(Math.floor(place / SIDE));

/** The places of the disc of a dermatoscope; outside of it there may be a black rim. */
const DISC = Array.from({ length: SIDE * SIDE }, (_, place) => place).filter(
  (place) => across(place) ** 2 + down(place) ** 2 < (SIDE / 2 - 0.5) ** 2,
);

type Channels = [Channel, Channel, Channel];

/** Two smaller versions of an image: RGB of 64 x 64 pixels, and luma of at most 128 x 128 for detail. */
export interface Views {
  readonly tiny: Channels;
  readonly grey: Channel;
}

export function viewsOf(square: Uint8Array, size: number): Views {
  const side = Math.min(size, DETAIL_SIDE);
  const detailed = resizedLinearly(square, size, side);
  return { tiny: channelsOf(resizedByArea(detailed, side, SIDE), SIDE), grey: greyOf(detailed, side) };
}

export function measuresOf({ tiny, grey }: Views): Record<Measure, number> {
  const smooth: Channels = [closed(tiny[0]), closed(tiny[1]), closed(tiny[2])];
  const colours = opponent(smooth);
  const { contrast, offCentre } = lesionIn(smooth[1], colours);
  return {
    sharpness: sharpness(grey),
    brightness: brightness(colours[0]),
    glare: glare(tiny),
    contrast,
    off_centre: offCentre,
  };
}

/** Mean of |mean over 3 x 3 − mean over 5 x 5|. */
function sharpness(grey: Channel): number {
  const coarse = blurred(grey, 5).values;
  return mean(blurred(grey, 3).values.map((each, index) => Math.abs(each - (coarse[index] as number))));
}

/** Median luma of the disc, 0 to 1. */
function brightness(luma: Channel): number {
  const levels = Float64Array.from(DISC, (place) => luma.values[place] as number).sort();
  const middle = levels.length >> 1;
  const upper = levels[middle] as number;
  return (levels.length % 2 === 1 ? upper : (upper + (levels[middle - 1] as number)) / 2) / 255;
}

/** Share of the disc whose darkest channel is at least 245. */
const glare = (tiny: Channels): number =>
  DISC.filter((place) => tiny.every((each) => (each.values[place] as number) >= WHITE)).length / DISC.length;

/** Contrast and position of the region darker in green than Otsu's threshold, within the disc (Otsu 1979). */
function lesionIn(green: Channel, colours: Channels): { contrast: number; offCentre: number } {
  const levels = gaussian(green, BLUR).values;
  const threshold = otsu(DISC.map((place) => levels[place] as number));
  const lesion = DISC.filter((place) => (levels[place] as number) <= threshold);
  if (lesion.length === 0 || lesion.length === DISC.length) return { contrast: 0, offCentre: 0 };
  const skin = DISC.filter((place) => (levels[place] as number) > threshold);
  const of = (channel: Channel, places: readonly number[]): number =>
    mean(places.map((place) => channel.values[place] as number));
  const differences = colours.map((each) => of(each, lesion) - of(each, skin));
  return {
    contrast: Math.sqrt(differences.reduce((sum, each) => sum + each * each, 0)),
    offCentre: Math.hypot(mean(lesion.map(across)), mean(lesion.map(down))) / (SIDE / 2),
  };
}

/** The threshold of levels 0 … 255 that separates two classes best, as OpenCV computes it. */
function otsu(levels: readonly number[]): number {
  const histogram = new Float64Array(256);
  for (const level of levels) histogram[level] = (histogram[level] as number) + 1;
  const scale = 1 / levels.length;
  const total = histogram.reduce((sum, count, level) => sum + count * level, 0) * scale;
  let [share, below, best, threshold] = [0, 0, 0, 0];
  histogram.forEach((count, level) => {
    const own = count * scale;
    below *= share;
    share += own;
    const rest = 1 - share;
    if (Math.min(share, rest) < FLT_EPSILON || Math.max(share, rest) > 1 - FLT_EPSILON) return;
    below = (below + level * own) / share;
    const above = (total - share * below) / rest;
    const between = share * rest * (below - above) ** 2;
    if (between > best) [best, threshold] = [between, level];
  });
  return threshold;
}
