import { type Bytes, OutsideError } from '../bundle/bytes.js';
import { type Pixels, corruptImage, damagedImage } from './header.js';
import { type InverseDct, inverseDct } from './idct.js';
import { readBlocks } from './jpeg-blocks.js';
import { CodeError, type Component, type JpegFrame, isStoredRgb, scansOf } from './jpeg-scans.js';
import { type Plane, type RowReader, upsampled } from './upsample.js';

/** A channel while its blocks arrive. */
interface Decoding {
  readonly plane: Plane;
  /** Samples a side of a block. */
  readonly side: number;
  readonly transform: InverseDct;
}

/**
 * The pixels of a JPEG at 1/`factor` of its size, bit for bit those of libjpeg-turbo with its defaults.
 *
 * @param factor 1, 2, 4 or 8.
 */
export function decodeJpeg(data: Bytes, factor: number): Pixels {
  const frame = frameOf(data);
  const least = 8 / factor;
  const channels = new Map(frame.components.map((each) => [each, decodingOf(frame, each, least)]));
  try {
    readScaled(data, channels);
  } catch (error) {
    if (error instanceof CodeError || error instanceof OutsideError) throw corruptImage('jpeg');
    throw error;
  }
  const width = Math.ceil(frame.width / factor);
  const height = Math.ceil(frame.height / factor);
  const rows = frame.components.map((each) => rowsOf(frame, each, channels.get(each), least));
  return { width, height, rgb: painted(rows, width, height, frame.components.length === 3 && !isStoredRgb(data, frame)) };
}

function frameOf(data: Bytes): JpegFrame {
  for (const scan of scansOf(data)) return scan.frame;
  throw damagedImage('jpeg');
}

/** Samples a side of a channel's blocks: more than the luma's where that spares upsampling (`jdmaster.c`). */
function sideOf(frame: JpegFrame, { across, down }: Component, least: number): number {
  let side = least;
  const fits = (most: number, own: number): boolean => (most * least) % (own * side * 2) === 0;
  while (side < 8 && fits(frame.mostAcross, across) && fits(frame.mostDown, down)) side *= 2;
  return side;
}

function decodingOf(frame: JpegFrame, component: Component, least: number): Decoding {
  const side = sideOf(frame, component, least);
  const stride = frame.unitsAcross * component.across * side;
  const rows = frame.unitsDown * component.down * side;
  const plane = {
    samples: new Uint8ClampedArray(stride * rows),
    stride,
    width: Math.ceil((frame.width * component.across * side) / (frame.mostAcross * 8)),
    height: Math.ceil((frame.height * component.down * side) / (frame.mostDown * 8)),
  };
  return { plane, side, transform: inverseDct(side) };
}

function readScaled(data: Bytes, channels: ReadonlyMap<Component, Decoding>): void {
  const factors = factorsOf(data);
  // The scans' components are other objects than the first frame's, with the same numbers.
  const byNumber = new Map([...channels].map(([component, decoding]) => [component.number, decoding]));
  readBlocks(data, (component, column, row, block) => {
    const channel = byNumber.get(component.number);
    const table = factors.get(component.table);
    if (channel === undefined || table === undefined) throw new CodeError();
    const { plane, side, transform } = channel;
    transform(block, table, plane.samples, row * side * plane.stride + column * side, plane.stride);
  });
}

/** The quantisation tables of the first scan; libjpeg keeps those that were in force when a channel began. */
function factorsOf(data: Bytes): ReadonlyMap<number, Uint16Array> {
  for (const scan of scansOf(data)) return scan.quantisation;
  return new Map();
}

function rowsOf(frame: JpegFrame, component: Component, decoding: Decoding | undefined, least: number): RowReader {
  if (decoding === undefined) throw damagedImage('jpeg');
  const across = (frame.mostAcross * least) / (component.across * decoding.side);
  const down = (frame.mostDown * least) / (component.down * decoding.side);
  if (!Number.isInteger(across) || !Number.isInteger(down)) throw damagedImage('jpeg');
  return upsampled(decoding.plane, across, down, least > 1);
}

const HALF = 1 << 15;
const scaled = (value: number): number => Math.floor(value * 65536 + 0.5);
const RED = scaled(1.402);
const BLUE = scaled(1.772);
const GREEN_OF_RED = -scaled(0.71414);
const GREEN_OF_BLUE = -scaled(0.34414);

/** The channels as RGB (`jdcolor.c`). */
function painted(rows: readonly RowReader[], width: number, height: number, coloured: boolean): Uint8Array {
  const rgb = new Uint8ClampedArray(3 * width * height);
  const lines = rows.map(() => new Uint8ClampedArray(width + 64));
  const [first, second = first, third = first] = lines;
  if (first === undefined || second === undefined || third === undefined) throw damagedImage('jpeg');
  let place = 0;
  for (let y = 0; y < height; y++) {
    rows.forEach((read, index) => read(y, lines[index] ?? first));
    for (let x = 0; x < width; x++, place += 3) {
      const luma = first[x] as number;
      if (!coloured) {
        rgb[place] = luma;
        rgb[place + 1] = second[x] as number;
        rgb[place + 2] = third[x] as number;
        continue;
      }
      const cb = (second[x] as number) - 128;
      const cr = (third[x] as number) - 128;
      rgb[place] = luma + ((RED * cr + HALF) >> 16);
      rgb[place + 1] = luma + ((GREEN_OF_BLUE * cb + GREEN_OF_RED * cr + HALF) >> 16);
      rgb[place + 2] = luma + ((BLUE * cb + HALF) >> 16);
    }
  }
  return new Uint8Array(rgb.buffer);
}
