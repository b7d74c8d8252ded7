import { type JsonObject, numberOf, numbersByName } from '../bundle/json.js';
import type { Reason } from '../prediction.js';
import { first, fixed, quoted, share } from '../text/text.js';
import { type Kind, NOT_FINITE, type Task, isFiniteOutput, isShare, isTemperature, problemOf, unfamiliar } from './task.js';

const FIELDS: Readonly<Record<string, Kind>> = {
  temperature: 'number',
  thresholds: 'numbers by name or null',
  threshold_sensitivity: 'number or null',
  refer_below: 'number or null',
  refer_coverage: 'number or null',
  energy_threshold: 'number or null',
  energy_kept: 'number or null',
  conformal_quantile: 'number or null',
  conformal_coverage: 'number or null',
  fitted_on: 'object',
};

/** One class for an image. */
export const CLASSIFICATION: Task = {
  problemOf: (decision) => problemOf(decision, FIELDS),

  contradictions(classes, decision) {
    const problems: string[] = [];
    if (classes.length < 2) problems.push('there must be two or more different names of classes');
    if (!isTemperature(temperatureOf(decision))) problems.push('temperature must lie between 0.001 and 10000');
    for (const [name, value] of numbersByName(decision, 'thresholds')) {
      if (classes.includes(name) && isShare(value)) continue;
      problems.push(`the threshold of ${quoted(first(name, 40))} must be of a class and lie between 0 and 1`);
      break;
    }
    for (const name of ['refer_below', 'conformal_quantile']) {
      const value = numberOf(decision, name);
      if (value !== null && !isShare(value)) problems.push(`${name} must lie between 0 and 1`);
    }
    return problems;
  },

  judge(logits, classes, decision) {
    const probabilities = softmax(logits, temperatureOf(decision));
    const thresholds = numbersByName(decision, 'thresholds');
    const top = indexOfLargest(logits);
    const quantile = numberOf(decision, 'conformal_quantile');
    return {
      label: classes[top] ?? '',
      reasons: reasonsOf(logits, probabilities, classes, decision),
      probability: probabilities[top] ?? NaN,
      probabilities: new Map(classes.map((name, index) => [name, probabilities[index] ?? NaN])),
      conformalSet: quantile === null ? null : plausible(probabilities, classes, quantile, thresholds),
      findings: new Map(),
    };
  },

  agree: (one, other) => indexOfLargest(one) === indexOfLargest(other),
};

/** Softmax of the logits over the temperature, in doubles; all NaN where a logit is not finite. */
function softmax(logits: Float32Array, temperature: number): number[] {
  const scaled = Array.from(logits, (each) => each / temperature);
  if (!isFiniteOutput(logits)) return scaled.map(() => NaN);
  const largest = Math.max(...scaled);
  const exponents = scaled.map((each) => Math.exp(each - largest));
  const sum = exponents.reduce((total, each) => total + each, 0);
  return exponents.map((each) => each / sum);
}

/** −log Σ exp(z) of the raw logits (Liu et al. 2020, equation 4 with T = 1). */
function energyOf(logits: Float32Array): number {
  const largest = Math.max(...logits);
  return -(largest + Math.log(logits.reduce((total, each) => total + Math.exp(each - largest), 0)));
}

function reasonsOf(
  logits: Float32Array,
  probabilities: readonly number[],
  classes: readonly string[],
  decision: JsonObject,
): Reason[] {
  if (!isFiniteOutput(logits) || !probabilities.every(Number.isFinite)) return [NOT_FINITE];
  return [
    ...unfamiliar(energyOf(logits), numberOf(decision, 'energy_threshold')),
    ...unsure(probabilities, numberOf(decision, 'refer_below')),
    ...notExcluded(probabilities, classes, numbersByName(decision, 'thresholds')),
  ];
}

function unsure(probabilities: readonly number[], least: number | null): Reason[] {
  const top = Math.max(...probabilities);
  if (least === null || top >= least) return [];
  const text = `the top probability ${fixed(top, 2)} is below ${fixed(least, 2)}`;
  return [{ code: 'unsure', text, about: 'output' }];
}

function notExcluded(
  probabilities: readonly number[],
  classes: readonly string[],
  thresholds: ReadonlyMap<string, number>,
): Reason[] {
  const top = probabilities.indexOf(Math.max(...probabilities));
  return classes.flatMap((name, index) => {
    const probability = probabilities[index] ?? NaN;
    const threshold = thresholds.get(name);
    if (index === top || threshold === undefined || !(probability >= threshold)) return [];
    const numbers = `${share(probability)} reaches ${share(threshold)}`;
    const text = `${name} cannot be excluded: its probability ${numbers}`;
    return [{ code: 'not-excluded', text, about: 'output' as const }];
  });
}

function plausible(
  probabilities: readonly number[],
  classes: readonly string[],
  quantile: number,
  thresholds: ReadonlyMap<string, number>,
): string[] {
  const top = Math.max(...probabilities);
  return classes.filter((name, index) => {
    const probability = probabilities[index] ?? NaN;
    // "Not above" instead of "up to": NaN compares false with everything and must stay in.
    return !(1 - probability > quantile) || probability === top || probability >= (thresholds.get(name) ?? Infinity);
  });
}

const temperatureOf = (decision: JsonObject): number => numberOf(decision, 'temperature') ?? 1;

/** The first of the largest; of a NaN, as NumPy's argmax has it, that of the first NaN. */
function indexOfLargest(logits: Float32Array): number {
  const strange = logits.findIndex((each) => Number.isNaN(each));
  return strange >= 0 ? strange : logits.indexOf(Math.max(...logits));
}
