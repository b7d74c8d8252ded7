import { describe, expect, it } from 'vitest';

import { Bundle } from '../src/bundle/bundle.js';
import { Classifier } from '../src/classifier.js';
import { onnxRuntime } from '../src/engine/onnxruntime.js';
import { VECTORS, bytes, refuses } from './vectors.js';

describe('bundles', () => {
  it.each(VECTORS.bundles.map((each) => [each.id, each] as const))('%s', async (_, vector) => {
    const content = bytes(vector.bundle);
    const key = vector.public_key === null ? undefined : bytes(vector.public_key);
    // Those that an engine opens too need one; ONNX Runtime's runs in Node.
    const options = { engines: [onnxRuntime()], ...(key === undefined ? {} : { publicKey: key }) };
    const open = (): Promise<unknown> => (vector.runs ? Classifier.open(content, options) : Bundle.open(content, key));
    if (vector.refused) {
      await refuses(vector.refused, open);
      return;
    }
    const bundle = await Bundle.open(content, key);
    // LiteRT.js runs in a page alone; browser.test.ts opens those there.
    if (bundle.manifest.backend !== 'tflite') await open();
    expect(bundle.sha256).toBe(vector.sha256);
    expect(bundle.signature).toBe(vector.signature);
    expect(bundle.manifest.classes).toEqual(vector.classes);
    expect(bundle.manifest.capture?.coverage ?? null).toBe(vector.coverage);
    expect(bundle.manifest.warnings).toEqual(vector.warnings);
  });
});
