import { type Classifier, EdgekdError, type Photo, type Prediction, sha256 } from '@edgekd/runtime';

import * as camera from './camera.js';
import { type Result, cardOf, networkOf } from './card.js';
import { byId, byKind, make } from './dom.js';
import { keep, opened, openedHere } from './site.js';
import { type Word, offerLanguages, word, writeWords } from './words.js';

let classifier: Classifier | null = null;
let results: Result[] = [];
let state: Word | null = null;

const errorBox = byId('error');
const resultBox = byId('results');

function show(status: Word | null): void {
  state = status;
  byId('status').textContent = status === null ? '' : word(status);
}

/** Tell an error: what is wrong, and what to do. Errors that are not of the runtime go to the console too. */
function tell(error: unknown, subject = ''): void {
  const known = error instanceof EdgekdError;
  const message = error instanceof Error ? error.message : String(error);
  if (!known) console.error(error);
  const shown = subject === '' ? message : `${subject}: ${message}`;
  errorBox.replaceChildren(
    make('p', { lang: 'en' }, shown),
    ...(known && error.hint !== '' ? [make('p', { lang: 'en', class: 'soft' }, error.hint)] : []),
  );
}

async function use(open: () => Promise<Classifier>): Promise<void> {
  const before = classifier;
  classifier = null;
  byId('capture').hidden = true;
  errorBox.replaceChildren();
  show('loading');
  try {
    classifier = await open();
  } catch (error) {
    show(null);
    tell(error);
    return;
  } finally {
    before?.close();
    drawNetwork();
  }
  byId('capture').hidden = false;
  show('ready');
  performance.mark('ready'); // `edgekd bench` reads both marks
}

function drawNetwork(): void {
  const warnings = classifier?.warnings ?? [];
  byId('warnings').replaceChildren(...warnings.map((each) => make('li', { lang: 'en' }, each)));
  const facts: [Word, string][] =
    classifier === null
      ? []
      : [
          ['model', `${classifier.modelName}, ${classifier.precision}`],
          ['purpose', classifier.intendedUse],
          ['hash', classifier.bundleSha256],
          ['signature', classifier.signature],
          ['engine', Object.values(classifier.facts).join(', ')],
        ];
  byId('facts').replaceChildren(
    ...facts.flatMap(([name, text]) => [make('dt', {}, word(name)), make('dd', { lang: 'en' }, text)]),
  );
}

function drawResults(): void {
  byId('results-title').hidden = results.length === 0;
  resultBox.replaceChildren(
    ...results.map((each) =>
      cardOf(each, () => {
        results = results.filter((other) => other !== each);
        drawResults();
        byId('camera').focus();
      }),
    ),
  );
}

/** What speaks for an answer that is one class, by the network that gave it, as long as it is open. */
function explanation(by: Classifier, square: Uint8Array, { decision, label }: Prediction): Result['explain'] {
  if (decision !== 'answer' || !by.classes.includes(label)) return null;
  return () => by.occlusion(square, label);
}

async function decide(photo: Photo, name: string): Promise<void> {
  if (classifier === null) return;
  errorBox.replaceChildren();
  show('working');
  await new Promise((resolve) => setTimeout(resolve)); // so that the status is seen before the work
  try {
    const square = await classifier.preprocessed(photo);
    const prediction = await classifier.predictPrepared(square);
    const size = classifier.imageSize;
    const time = new Date().toISOString();
    const explain = explanation(classifier, square, prediction);
    const { identity } = classifier;
    const hash = photo instanceof Uint8Array ? await sha256(photo) : null;
    const network = networkOf(classifier);
    results = [{ name, time, sha256: hash, square, size, prediction, explain, identity, network }, ...results];
    drawResults();
    resultBox.querySelector('h3')?.focus();
    performance.mark('decision');
  } catch (error) {
    tell(error, name);
  } finally {
    show('ready');
  }
}

const bytesOf = async (file: File): Promise<Uint8Array> => new Uint8Array(await file.arrayBuffer());

function listen(): void {
  const files = byKind(HTMLInputElement, 'file');
  files.addEventListener('change', () => {
    const chosen = [...(files.files ?? [])];
    files.value = '';
    void (async () => {
      for (const file of chosen) await decide(await bytesOf(file), file.name);
    })();
  });
  byId('camera').addEventListener('click', () => {
    camera.start(() => classifier).catch((error: unknown) => tell(error, word('noCamera')));
  });
  byId('stop').addEventListener('click', camera.stop);
  byId('shutter').addEventListener('click', () => {
    const frame = camera.frameNow();
    if (frame !== null) void decide(frame, 'camera');
  });
  byId('other').addEventListener('submit', (event) => {
    event.preventDefault();
    const [bundle] = byKind(HTMLInputElement, 'other-bundle').files ?? [];
    const [key] = byKind(HTMLInputElement, 'other-key').files ?? [];
    if (bundle === undefined) return;
    void use(async () => opened(await bytesOf(bundle), key === undefined ? null : await bytesOf(key)));
  });
}

async function main(): Promise<void> {
  writeWords();
  offerLanguages(byKind(HTMLSelectElement, 'language'), () => {
    show(state);
    drawNetwork();
    drawResults();
  });
  listen();
  if (!isSecureContext) {
    tell(new EdgekdError('input', word('insecure'), ''));
    return;
  }
  await use(openedHere);
  await keep(() => {
    byId('offline').textContent = word('offline');
  });
}

main().catch(tell);
