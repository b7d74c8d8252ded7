import { describe, expect, it } from 'vitest';

import { sha256 } from '../src/bundle/bytes.js';
import { squareOf } from '../src/images/decoding.js';
import { VECTORS, bytes, refuses } from './vectors.js';

/** Formats that the contract lets a runtime leave out, and this one does. */
const NOT_READ = new Set(['tiff']);

describe('photos', () => {
  it.each(VECTORS.photos.map((each) => [each.id, each] as const))('%s', async (_, vector) => {
    const read = (): Promise<Uint8Array> => squareOf(bytes(vector.photo), vector.size);
    if (NOT_READ.has(vector.needs)) {
      await expect(read()).rejects.toThrow('does not read');
    } else if (vector.refused) {
      await refuses(vector.refused, read);
    } else {
      const square = await read();
      const expected = bytes(vector.square);
      expect(await sha256(expected)).toBe(vector.sha256);
      expect(square.length).toBe(expected.length);
      const largest = square.reduce((most, each, place) => Math.max(most, Math.abs(each - (expected[place] ?? 0))), 0);
      expect(largest).toBeLessThanOrEqual(vector.max_difference);
    }
  });
});
