import type { CaptureRule, Sentence } from '../bundle/manifest.js';
import type { CaptureQuality, Reason } from '../prediction.js';
import { general } from '../text/text.js';
import { distanceOf, featuresOf } from './appearances.js';
import { measuresOf, viewsOf } from './measuring.js';

const UNLIKE = 'unlike';

/** Reason codes by measure: for a value below its limits, and for one above. */
const CODES: Readonly<Record<string, readonly [string | null, string | null]>> = {
  sharpness: ['blurred', null],
  brightness: ['dark', 'bright'],
  glare: [null, 'glare'],
  contrast: ['no-lesion', null],
  off_centre: [null, 'off-centre'],
};

/** Sentences for bundles of a format before 1.6, which carry none and are for dermoscopy. */
const SENTENCES_BEFORE_1_6: ReadonlyMap<string, Sentence> = new Map([
  ['blurred', { problem: 'the photo is blurred', remedy: 'hold still and focus' }],
  ['dark', { problem: 'the photo is too dark', remedy: 'switch the light on' }],
  ['bright', { problem: 'the photo is too bright', remedy: 'lower the exposure' }],
  ['glare', { problem: 'the photo has glare', remedy: 'tilt it, or use contact fluid' }],
  ['no-lesion', { problem: 'no lesion stands out from the skin', remedy: 'point at the lesion' }],
  ['off-centre', { problem: 'the lesion is cut off or off centre', remedy: 'centre it' }],
  [UNLIKE, { problem: 'the photo looks like none that the network learnt', remedy: 'point at a lesion' }],
]);

/** The measures of a square of RGB. */
export function examine(square: Uint8Array, size: number, rule: CaptureRule): CaptureQuality {
  const views = viewsOf(square, size);
  const { appearance } = rule;
  return {
    measures: measuresOf(views),
    distance: appearance === null ? null : distanceOf(featuresOf(views), appearance),
  };
}

/** Why the photo should be taken again; empty where it need not. */
export const problems = (quality: CaptureQuality, rule: CaptureRule): Reason[] => [
  ...outOfLimits(quality, rule),
  ...unlike(quality, rule),
];

function outOfLimits(quality: CaptureQuality, rule: CaptureRule): Reason[] {
  const values = new Map<string, number>(Object.entries(quality.measures));
  const reasons: Reason[] = [];
  for (const [name, limit] of rule.limits) {
    const value = values.get(name);
    if (value === undefined) continue; // a measure of a newer edgekd
    const [low, high] = CODES[name] ?? [null, null];
    if (low !== null && limit.low !== null && value < limit.low) {
      reasons.push(reason(rule, low, name, `${general(value, 3)} is below ${general(limit.low, 3)}`));
    }
    if (high !== null && limit.high !== null && value > limit.high) {
      reasons.push(reason(rule, high, name, `${general(value, 3)} is above ${general(limit.high, 3)}`));
    }
  }
  return reasons;
}

function unlike({ distance }: CaptureQuality, rule: CaptureRule): Reason[] {
  const limit = rule.appearance?.limit;
  if (distance === null || limit === undefined || distance <= limit) return []; // not `<=` of a NaN, which is unlike all
  return [reason(rule, UNLIKE, 'distance', `${general(distance, 3)} is above ${general(limit, 3)}`)];
}

function reason(rule: CaptureRule, code: string, name: string, numbers: string): Reason {
  const sentences = rule.sentences.size > 0 ? rule.sentences : SENTENCES_BEFORE_1_6;
  const { problem, remedy } = sentences.get(code) ?? { problem: `the photo is ${code}`, remedy: 'take another' };
  return { code, text: `${problem} (${name.replaceAll('_', ' ')} ${numbers}): ${remedy}`, about: 'photo' };
}
