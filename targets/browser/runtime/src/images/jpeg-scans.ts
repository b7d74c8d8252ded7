import { Bytes } from '../bundle/bytes.js';
import { Unreadable, damagedImage } from './header.js';
import { PROGRESSIVE, START_OF_SCAN, endOfScan, segments } from './jpeg.js';

const HUFFMAN = 0xc4;
const QUANTISATION = 0xdb;
const INTERVAL = 0xdd;
const ADOBE = 0xee;
const JFIF = 0xe0;
const SPAN = 1 << 16;

/** The compressed data of a JPEG do not match its header. */
export class CodeError extends Error {}

/** The order in which coefficients of a block are coded (ITU-T T.81, figure 5). */
export const ZIGZAG = Uint8Array.from([
  0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21,
  28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54,
  47, 55, 62, 63,
]);

/** One channel of the frame: its number, its blocks across and down an MCU, and its quantisation table. */
export interface Component {
  readonly number: number;
  readonly across: number;
  readonly down: number;
  readonly table: number;
}

/** The picture as its frame header declares it. */
export class JpegFrame {
  readonly mostAcross: number;
  readonly mostDown: number;

  constructor(
    readonly width: number,
    readonly height: number,
    readonly components: readonly Component[],
    readonly progressive: boolean,
  ) {
    this.mostAcross = Math.max(1, ...components.map((each) => each.across));
    this.mostDown = Math.max(1, ...components.map((each) => each.down));
  }

  get unitsAcross(): number {
    return Math.ceil(this.width / (8 * this.mostAcross));
  }

  get unitsDown(): number {
    return Math.ceil(this.height / (8 * this.mostDown));
  }

  /** Blocks across a scan of one channel. */
  blocksAcross(component: Component): number {
    return Math.ceil(Math.ceil((this.width * component.across) / this.mostAcross) / 8);
  }

  blocksDown(component: Component): number {
    return Math.ceil(Math.ceil((this.height * component.down) / this.mostDown) / 8);
  }
}

/**
 * A Huffman table as lookup by the value of the next 16 bits: the length of the code times 256, and its symbol; 0 where
 * there is no such code (ITU-T T.81, annex C).
 */
export type CodeTable = Uint16Array;

/** One pass over the picture (ITU-T T.81, G.1.1), coded from `start` to before `end`. */
export interface Scan {
  readonly frame: JpegFrame;
  readonly members: readonly Component[];
  readonly first: number;
  readonly last: number;
  readonly high: number;
  readonly low: number;
  readonly dc: readonly (() => CodeTable)[];
  readonly ac: readonly (() => CodeTable)[];
  /** The quantisation tables in force, by number. */
  readonly quantisation: ReadonlyMap<number, Uint16Array>;
  readonly interval: number;
  readonly start: number;
  readonly end: number;
  /** Number of coded units: blocks of one channel, else MCUs. */
  readonly units: number;
  /** Whether it holds the whole picture, so that decoders read no other. */
  readonly alone: boolean;
}

/** The scans of a JPEG that was found complete, each with the tables in force there. */
export function* scansOf(data: Bytes): Generator<Scan> {
  let frame: JpegFrame | null = null;
  let tables: ReadonlyMap<number, Uint8Array> = new Map();
  let quantisation: ReadonlyMap<number, Uint16Array> = new Map();
  let interval = 0;
  for (const { marker, start, end } of segments(data)) {
    const body = new Bytes(data.slice(start, end));
    if (marker >= 0xc0 && marker <= PROGRESSIVE) frame = frameOf(marker, body);
    if (marker === HUFFMAN) tables = new Map([...tables, ...codesOf(body)]);
    if (marker === QUANTISATION) quantisation = new Map([...quantisation, ...factorsOf(body)]);
    if (marker === INTERVAL) interval = body.size >= 2 ? body.short(0) : 0;
    if (marker !== START_OF_SCAN) continue;
    if (frame === null) throw damagedImage('jpeg');
    const scan = scanOf(frame, body, tables);
    yield { ...scan, quantisation, interval, start: end, end: endOfScan(data, end) };
  }
}

/** Whether the three channels are RGB already, by the guesses that libjpeg makes. */
export function isStoredRgb(data: Bytes, frame: JpegFrame): boolean {
  let transform: number | null = null;
  for (const { marker, start } of segments(data)) {
    if (marker === START_OF_SCAN) break;
    if (marker === JFIF && data.startsWith('JFIF\0', start)) return false;
    if (marker === ADOBE && data.startsWith('Adobe', start)) transform = data.byte(start + 11);
  }
  if (transform !== null) return transform === 0;
  return String.fromCharCode(...frame.components.map((each) => each.number)) === 'RGB';
}

