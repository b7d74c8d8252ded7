import { describe, expect, it } from 'vitest';

import { onnxRuntime } from '../src/engine/onnxruntime.js';
import { differences } from './predictions.js';
import { VECTORS, bytes } from './vectors.js';

/** LiteRT.js loads its code by a page's script element, so its vectors run in the browser alone. */
const HERE = VECTORS.predictions.filter((each) => each.backend === 'onnx');

describe('predictions in Node', () => {
  it.each(HERE.map((each) => [each.id, each] as const))('%s', async (_, vector) => {
    expect(await differences(vector, onnxRuntime(), (name) => Promise.resolve(bytes(name)))).toEqual([]);
  });
});
