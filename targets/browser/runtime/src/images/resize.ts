import { type Pixels } from './header.js';
import { halfToEven } from './profile.js';

/** The centre square of some pixels. */
export function centreSquare(image: Pixels): Pixels {
  const side = Math.min(image.width, image.height);
  if (image.width === side && image.height === side) return image;
  const left = Math.floor((image.width - side) / 2);
  const top = Math.floor((image.height - side) / 2);
  const rgb = new Uint8Array(3 * side * side);
  for (let y = 0; y < side; y++) {
    const from = 3 * ((top + y) * image.width + left);
    rgb.set(image.rgb.subarray(from, from + 3 * side), 3 * y * side);
  }
  return { width: side, height: side, rgb };
}

/** A square of `side` of RGB resized by area to `size`: OpenCV's `INTER_AREA`, bit for bit. */
export function resizedByArea(rgb: Uint8Array, side: number, size: number): Uint8Array {
  if (side === size) return rgb;
  if (side < size) return enlarged(rgb, side, size);
  return side % size === 0 ? byWholeBlocks(rgb, side, size) : byCoveredArea(rgb, side, size);
}

function byWholeBlocks(rgb: Uint8Array, side: number, size: number): Uint8Array {
  const factor = side / size;
  const out = new Uint8Array(3 * size * size);
  const weight = Math.fround(1 / (factor * factor));
  for (let index = 0; index < out.length; index++) {
    const channel = index % 3;
    const x = Math.floor(index / 3) % size;
    const y = Math.floor(index / (3 * size));
    let sum = 0;
    for (let row = y * factor; row < (y + 1) * factor; row++) {
      const from = 3 * (row * side + x * factor) + channel;
      for (let place = from; place < from + 3 * factor; place += 3) sum += rgb[place] as number;
    }
    out[index] = factor === 2 ? (sum + 2) >> 2 : halfToEven(Math.fround(Math.fround(sum) * weight));
  }
  return out;
}

/** A source pixel's share of a target pixel. */
interface Share {
  readonly to: number;
  readonly from: number;
  readonly weight: number;
}

/** OpenCV's `computeResizeAreaTab`. */
function sharesOf(side: number, size: number): Share[] {
  const scale = 1 / (size / side);
  const shares: Share[] = [];
  for (let to = 0; to < size; to++) {
    const start = to * scale;
    const end = start + scale;
    const cell = Math.min(scale, side - start);
    const last = Math.min(Math.floor(end), side - 1);
    const first = Math.min(Math.ceil(start), last);
    const add = (from: number, weight: number): void => {
      shares.push({ to, from, weight: Math.fround(weight) });
    };
    if (first - start > 1e-3) add(first - 1, (first - start) / cell);
    for (let from = first; from < last; from++) add(from, 1 / cell);
    if (end - last > 1e-3) add(last, Math.min(Math.min(end - last, 1), cell) / cell);
  }
  return shares;
}

function byCoveredArea(rgb: Uint8Array, side: number, size: number): Uint8Array {
  const shares = sharesOf(side, size);
  const out = new Uint8Array(3 * size * size);
  const line = new Float32Array(3 * size);
  const sums = new Float32Array(3 * size);
  let row = 0;
  const store = (): void => {
    for (let x = 0; x < sums.length; x++) out[3 * row * size + x] = clamped(halfToEven(sums[x] as number));
    sums.fill(0);
  };
  for (const { to, from, weight } of shares) {
    if (to !== row) {
      store();
      row = to;
    }
    line.fill(0);
    for (const each of shares) {
      const source = 3 * (from * side + each.from);
      const target = 3 * each.to;
      for (let channel = 0; channel < 3; channel++) {
        // Products are rounded to binary32 first, as without fused multiplication.
        line[target + channel] =
          (line[target + channel] as number) + Math.fround((rgb[source + channel] as number) * each.weight);
      }
    }
    for (let x = 0; x < line.length; x++) {
      sums[x] = (sums[x] as number) + Math.fround(weight * (line[x] as number));
    }
  }
  store();
  return out;
}

