import { inflate } from 'pako';

import { Bytes, OutsideError, latin1 } from '../bundle/bytes.js';
import { bmpProfile } from './bmp.js';
import { type Format, Unreadable } from './header.js';
import { leadingSegments } from './jpeg.js';
import { joined, pngChunk } from './png.js';
import { webpProfile } from './webp.js';

const MAX_PROFILE = 4_000_000;
const ALIKE = 2;
const STEPS = 1 << 14;
const MOST_TAGS = 100;
const FIXED_ONE = 65_536;
const SRGB = [
  [0.43607, 0.38515, 0.14307],
  [0.22249, 0.71687, 0.06061],
  [0.01392, 0.09708, 0.7141],
];
const CURVES = ['rTRC', 'gTRC', 'bTRC'];
const PRIMARIES = ['rXYZ', 'gXYZ', 'bXYZ'];
const PARAMETERS = [1, 3, 4, 5, 7];

/** A profile contradicts itself, or is not a matrix with curves. */
class ProfileError extends Error {}

/** The sRGB level of each step of linear light (IEC 61966-2-1). */
const LEVELS = Uint8Array.from({ length: STEPS }, (_, step) => {
  const light = step / (STEPS - 1);
  return halfToEven(255 * (light <= 0.0031308 ? 12.92 * light : 1.055 * light ** (1 / 2.4) - 0.055));
});

/** Rounded to the nearest whole number, of two the even one. */
export function halfToEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest !== 0.5) return rest < 0.5 ? below : below + 1;
  return below % 2 === 0 ? below : below + 1;
}

/** Conversion of a profile's colours to sRGB: linear light of 256 levels by channel, and a matrix to sRGB's. */
export class ColourConversion {
  constructor(
    private readonly linear: readonly Float32Array[],
    private readonly matrix: readonly Float32Array[],
  ) {}

  /** The pixels RGB in sRGB, in place. */
  convert(rgb: Uint8Array): void {
    const at = (values: Float32Array | undefined, index: number): number => values?.[index] ?? 0;
    for (let place = 0; place < rgb.length; place += 3) {
      const light = [0, 1, 2].map((channel) => at(this.linear[channel], rgb[place + channel] ?? 0));
      for (let channel = 0; channel < 3; channel++) {
        const [r = 0, g = 0, b = 0] = light.map((each, from) => Math.fround(each * at(this.matrix[channel], from)));
        const value = Math.fround(Math.fround(r + g) + b);
        const step = Math.fround(Math.min(Math.max(value, 0), 1) * (STEPS - 1));
        rgb[place + channel] = LEVELS[halfToEven(step)] ?? 0;
      }
    }
  }

  /** Whether it changes no colour of a grid by more than two levels. */
  isSrgb(): boolean {
    const grid = new Uint8Array(3 * 18 ** 3);
    for (let index = 0; index < 18 ** 3; index++) {
      grid.set([15 * Math.floor(index / 324), 15 * (Math.floor(index / 18) % 18), 15 * (index % 18)], 3 * index);
    }
    const converted = grid.slice();
    this.convert(converted);
    return grid.every((each, index) => Math.abs(each - (converted[index] ?? 0)) <= ALIKE);
  }
}

/** The ICC profile that an encoded image carries, or null. */
export function profileIn(data: Bytes, format: Format): Uint8Array | null {
  switch (format) {
    case 'bmp':
      return bmpProfile(data);
    case 'jpeg':
      return inJpeg(data);
    case 'png':
      return inPng(data);
    case 'webp':
      return webpProfile(data);
  }
}

/** The profile, joined from its numbered parts in APP2 segments (ICC.1, annex B.4). */
function inJpeg(data: Bytes): Uint8Array | null {
  const parts = new Map<number, Uint8Array>();
  for (const segment of leadingSegments(data)) {
    if (segment.marker !== 0xe2 || !data.startsWith('ICC_PROFILE\0', segment.start)) continue;
    const part = data.slice(segment.start + 14, segment.end);
    if (part.length === 0) continue;
    const number = data.byte(segment.start + 12);
    const known = parts.get(number) ?? part;
    if (latin1(known) !== latin1(part)) throw notRead();
    parts.set(number, known);
  }
  const ordered = [...parts].sort(([one], [other]) => one - other);
  if (ordered.some(([number], index) => number !== index + 1)) throw notRead();
  const contents = ordered.map(([, part]) => part);
  const size = contents.reduce((sum, part) => sum + part.length, 0);
  return size === 0 ? null : joined(contents, size);
}

function inPng(data: Bytes): Uint8Array | null {
  const packed = pngChunk(data, 'iCCP');
  if (packed === null) return null;
  const name = packed.indexOf(0);
  if (name < 0) throw notRead();
  try {
    const profile = inflate(packed.subarray(name + 2));
    return profile.length > MAX_PROFILE ? profile.subarray(0, MAX_PROFILE) : profile;
  } catch {
    throw notRead();
  }
}

const notRead = (): Unreadable =>
  new Unreadable('has a colour profile that is not read', 'convert it to sRGB in an image program');

