import { type Classifier, type Identity, type Prediction, fhirReport } from '@edgekd/runtime';

import { button, dimmed, make, painted } from './dom.js';
import { currentLanguage, reasonWord, word } from './words.js';

/** A photo with what was decided on it. */
export interface Result {
  readonly name: string;
  readonly time: string;
  /** Hex SHA-256 of the photo's file; null for a camera's frame. */
  readonly sha256: string | null;
  readonly square: Uint8Array;
  readonly size: number;
  readonly prediction: Prediction;
  /** The map of what speaks for the answer; null where there is none. */
  readonly explain: (() => Promise<Float64Array>) | null;
  readonly identity: Identity;
  /** What a saved file says of the network. */
  readonly network: Readonly<Record<string, string>>;
}

/** What a saved file says of the network that decided. */
export const networkOf = (classifier: Classifier): Record<string, string> => ({
  name: classifier.modelName,
  precision: classifier.precision,
  bundle_sha256: classifier.bundleSha256,
  signature: classifier.signature,
  ...classifier.facts,
});

const percent = (share: number): string =>
  new Intl.NumberFormat(currentLanguage(), { style: 'percent', maximumFractionDigits: 1 }).format(share);

/** A result for people; the label is shown as an answer only where it is one. */
export function cardOf(result: Result, remove: () => void): HTMLElement {
  const { prediction, name } = result;
  const { decision } = prediction;
  const heading = make('h3', { tabindex: '-1' }, word(`decision.${decision}`));
  if (decision === 'answer') {
    const share = prediction.probability === null ? '' : ` (${percent(prediction.probability)})`;
    heading.append(`: ${prediction.label}${share}`);
  }
  return make(
    'article',
    { class: `card ${decision}`, 'data-photo': name, 'data-decision': decision },
    heading,
    make('p', { class: 'soft' }, `${name}, ${new Date(result.time).toLocaleString(currentLanguage())}`),
    painted(result.square, result.size, word('square')),
    ...reasonsOf(prediction),
    ...setOf(prediction),
    ...explanationOf(result),
    probabilitiesOf(prediction),
    make(
      'div',
      { class: 'actions' },
      button(word('save'), () => save(result)),
      button(word('fhir'), () => saveReport(result)),
      button(word('print'), () => window.print()),
      button(word('remove'), remove),
    ),
  );
}

function reasonsOf({ reasons }: Prediction): HTMLElement[] {
  if (reasons.length === 0) return [];
  const items = reasons.map(({ code, text }) => {
    const sentence = currentLanguage() === 'en' ? null : reasonWord(code);
    const original = make('span', { lang: 'en', class: sentence === null ? '' : 'soft' }, text);
    return sentence === null ? make('li', {}, original) : make('li', {}, sentence, make('br'), original);
  });
  return [make('h4', {}, word('reasons')), make('ul', { class: 'reasons' }, ...items)];
}

function setOf({ conformalSet, decision }: Prediction): HTMLElement[] {
  if (conformalSet === null || decision === 'retake') return [];
  return [make('h4', {}, word('set')), make('p', { class: 'set' }, conformalSet.join(', '))];
}

/** On request: 64 runs of the network take a moment. */
function explanationOf({ explain, square, size, prediction }: Result): HTMLElement[] {
  if (explain === null) return [];
  const place = make('div', { class: 'explanation', role: 'status' });
  const ask = button(word('explain'), () => {
    ask.disabled = true;
    place.textContent = word('explaining');
    const show = (cells: Float64Array): void => {
      const nothing = Math.max(...cells) <= 0;
      const canvas = painted(square, size, `${word('explained')} ${prediction.label}`);
      dimmed(canvas, cells);
      const text = word(nothing ? 'explainedByNone' : 'explainedNote');
      place.replaceChildren(...(nothing ? [] : [canvas]), make('p', { class: 'soft' }, text));
      ask.remove();
    };
    explain().then(show, (error: unknown) => {
      place.textContent = error instanceof Error ? error.message : String(error); // another network was opened since
    });
  });
  return [ask, place];
}

function probabilitiesOf({ probabilities, findings, decision }: Prediction): HTMLElement {
  const rows = [...probabilities].map(([name, share]) => {
    const meter = make('meter', { min: '0', max: '1', value: String(share), 'aria-label': name });
    const state = findings.get(name);
    const shown = state === undefined ? percent(share) : `${percent(share)}, ${word(`finding.${state}`)}`;
    return make('tr', {}, make('th', { scope: 'row' }, name), make('td', {}, meter), make('td', {}, shown));
  });
  const caption = word(findings.size > 0 ? 'findings' : 'probabilities');
  const note = decision === 'answer' ? [] : [make('p', { class: 'soft' }, word('notShown'))];
  return make('details', {}, make('summary', {}, caption), ...note, make('table', {}, make('tbody', {}, ...rows)));
}

/** The result as a report for a hospital's server; nothing leaves the device. */
function saveReport({ prediction, identity, sha256, name, time }: Result): void {
  download(fhirReport(prediction, identity, sha256, new Date(time)), `${name}.fhir.json`);
}

function download(content: unknown, name: string): void {
  const blob = new Blob([JSON.stringify(content, null, 2)], { type: 'application/json' });
  const link = make('a', { href: URL.createObjectURL(blob), download: name });
  link.click();
  URL.revokeObjectURL(link.href);
}

/** The result as a file; nothing leaves the device. */
function save(result: Result): void {
  const { prediction } = result;
  const content = {
    photo: result.name,
    time: result.time,
    network: result.network,
    ...prediction,
    probabilities: Object.fromEntries(prediction.probabilities),
    findings: Object.fromEntries(prediction.findings),
    note: word('support'),
  };
  download(content, `${result.name}.${prediction.decision}.json`);
}
