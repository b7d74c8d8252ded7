import { Inflate } from 'pako';

import { Bytes } from '../bundle/bytes.js';
import { type ImageHeader, Unreadable, corruptImage, damagedImage, header } from './header.js';

export const PNG_SIGNATURE = '\x89PNG\r\n\x1a\n';
const MAX_CHUNKS = 100_000;
const MAX_COMPRESSED_TEXTS = 32;
const MAX_BESIDES = 16_000_000;
const MOST_COLOUR_BYTES = 32;
export const PALETTE = 3;
const END = '\0\0\0\0IEND\xaeB`\x82'; // with its length and checksum
const PIXELS = new Set(['IHDR', 'PLTE', 'IDAT', 'IEND', 'tRNS']);
const COMPRESSED = new Set(['zTXt', 'iTXt', 'iCCP']);
const ANIMATION = new Set(['acTL', 'fcTL', 'fdAT']);
const CHANNELS: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

interface Chunk {
  readonly kind: string;
  readonly start: number;
  readonly length: number;
}

/** The picture as its header chunk declares it. */
export interface PngLayout {
  readonly width: number;
  readonly height: number;
  readonly depth: number;
  readonly colour: number;
  readonly channels: number;
  readonly interlaced: boolean;
}

/** The header of a PNG (RFC 2083; PNG third edition for the animation chunks). */
export function readPng(data: Bytes): ImageHeader {
  const chunks = [...chunksOf(data)];
  const [first] = chunks;
  if (first === undefined) return header({ format: 'png', complete: false });
  if (first.kind !== 'IHDR' || first.length !== 13) throw damagedImage('png');
  const { width, height, depth, colour } = layoutOf(data);
  refuseKinds(data, chunks, colour);
  refuseStuffing(chunks);
  refuseColours(data, chunks);
  const alpha = colour === 4 || colour === 6;
  return header({
    format: 'png',
    width,
    height,
    complete: data.text((chunks.at(-1)?.start ?? 8) - 8, END.length) === END,
    alpha,
    bytesPerPixel: !alpha ? 6 : depth === 16 ? 16 : 8,
  });
}

export const layoutOf = (data: Bytes): PngLayout => ({
  width: data.int(16),
  height: data.int(20),
  depth: data.byte(24),
  colour: data.byte(25),
  channels: CHANNELS[data.byte(25)] ?? 1,
  interlaced: data.byte(28) !== 0,
});

/** Start and distance, across and down, of the pixels of each pass (RFC 2083, 2.6). */
const ADAM7: readonly Pass[] = [
  { left: 0, top: 0, across: 8, down: 8 },
  { left: 4, top: 0, across: 8, down: 8 },
  { left: 0, top: 4, across: 4, down: 8 },
  { left: 2, top: 0, across: 4, down: 4 },
  { left: 0, top: 2, across: 2, down: 4 },
  { left: 1, top: 0, across: 2, down: 2 },
  { left: 0, top: 1, across: 1, down: 2 },
];
const WHOLE: readonly Pass[] = [{ left: 0, top: 0, across: 1, down: 1 }];

export interface Pass {
  readonly left: number;
  readonly top: number;
  readonly across: number;
  readonly down: number;
}

/** The passes of a layout that have pixels, with the columns, rows and bytes of a row of each. */
export function passesOf(layout: PngLayout): (Pass & { columns: number; rows: number; bytes: number })[] {
  const bits = layout.depth * layout.channels;
  return (layout.interlaced ? ADAM7 : WHOLE)
    .map((pass) => {
      const columns = Math.max(0, Math.ceil((layout.width - pass.left) / pass.across));
      const rows = Math.max(0, Math.ceil((layout.height - pass.top) / pass.down));
      return { ...pass, columns, rows, bytes: Math.ceil((columns * bits) / 8) };
    })
    .filter((pass) => pass.columns > 0 && pass.rows > 0);
}

/** The rows of all passes, each with its filter byte; refused where they are not exactly those of the picture. */
export function unpackedRows(data: Bytes): Uint8Array {
  const expected = passesOf(layoutOf(data)).reduce((sum, pass) => sum + pass.rows * (1 + pass.bytes), 0);
  const unpacker = new Inflate();
  const parts: Uint8Array[] = [];
  let size = 0;
  unpacker.onData = (chunk): void => {
    size += chunk.length;
    if (size <= expected) parts.push(chunk);
  };
  for (const chunk of chunksOf(data)) {
    if (chunk.kind !== 'IDAT' || chunk.length === 0 || unpacker.ended) continue;
    unpacker.push(data.slice(chunk.start, chunk.start + chunk.length));
    if (unpacker.err !== 0 || size > expected) throw corruptImage('png');
  }
  if (!unpacker.ended) unpacker.push(new Uint8Array(0), 2); // hand out what is unpacked
  if (size !== expected) throw corruptImage('png');
  return joined(parts, expected);
}