/** The conversion from the colours of a profile to sRGB; null where they are sRGB, or grey. */
export function conversionOf(profile: Uint8Array): ColourConversion | null {
  const data = new Bytes(profile);
  const space = data.text(16, 4);
  if (space === 'GRAY') return null;
  try {
    if (space !== 'RGB ') throw new ProfileError('not of such pixels');
    const conversion = conversionBy(tagsOf(data));
    return conversion.isSrgb() ? null : conversion;
  } catch (error) {
    if (!(error instanceof ProfileError || error instanceof OutsideError)) throw error;
    const text = latin1(profile);
    if (text.includes('sRGB') || text.includes('\0s\0R\0G\0B')) return null;
    throw notRead();
  }
}

function tagsOf(profile: Bytes): Map<string, Bytes> {
  const count = profile.int(128);
  if (count > MOST_TAGS) throw new ProfileError('more tags than a profile has');
  const tags = new Map<string, Bytes>();
  for (let index = 0; index < count; index++) {
    const place = 132 + 12 * index;
    const start = profile.int(place + 4);
    tags.set(profile.text(place, 4), new Bytes(profile.slice(start, start + profile.int(place + 8))));
  }
  return tags;
}

function conversionBy(tags: ReadonlyMap<string, Bytes>): ColourConversion {
  const tag = (name: string): Bytes => {
    const content = tags.get(name);
    if (content === undefined) throw new ProfileError(`no ${name}`);
    return content;
  };
  const primaries = PRIMARIES.map((name) => coordinates(tag(name)));
  const curves = CURVES.map((name) => curve(tag(name)));
  const matrix = inverted(SRGB).map((row) =>
    primaries.map((primary) => row.reduce((sum, each, index) => sum + each * (primary[index] ?? 0), 0)),
  );
  if (![...curves, ...matrix].every((row) => row.every(Number.isFinite))) throw new ProfileError('not a number');
  const floats = (rows: readonly (readonly number[])[]): Float32Array[] => rows.map((row) => Float32Array.from(row));
  return new ColourConversion(floats(curves), floats(matrix));
}

function coordinates(tag: Bytes): number[] {
  if (!tag.startsWith('XYZ ')) throw new ProfileError('no coordinates');
  return [0, 1, 2].map((index) => fixedPoint(tag, 8 + 4 * index));
}

const fixedPoint = (tag: Bytes, place: number): number => (tag.int(place) | 0) / FIXED_ONE;

const ofLevels = (light: (level: number) => number): number[] =>
  Array.from({ length: 256 }, (_, level) => light(level / 255));

/** Linear light of the levels 0 … 255 by the curve of a tag (ICC.1, 10.6 and 10.18). */
function curve(tag: Bytes): number[] {
  if (tag.startsWith('para')) return parametric(tag);
  if (!tag.startsWith('curv')) throw new ProfileError('no curve');
  const count = tag.int(8);
  if (count === 0) return ofLevels((level) => level);
  if (12 + 2 * count > tag.size) throw new ProfileError('a curve that is cut off');
  const values = Array.from({ length: count }, (_, index) => tag.short(12 + 2 * index));
  if (count === 1) return ofLevels((level) => level ** ((values[0] ?? 0) / 256));
  return ofLevels((level) => interpolated(level, values));
}

function interpolated(level: number, values: readonly number[]): number {
  const place = level * (values.length - 1);
  const below = Math.min(Math.trunc(place), values.length - 2);
  const low = (values[below] ?? 0) / 65535;
  return low + ((values[below + 1] ?? 0) / 65535 - low) * (place - below);
}

function parametric(tag: Bytes): number[] {
  const form = tag.short(8);
  const count = PARAMETERS[form];
  if (count === undefined) throw new ProfileError('an unknown form of curve');
  const given = Array.from({ length: count }, (_, index) => fixedPoint(tag, 12 + 4 * index));
  const [g = 0, a = 0, b = 0, third = 0, d = 0, e = 0, f = 0] = given;
  if (form === 0) return ofLevels((level) => level ** g);
  const simple = form <= 2; // the last number of form 2 is an offset
  const from = simple ? -b / a : d;
  const [slope, above, below] = simple ? [0, third, third] : [third, e, f];
  return ofLevels((level) => (level >= from ? Math.max(a * level + b, 0) ** g + above : slope * level + below));
}

/** The inverse of a matrix of three rows, by its cofactors. */
function inverted(rows: readonly (readonly number[])[]): number[][] {
  const at = (row: number, column: number): number => rows[row % 3]?.[column % 3] ?? 0;
  const cofactor = (row: number, column: number): number =>
    at(row + 1, column + 1) * at(row + 2, column + 2) - at(row + 1, column + 2) * at(row + 2, column + 1);
  const sides = [0, 1, 2];
  const determinant = sides.reduce((sum, column) => sum + at(0, column) * cofactor(0, column), 0);
  return sides.map((row) => sides.map((column) => cofactor(column, row) / determinant));
}
