import { Classifier } from '../src/classifier.js';
import type { Engine } from '../src/engine/engine.js';
import type { PredictionCase } from './vectors.js';

/** What differs between a prediction and its vector, in words; empty where nothing does. */
export async function differences(
  vector: PredictionCase,
  engine: Engine,
  read: (name: string) => Promise<Uint8Array>,
  threads = 1,
): Promise<string[]> {
  const classifier = await Classifier.open(await read(vector.bundle), { engines: [engine], engine: { threads } });
  const prediction = await classifier.predict(await read(vector.photo));
  classifier.close();
  const found: string[] = [];
  const compare = (name: string, value: unknown, expected: unknown): void => {
    const [one, other] = [JSON.stringify(value), JSON.stringify(expected)];
    if (one !== other) found.push(`${name}: ${one} for ${other}`);
  };
  const near = (name: string, value: number | undefined, expected: number, tolerance: number): void => {
    const difference = Math.abs((value ?? NaN) - expected);
    if (!(difference <= tolerance)) found.push(`${name}: ${value} for ${expected}`);
  };
  compare('logits', prediction.logits.length, vector.logits.length);
  vector.logits.forEach((each, index) => near(`logit ${index}`, prediction.logits[index], each, vector.logits_tolerance));
  compare('label', prediction.label, vector.label);
  compare('decision', prediction.decision, vector.decision);
  compare('reasons', prediction.reasons.map((each) => each.code), vector.reasons);
  compare('set', prediction.conformalSet, vector.conformal_set);
  for (const [name, value] of Object.entries(vector.probabilities)) {
    near(name, prediction.probabilities.get(name), Number(value), 1e-12 + vector.logits_tolerance);
  }
  return found;
}