export function joined(parts: readonly Uint8Array[], size: number): Uint8Array {
  const whole = new Uint8Array(size);
  let place = 0;
  for (const part of parts) {
    whole.set(part, place);
    place += part.length;
  }
  return whole;
}

/** The content of the first chunk of a kind; null where there is none before the pixels. */
export function pngChunk(data: Bytes, kind: string): Uint8Array | null {
  for (const chunk of chunksOf(data)) {
    if (chunk.kind === 'IDAT') break;
    if (chunk.kind === kind) return data.slice(chunk.start, chunk.start + chunk.length);
  }
  return null;
}

function* chunksOf(data: Bytes): Generator<Chunk> {
  let place = PNG_SIGNATURE.length;
  for (let count = 0; count < MAX_CHUNKS; count++) {
    if (place + 12 > data.size) return;
    const length = data.int(place);
    if (place + 12 + length > data.size) return;
    const chunk = { kind: data.text(place + 4, 4), start: place + 8, length };
    yield chunk;
    if (chunk.kind === 'IEND') return;
    place += 12 + length;
  }
  throw new Unreadable(`is a PNG of more than ${MAX_CHUNKS} chunks`, 'save it again');
}

function refuseKinds(data: Bytes, chunks: readonly Chunk[], colour: number): void {
  for (const chunk of chunks) {
    if (ANIMATION.has(chunk.kind)) {
      throw new Unreadable('is an animated PNG', 'save one picture of it as a plain PNG');
    }
    const order = data.text(chunk.start, Math.min(chunk.length, 2));
    if (chunk.kind === 'eXIf' && order !== 'II' && order !== 'MM') throw damagedImage('png'); // as some decoders do
    if (chunk.kind !== 'tRNS') continue;
    const levels = data.slice(chunk.start, chunk.start + chunk.length);
    if (colour !== PALETTE || levels.some((each) => each < 255)) {
      throw new Unreadable(
        'has transparent colours, and what lies under them is not the photo',
        'save it without transparency',
      );
    }
  }
}

function refuseStuffing(chunks: readonly Chunk[]): void {
  const texts = chunks.filter((each) => COMPRESSED.has(each.kind)).length;
  const besides = chunks.filter((each) => !PIXELS.has(each.kind)).reduce((sum, each) => sum + each.length, 0);
  if (texts > MAX_COMPRESSED_TEXTS || besides > MAX_BESIDES) {
    throw new Unreadable(
      `is a PNG with ${besides} bytes of text and profiles in ${texts} compressed blocks`,
      'save it without metadata',
    );
  }
}

const SRGB_GAMMA = 45_455;
const GAMMA_SPARE = 2_500;
const SRGB_PRIMARIES = [31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6_000];
const PRIMARIES_SPARE = 1_000;
const SRGB_CODES = '\x01\x0d\0\x01'; // ITU-T H.273

/** Refuse colour spaces other than sRGB that are declared without an ICC profile. */
function refuseColours(data: Bytes, chunks: readonly Chunk[]): void {
  const contents = new Map(
    chunks.map((each) => [
      each.kind,
      new Bytes(data.slice(each.start, each.start + Math.min(each.length, MOST_COLOUR_BYTES))),
    ]),
  );
  const codes = contents.get('cICP');
  const declared = contents.has('iCCP') || contents.has('sRGB'); // they take precedence
  const alike =
    codes !== undefined
      ? codes.text(0, 4) === SRGB_CODES
      : declared || (hasGamma(contents.get('gAMA')) && hasPrimaries(contents.get('cHRM')));
  if (!alike) throw new Unreadable('is a PNG in other colours than sRGB', 'save it as sRGB');
}

const hasGamma = (gamma?: Bytes): boolean =>
  gamma === undefined || gamma.size < 4 || Math.abs(gamma.int(0) - SRGB_GAMMA) <= GAMMA_SPARE;

const hasPrimaries = (primaries?: Bytes): boolean =>
  primaries?.size !== MOST_COLOUR_BYTES ||
  SRGB_PRIMARIES.every((each, index) => Math.abs(primaries.int(4 * index) - each) <= PRIMARIES_SPARE);
