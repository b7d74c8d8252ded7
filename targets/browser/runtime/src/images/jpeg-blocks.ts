import type { Bytes } from '../bundle/bytes.js';
import { Unreadable } from './header.js';
import { type ScanBits, restartIntervals } from './jpeg-bits.js';
import { CodeError, type CodeTable, type Component, type JpegFrame, type Scan, ZIGZAG, scansOf } from './jpeg-scans.js';

/** Most scan bytes of a progressive file; more are refused, as the contract has it. */
const MAX_WALKED = 4_000_000;

/** A block of 64 coefficients, not yet multiplied by their factors, at its place in a channel. */
export type BlockSink = (component: Component, column: number, row: number, block: Int16Array) => void;

/** All blocks of a channel, and the lowest bit decoded of each coefficient (−1 before the first). */
class Channel {
  readonly bits = new Int8Array(64).fill(-1);
  readonly across: number;
  readonly down: number;
  readonly blocks: Int16Array;

  constructor(frame: JpegFrame, component: Component) {
    this.across = frame.unitsAcross * component.across;
    this.down = frame.unitsDown * component.down;
    this.blocks = new Int16Array(64 * this.across * this.down);
  }

  block(column: number, row: number): Int16Array {
    const place = 64 * (row * this.across + column);
    return this.blocks.subarray(place, place + 64);
  }

  /** Record the bits that a scan adds; each must refine the bits of the one before. */
  advance(scan: Scan): void {
    for (let k = scan.first; k <= scan.last; k++) {
      const before = this.bits[k] ?? -1;
      if (scan.high !== Math.max(before, 0) || (k > 0 && (this.bits[0] ?? -1) < 0)) throw new CodeError();
      this.bits[k] = scan.low;
    }
  }
}

/**
 * Hand out every block of a picture. Its compressed data must be exactly those of its header: each scan, and each
 * interval between restart markers, must end at the bit where its last block ends, and every code must be in the tables
 * (docs/runtime-contract.md, section 3).
 *
 * @throws CodeError They are not.
 * @returns The quantisation tables, by number.
 */
export function readBlocks(data: Bytes, sink: BlockSink): ReadonlyMap<number, Uint16Array> {
  const passes: Scan[] = [];
  for (const scan of scansOf(data)) {
    passes.push(scan);
    if (scan.alone) break;
  }
  const [first] = passes;
  if (first === undefined) throw new CodeError();
  refuseLong(passes, first.frame);
  if (first.alone) {
    readAlone(data, first, sink);
    return first.quantisation;
  }
  const channels = new Map(first.frame.components.map((each) => [each, new Channel(first.frame, each)]));
  for (const scan of passes) {
    readPass(data, scan, channels);
    for (const member of scan.members) channels.get(member)?.advance(scan);
  }
  for (const [component, channel] of channels) {
    if (channel.bits.some((each) => each !== 0)) throw new CodeError();
    for (let row = 0; row < channel.down; row++) {
      for (let column = 0; column < channel.across; column++) {
        sink(component, column, row, channel.block(column, row));
      }
    }
  }
  return passes.at(-1)?.quantisation ?? first.quantisation;
}

function refuseLong(passes: readonly Scan[], frame: JpegFrame): void {
  const size = passes.reduce((sum, each) => sum + each.end - each.start, 0);
  if (frame.progressive && size > MAX_WALKED) {
    const problem = 'is a progressive JPEG too long to be checked for damage';
    throw new Unreadable(problem, 'save it as an ordinary (baseline) JPEG');
  }
}

/** Decode the one scan of a picture without keeping its blocks. */
function readAlone(data: Bytes, scan: Scan, sink: BlockSink): void {
  const block = new Int16Array(64);
  walk(data, scan, (bits, member, column, row, before) => {
    block.fill(0);
    const next = sequential(bits, scan.dc[member]?.(), scan.ac[member]?.(), block, before);
    const component = scan.members[member];
    if (component !== undefined) sink(component, column, row, block);
    return next;
  });
}

function readPass(data: Bytes, scan: Scan, channels: ReadonlyMap<Component, Channel>): void {
  const band = { zeros: 0 };
  const decode = decoderOf(scan, band);
  walk(
    data,
    scan,
    (bits, member, column, row, before) => {
      const component = scan.members[member];
      const channel = component === undefined ? undefined : channels.get(component);
      if (channel === undefined) throw new CodeError();
      return decode(bits, member, channel.block(column, row), before);
    },
    () => {
      if (band.zeros !== 0) throw new CodeError(); // a run of empty blocks beyond the last one
    },
  );
}

/** Decodes a block; takes and returns the DC value that the next block of the channel builds on. */
type Decoder = (bits: ScanBits, member: number, block: Int16Array, before: number) => number;

function decoderOf(scan: Scan, band: { zeros: number }): Decoder {
  const { low } = scan;
  if (!scan.frame.progressive) {
    return (bits, member, block, before) => sequential(bits, scan.dc[member]?.(), scan.ac[member]?.(), block, before);
  }
  if (scan.first === 0) {
    if (scan.high > 0) {
      return (bits, _, block): number => {
        block[0] = (block[0] ?? 0) | (bits.take(1) << low);
        return 0;
      };
    }
    return (bits, member, block, before): number => {
      const value = before + constant(bits, scan.dc[member]?.());
      block[0] = value << low;
      return value;
    };
  }
  const table = scan.ac[0]?.();
  if (table === undefined) throw new CodeError();
  const step = scan.high > 0 ? refinement : firstBand;
  return (bits, _, block): number => {
    step(bits, table, block, scan, band);
    return 0;
  };
}

