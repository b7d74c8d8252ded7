import { describe, expect, it } from 'vitest';

import { objectOf } from '../src/bundle/json.js';
import { captureRule } from '../src/bundle/manifest.js';
import { featuresOf } from '../src/capture/appearances.js';
import { examine, problems } from '../src/capture/judging.js';
import { viewsOf } from '../src/capture/measuring.js';
import { VECTORS, bytes, exact, near, number } from './vectors.js';

describe('captures', () => {
  it.each(VECTORS.captures.map((each) => [each.id, each] as const))('%s', (id, vector) => {
    const square = bytes(vector.square);
    const rule = captureRule(objectOf(exact('captures', id), 'rule'));
    const quality = examine(square, vector.size, rule);
    const measures = new Map<string, number>(Object.entries(quality.measures));
    for (const [name, value] of Object.entries(vector.measures)) {
      near(measures.get(name) ?? NaN, value, vector.tolerance, name);
    }
    const features = featuresOf(viewsOf(square, vector.size));
    vector.features.forEach((each, index) => near(features[index] ?? NaN, each, vector.tolerance, `feature ${index}`));
    expect(quality.distance === null).toBe(vector.distance === null);
    if (vector.distance !== null) {
      const tolerance = vector.tolerance * Math.max(1, number(vector.distance));
      near(quality.distance ?? NaN, vector.distance, tolerance, 'distance');
    }
    expect(problems(quality, rule).map(({ code, text }) => ({ code, text }))).toEqual(vector.reasons);
  });
});
