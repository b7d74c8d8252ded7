import { type JsonObject, arrayOf, numberOf, numbersByName, texts } from '../bundle/json.js';
import type { FindingState, Reason } from '../prediction.js';
import { first, quoted, share } from '../text/text.js';
import { type Kind, NOT_FINITE, type Task, isFiniteOutput, isTemperature, problemOf, unfamiliar } from './task.js';

const PRESENT_FROM = 0.5;
const NOTHING = 'none';
const FIELDS: Readonly<Record<string, Kind>> = {
  temperature: 'number',
  present_from: 'numbers by name or null',
  absent_below: 'numbers by name or null',
  critical: 'texts',
  threshold_sensitivity: 'number or null',
  refer_coverage: 'number or null',
  energy_threshold: 'number or null',
  energy_kept: 'number or null',
  fitted_on: 'object',
};

/** Findings that may occur together. */
export const MULTILABEL: Task = {
  problemOf: (decision) => problemOf(decision, FIELDS),

  contradictions(classes, decision) {
    const problems: string[] = [];
    if (!isTemperature(numberOf(decision, 'temperature') ?? 1)) {
      problems.push('temperature must lie between 0.001 and 10000');
    }
    const names = ['present_from', 'absent_below'].flatMap((each) => [...numbersByName(decision, each).keys()]);
    const strange = [...names, ...criticalOf(decision)].find((each) => !classes.includes(each));
    if (strange !== undefined) problems.push(`${quoted(first(strange, 40))} of the decision is no finding of the model`);
    const limits = new Limits(decision);
    const unordered = names.find((each) => !limits.areOrdered(each));
    if (unordered !== undefined) {
      const name = quoted(first(unordered, 40));
      problems.push(`the thresholds of ${name} must be ordered 0 <= absent_below <= present_from <= 1`);
    }
    return problems;
  },

  judge(logits, classes, decision) {
    const shares = new Map<string, number>();
    const findings = new Map<string, FindingState>();
    const limits = new Limits(decision);
    const probabilities = sigmoid(logits, numberOf(decision, 'temperature') ?? 1);
    classes.forEach((name, index) => {
      const probability = probabilities[index] ?? NaN;
      shares.set(name, probability);
      findings.set(name, limits.stateOf(name, probability));
    });
    const present = classes.filter((name) => findings.get(name) === 'present');
    return {
      label: present.length === 0 ? NOTHING : present.join(';'),
      reasons: reasonsOf(logits, shares, findings, decision),
      probability: null,
      probabilities: shares,
      conformalSet: null,
      findings,
    };
  },

  agree: (one, other) =>
    isFiniteOutput(one) && isFiniteOutput(other) && one.every((each, index) => each >= 0 === (other[index] ?? NaN) >= 0),
};

/** The sigmoid of the logits over the temperature; all NaN where a logit is not finite. */
function sigmoid(logits: Float32Array, temperature: number): number[] {
  if (!isFiniteOutput(logits)) return Array.from(logits, () => NaN);
  return Array.from(logits, (each) => {
    const scaled = each / temperature;
    const small = Math.exp(-Math.abs(scaled)); // never above 1, so it cannot overflow
    return (scaled >= 0 ? 1 : small) / (1 + small);
  });
}

/** −Σ log(1 + exp z) over the findings (Wang et al. 2021, JointEnergy). */
const energyOf = (logits: Float32Array): number =>
  -logits.reduce((total, each) => total + Math.max(each, 0) + Math.log1p(Math.exp(-Math.abs(each))), 0);

function reasonsOf(
  logits: Float32Array,
  shares: ReadonlyMap<string, number>,
  findings: ReadonlyMap<string, FindingState>,
  decision: JsonObject,
): Reason[] {
  if (!isFiniteOutput(logits)) return [NOT_FINITE];
  const unsure = [...findings].filter(([, state]) => state === 'unsure').map(([name]) => name);
  return [
    ...unfamiliar(energyOf(logits), numberOf(decision, 'energy_threshold')),
    ...unsure.map((name) => uncertain(name, shares.get(name) ?? NaN, decision)),
  ];
}

function uncertain(name: string, probability: number, decision: JsonObject): Reason {
  const limits = new Limits(decision);
  const absent = share(limits.absent(name));
  const shown = share(probability);
  if (criticalOf(decision).includes(name)) {
    const text = `${name} cannot be excluded: its probability ${shown} reaches ${absent}`;
    return { code: 'not-excluded', text, about: 'output' };
  }
  const text = `the probability ${shown} of ${name} lies between ${absent} and ${share(limits.present(name))}`;
  return { code: 'unsure', text, about: 'output' };
}

const criticalOf = (decision: JsonObject): string[] => texts(arrayOf(decision, 'critical'));

class Limits {
  private readonly presentFrom: ReadonlyMap<string, number>;
  private readonly absentBelow: ReadonlyMap<string, number>;

  constructor(decision: JsonObject) {
    this.presentFrom = numbersByName(decision, 'present_from');
    this.absentBelow = numbersByName(decision, 'absent_below');
  }

  present(name: string): number {
    return this.presentFrom.get(name) ?? PRESENT_FROM;
  }

  absent(name: string): number {
    return this.absentBelow.get(name) ?? this.present(name);
  }

  areOrdered(name: string): boolean {
    return this.absent(name) >= 0 && this.absent(name) <= this.present(name) && this.present(name) <= 1;
  }

  stateOf(name: string, probability: number): FindingState {
    if (probability >= this.present(name)) return 'present';
    return probability < this.absent(name) ? 'absent' : 'unsure';
  }
}