const clamped = (value: number): number => Math.min(Math.max(value, 0), 255);

const ONE = 2048;

/** OpenCV's linear interpolation in fixed point with the weights of area, by which `INTER_AREA` enlarges. */
function enlarged(rgb: Uint8Array, side: number, size: number): Uint8Array {
  const places = Array.from({ length: size }, (_, to) => placeOf(to, side, size));
  const out = new Uint8Array(3 * size * size);
  const lines = Array.from({ length: side }, (_, y) => {
    const line = new Int32Array(3 * size);
    for (let index = 0; index < line.length; index++) {
      const { from, first, second } = places[Math.floor(index / 3)] ?? places[0] ?? EDGE;
      const place = 3 * (y * side + from) + (index % 3);
      const next = 3 * (y * side + Math.min(from + 1, side - 1)) + (index % 3);
      line[index] = (rgb[place] as number) * first + (rgb[next] as number) * second;
    }
    return line;
  });
  places.forEach(({ from, first, second }, y) => {
    const above = lines[from];
    const below = lines[Math.min(from + 1, side - 1)];
    if (above === undefined || below === undefined) return;
    for (let x = 0; x < above.length; x++) {
      const one = (first * ((above[x] as number) >> 4)) >> 16;
      const other = (second * ((below[x] as number) >> 4)) >> 16;
      out[3 * y * size + x] = (one + other + 2) >> 2;
    }
  });
  return out;
}

const EDGE = { from: 0, first: ONE, second: 0 };

function placeOf(to: number, side: number, size: number): { from: number; first: number; second: number } {
  const inverse = size / side;
  const from = Math.floor(to * (1 / inverse)); // as OpenCV rounds it, which moves places on a border
  if (from >= side - 1) return { from: side - 1, first: ONE, second: 0 };
  const raw = Math.fround(to + 1 - (from + 1) * inverse);
  const share = raw <= 0 ? 0 : Math.fround(raw - Math.floor(raw));
  return {
    from,
    first: halfToEven(Math.fround(Math.fround(1 - share) * ONE)),
    second: halfToEven(Math.fround(share * ONE)),
  };
}

/** A square of RGB by OpenCV's bit-exact linear interpolation (`INTER_LINEAR_EXACT`), weights of 8 bits. */
export function resizedLinearly(rgb: Uint8Array, side: number, size: number): Uint8Array {
  if (side === size) return rgb;
  const places = Array.from({ length: size }, (_, to) => exactPlace(to, side, size));
  const lines = new Map<number, Int32Array>();
  const lineAt = (y: number): Int32Array => {
    const known = lines.get(y);
    if (known !== undefined) return known;
    const line = new Int32Array(3 * size);
    places.forEach(({ from, share }, x) => {
      for (let channel = 0; channel < 3; channel++) {
        const place = 3 * (y * side + from) + channel;
        const next = 3 * (y * side + Math.min(from + 1, side - 1)) + channel;
        line[3 * x + channel] = (rgb[place] as number) * (256 - share) + (rgb[next] as number) * share;
      }
    });
    lines.set(y, line);
    return line;
  };
  const out = new Uint8Array(3 * size * size);
  places.forEach(({ from, share }, y) => {
    const above = lineAt(from);
    const below = lineAt(Math.min(from + 1, side - 1));
    for (let x = 0; x < above.length; x++) {
      const value = (above[x] as number) * (256 - share) + (below[x] as number) * share;
      out[3 * y * size + x] = (value + 32768) >> 16;
    }
  });
  return out;
}

function exactPlace(to: number, side: number, size: number): { from: number; share: number } {
  const place = (1 / (size / side)) * (to + 0.5) - 0.5;
  const from = Math.floor(place);
  if (from < 0) return { from: 0, share: 0 };
  if (from >= side - 1) return { from: side - 1, share: 0 };
  return { from, share: halfToEven((place - from) * 256) };
}
