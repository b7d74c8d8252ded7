import type { Bytes } from '../bundle/bytes.js';
import { type Pixels, damagedImage } from './header.js';
import { PALETTE, type PngLayout, layoutOf, passesOf, pngChunk, unpackedRows } from './png.js';

/** Pixels of a PNG, and whether each of them is opaque. */
export interface PngPixels extends Pixels {
  readonly opaque: boolean;
}

/** The pixels of a PNG that was accepted; samples of 16 bits lose their lower byte. */
export function decodePng(data: Bytes): PngPixels {
  const layout = layoutOf(data);
  const colours = coloursOf(data, layout);
  const rows = unpackedRows(data);
  const image = { rgb: new Uint8Array(3 * layout.width * layout.height), opaque: true };
  const distance = Math.max(1, (layout.depth * layout.channels) >> 3);
  let place = 0;
  for (const pass of passesOf(layout)) {
    let above = new Uint8Array(pass.bytes);
    for (let row = 0; row < pass.rows; row++) {
      const line = rows.slice(place + 1, place + 1 + pass.bytes);
      unfilter(rows[place] ?? 0, line, above, distance);
      const y = pass.top + row * pass.down;
      above = line;
      place += 1 + pass.bytes;
      if (layout.depth === 8 && layout.channels === 3 && !layout.interlaced) {
        image.rgb.set(line, 3 * y * layout.width);
        continue;
      }
      for (let column = 0; column < pass.columns; column++) {
        paint(image, 3 * (y * layout.width + pass.left + column * pass.across), line, column, layout, colours);
      }
    }
  }
  return { width: layout.width, height: layout.height, ...image };
}

/** The colours of a palette; else null. */
function coloursOf(data: Bytes, { colour, depth }: PngLayout): Uint8Array | null {
  const depths: Readonly<Record<number, readonly number[]>> = {
    0: [1, 2, 4, 8, 16],
    2: [8, 16],
    3: [1, 2, 4, 8],
    4: [8, 16],
    6: [8, 16],
  };
  if (depths[colour]?.includes(depth) !== true) throw damagedImage('png');
  if (colour !== PALETTE) return null;
  const colours = pngChunk(data, 'PLTE');
  if (colours === null || colours.length % 3 !== 0) throw damagedImage('png');
  return colours;
}

function paint(
  image: { rgb: Uint8Array; opaque: boolean },
  place: number,
  line: Uint8Array,
  column: number,
  layout: PngLayout,
  colours: Uint8Array | null,
): void {
  const { rgb } = image;
  const { depth, channels } = layout;
  if (depth < 8) {
    const level = (line[(column * depth) >> 3] ?? 0) >> (8 - depth - ((column * depth) & 7));
    const value = level & ((1 << depth) - 1);
    const grey = (value * 255) / ((1 << depth) - 1);
    for (let channel = 0; channel < 3; channel++) {
      rgb[place + channel] = colours === null ? grey : (colours[3 * value + channel] ?? 0);
    }
    return;
  }
  const step = depth >> 3;
  const from = column * channels * step;
  for (let channel = 0; channel < 3; channel++) {
    const value = line[from + (channels < 3 ? 0 : channel * step)] ?? 0;
    rgb[place + channel] = colours === null ? value : (colours[3 * value + channel] ?? 0);
  }
  if (channels === 2 || channels === 4) {
    for (let byte = 0; byte < step; byte++) {
      if (line[from + (channels - 1) * step + byte] !== 255) image.opaque = false;
    }
  }
}

/** Undo a row's filter in place (RFC 2083, 6). */
function unfilter(filter: number, line: Uint8Array, above: Uint8Array, distance: number): void {
  if (filter > 4) throw damagedImage('png');
  const guess = GUESSES[filter];
  if (guess === undefined) return;
  for (let index = 0; index < line.length; index++) {
    const inside = index >= distance;
    const left = inside ? (line[index - distance] ?? 0) : 0;
    const corner = inside ? (above[index - distance] ?? 0) : 0;
    line[index] = (line[index] ?? 0) + guess(left, above[index] ?? 0, corner);
  }
}

type Guess = (left: number, up: number, corner: number) => number;

const GUESSES: readonly (Guess | undefined)[] = [
  undefined,
  (left): number => left,
  (_, up): number => up,
  (left, up): number => (left + up) >> 1,
  (left, up, corner): number => paeth(left, up, corner),
];

function paeth(left: number, up: number, corner: number): number {
  const guess = left + up - corner;
  const a = Math.abs(guess - left);
  const b = Math.abs(guess - up);
  const c = Math.abs(guess - corner);
  if (a <= b && a <= c) return left;
  return b <= c ? up : corner;
}