function frameOf(marker: number, body: Bytes): JpegFrame {
  const components: Component[] = [];
  for (let place = 6; place + 2 < body.size; place += 3) {
    const factors = body.byte(place + 1);
    const table = body.byte(place + 2);
    components.push({ number: body.byte(place), across: factors >> 4, down: factors & 15, table });
  }
  const known = (factor: number): boolean => factor >= 1 && factor <= 4;
  if (!components.every((each) => known(each.across) && known(each.down))) throw damagedImage('jpeg');
  const [only] = components;
  // One block per unit, whatever its sampling factors.
  const used = only !== undefined && components.length === 1 ? [{ ...only, across: 1, down: 1 }] : components;
  return new JpegFrame(body.short(3), body.short(1), used, marker === PROGRESSIVE);
}

/** The Huffman tables of a DHT segment by class and number: 16 numbers of codes, and the symbols. */
function codesOf(body: Bytes): Map<number, Uint8Array> {
  const tables = new Map<number, Uint8Array>();
  let place = 0;
  while (place + 17 <= body.size) {
    const count = body.slice(place + 1, place + 17).reduce((sum, each) => sum + each, 0);
    tables.set(body.byte(place), body.slice(place + 1, place + 17 + count));
    place += 17 + count;
  }
  return tables;
}

/** The factors of a DQT segment by number, in the order of a block's rows. */
function factorsOf(body: Bytes): Map<number, Uint16Array> {
  const tables = new Map<number, Uint16Array>();
  let place = 0;
  while (place < body.size) {
    const wide = body.byte(place) >> 4 !== 0;
    const factors = new Uint16Array(64);
    if (place + 1 + (wide ? 128 : 64) > body.size) throw damagedImage('jpeg');
    for (let k = 0; k < 64; k++) {
      factors[ZIGZAG[k] ?? 0] = wide ? body.short(place + 1 + 2 * k) : body.byte(place + 1 + k);
    }
    tables.set(body.byte(place) & 15, factors);
    place += wide ? 129 : 65;
  }
  return tables;
}

/** A table as lookup, made where it is needed first. */
function lookupOf(codes: Uint8Array | undefined): () => CodeTable {
  let made: CodeTable | undefined;
  return () => {
    if (codes === undefined) {
      const problem = 'is a JPEG without its code tables, as cut out of a video';
      throw new Unreadable(problem, 'save it as an ordinary JPEG');
    }
    made ??= LOOKUPS.get(codes) ?? lookup(codes);
    LOOKUPS.set(codes, made);
    return made;
  };
}

const LOOKUPS = new WeakMap<Uint8Array, CodeTable>();

function lookup(codes: Uint8Array): CodeTable {
  const table = new Uint16Array(SPAN);
  let place = 0;
  let symbol = 16;
  for (let length = 1; length <= 16; length++) {
    for (let count = codes[length - 1] ?? 0; count > 0; count--) {
      const span = 1 << (16 - length);
      if (symbol >= codes.length || place + span > SPAN) throw new CodeError();
      table.fill((length << 8) | (codes[symbol] ?? 0), place, place + span);
      place += span;
      symbol++;
    }
  }
  return table;
}

type ScanHeader = Omit<Scan, 'quantisation' | 'interval' | 'start' | 'end'>;

function scanOf(frame: JpegFrame, body: Bytes, tables: ReadonlyMap<number, Uint8Array>): ScanHeader {
  const count = body.size > 0 ? body.byte(0) : 0;
  if (body.size !== 4 + 2 * count || count < 1 || count > frame.components.length) throw damagedImage('jpeg');
  const pairs = Array.from({ length: count }, (_, n) => [body.byte(1 + 2 * n), body.byte(2 + 2 * n)] as const);
  const members = pairs.flatMap(([number]) => frame.components.filter((each) => each.number === number).slice(0, 1));
  if (new Set(members).size !== count) throw damagedImage('jpeg');
  const place = body.size - 3;
  const { progressive } = frame;
  const first = progressive ? body.byte(place) : 0;
  const last = progressive ? body.byte(place + 1) : 63;
  const bits = progressive ? body.byte(place + 2) : 0;
  const mixed = progressive && (first === 0) !== (last === 0);
  if (first > last || last > 63 || mixed || (first > 0 && count > 1)) throw damagedImage('jpeg');
  const [only] = members;
  const single = only !== undefined && count === 1;
  return {
    frame,
    members,
    first,
    last,
    high: bits >> 4,
    low: bits & 15,
    dc: pairs.map(([, number]) => lookupOf(tables.get(number >> 4))),
    ac: pairs.map(([, number]) => lookupOf(tables.get(0x10 | (number & 15)))),
    units: single ? frame.blocksAcross(only) * frame.blocksDown(only) : frame.unitsAcross * frame.unitsDown,
    alone: !progressive && count === frame.components.length,
  };
}
