import { describe, expect, it } from 'vitest';

import { objectOf } from '../src/bundle/json.js';
import { taskNamed } from '../src/tasks/tasks.js';
import { VECTORS, exact, near, number } from './vectors.js';

describe('decisions', () => {
  it.each(VECTORS.decisions.map((each) => [each.id, each] as const))('%s', (id, vector) => {
    const task = taskNamed(vector.task);
    const decision = objectOf(exact('decisions', id), 'decision');
    expect(task?.problemOf(decision)).toBeNull();
    expect(task?.contradictions(vector.classes, decision)).toEqual([]);
    const judgement = task?.judge(Float32Array.from(vector.logits, number), vector.classes, decision);
    if (judgement === undefined) throw new Error('no task');
    expect(judgement.label).toBe(vector.label);
    expect(judgement.reasons.length === 0 ? 'answer' : 'refer').toBe(vector.verdict);
    expect(judgement.reasons.map(({ code, text }) => ({ code, text }))).toEqual(vector.reasons);
    expect(judgement.conformalSet).toEqual(vector.conformal_set);
    expect(Object.fromEntries(judgement.findings)).toEqual(vector.findings);
    expect([...judgement.probabilities.keys()]).toEqual(vector.classes);
    for (const [name, value] of Object.entries(vector.probabilities)) {
      near(judgement.probabilities.get(name) ?? NaN, value, vector.tolerance, name);
    }
    expect(judgement.probability === null).toBe(vector.probability === null);
    if (vector.probability !== null) near(judgement.probability ?? NaN, vector.probability, vector.tolerance, 'label');
  });
});