type Visit = (bits: ScanBits, member: number, column: number, row: number, before: number) => number;

/** Visit every block of a scan in its order (ITU-T T.81, A.2). */
function walk(data: Bytes, scan: Scan, visit: Visit, atEnd: () => void = (): void => undefined): void {
  const { frame, members } = scan;
  const [only] = members;
  const single = only !== undefined && members.length === 1;
  const across = single ? frame.blocksAcross(only) : frame.unitsAcross;
  let unit = 0;
  for (const bits of restartIntervals(data, scan)) {
    const before = members.map(() => 0);
    const end = scan.interval > 0 ? Math.min(unit + scan.interval, scan.units) : scan.units;
    for (; unit < end; unit++) {
      const column = unit % across;
      const row = Math.floor(unit / across);
      if (single) {
        before[0] = visit(bits, 0, column, row, before[0] ?? 0);
        bits.refuseOverrun();
        continue;
      }
      members.forEach((member, index) => {
        for (let block = 0; block < member.across * member.down; block++) {
          const x = column * member.across + (block % member.across);
          const y = row * member.down + Math.floor(block / member.across);
          before[index] = visit(bits, index, x, y, before[index] ?? 0);
          bits.refuseOverrun();
        }
      });
    }
    bits.finish();
    atEnd();
  }
  if (unit !== scan.units) throw new CodeError();
}

/** The difference of a DC value from the one before. */
function constant(bits: ScanBits, table: CodeTable | undefined): number {
  const code = table?.[bits.ahead()] ?? 0;
  const size = code & 0xff;
  if (code === 0 || size > 15) throw new CodeError();
  bits.place += code >> 8;
  return bits.signed(size);
}

function sequential(
  bits: ScanBits,
  dc: CodeTable | undefined,
  ac: CodeTable | undefined,
  block: Int16Array,
  before: number,
): number {
  if (ac === undefined) throw new CodeError();
  const value = before + constant(bits, dc);
  block[0] = value;
  let k = 1;
  while (k < 64) {
    const code = ac[bits.ahead()] as number;
    if (code === 0) throw new CodeError();
    bits.place += code >> 8;
    const size = code & 15;
    const run = (code >> 4) & 15;
    if (size === 0) {
      if (run !== 15) return value;
      k += 16;
      continue;
    }
    k += run;
    if (k > 63) throw new CodeError();
    block[ZIGZAG[k] as number] = bits.signed(size);
    k++;
  }
  if (k !== 64) throw new CodeError();
  return value;
}

type Band = (bits: ScanBits, table: CodeTable, block: Int16Array, scan: Scan, band: { zeros: number }) => void;

/** The first pass over a band of AC coefficients (ITU-T T.81, G.1.2.2). */
const firstBand: Band = (bits, table, block, scan, band) => {
  if (band.zeros > 0) {
    band.zeros--;
    return;
  }
  let k = scan.first;
  while (k <= scan.last) {
    const code = table[bits.ahead()] ?? 0;
    if (code === 0) throw new CodeError();
    bits.place += code >> 8;
    const size = code & 15;
    const run = (code >> 4) & 15;
    if (size > 0) {
      k += run;
      if (k > scan.last) throw new CodeError();
      block[ZIGZAG[k] ?? 0] = bits.signed(size) << scan.low;
      k++;
    } else if (run === 15) {
      k += 16;
    } else {
      band.zeros = (1 << run) - 1 + bits.take(run);
      return;
    }
  }
};

/** A pass that adds a bit to coefficients that are non-zero already (ITU-T T.81, G.1.2.3). */
const refinement: Band = (bits, table, block, scan, band) => {
  let k = scan.first;
  if (band.zeros === 0) {
    while (k <= scan.last) {
      const code = table[bits.ahead()] ?? 0;
      const size = code & 15;
      const run = (code >> 4) & 15;
      if (code === 0 || size > 1) throw new CodeError();
      bits.place += code >> 8;
      if (size === 0 && run < 15) {
        band.zeros = (1 << run) + bits.take(run);
        break;
      }
      const value = size === 0 ? 0 : bits.take(1) === 1 ? 1 << scan.low : -1 << scan.low;
      k = skipZeros(bits, block, scan, k, run);
      if (value !== 0) {
        if (k > scan.last) throw new CodeError();
        block[ZIGZAG[k] ?? 0] = value;
      }
      k++;
    }
  }
  if (band.zeros > 0) {
    skipZeros(bits, block, scan, k, 64);
    band.zeros--;
  }
};

/** The zero coefficient after `count` others from `k` on; each non-zero one before it takes a bit. */
function skipZeros(bits: ScanBits, block: Int16Array, scan: Scan, k: number, count: number): number {
  let left = count;
  for (let at = k; at <= scan.last; at++) {
    const place = ZIGZAG[at] ?? 0;
    const value = block[place] ?? 0;
    if (value === 0) {
      if (left === 0) return at;
      left--;
    } else if (bits.take(1) === 1) {
      block[place] = value + (value > 0 ? 1 << scan.low : -1 << scan.low);
    }
  }
  return scan.last + 1;
}
