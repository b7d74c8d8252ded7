/*
 * Runs the page's bundle, or a model file alone, for a program that drives the browser (`edgekd.page.runner`). Photos,
 * pixels and model files lie beside the page; nothing else is asked of the program than their paths.
 */
import { type Classifier, EdgekdError, type EngineSession, fhirReport, sha256 } from '@edgekd/runtime';

import { bytesAt, engineOf, openedHere } from './site.js';

/** An answer, or the error that a person would get. */
type Outcome<T> = { value: T } | { error: { kind: string; message: string; hint: string } };

let classifier: Classifier | null = null;
let session: EngineSession | null = null;
let photos: Uint8Array[] = [];
let squares: Uint8Array[] = [];

async function outcome<T>(work: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await work() };
  } catch (error) {
    if (error instanceof EdgekdError) {
      return { error: { kind: error.kind, message: error.message, hint: error.hint } };
    }
    throw error;
  }
}

function current(): Classifier {
  if (classifier === null) throw new Error('no bundle is open');
  return classifier;
}

async function milliseconds(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

const runner = {
  /** Open the page's bundle; the time begins before the bundle and the engine are fetched. */
  open: (threads: number, selfTest: boolean) =>
    outcome(async () => {
      const load = await milliseconds(async () => {
        classifier = await openedHere({ threads, selfTest });
      });
      return { load, facts: current().facts, warnings: current().warnings };
    }),

  /** The answer to a photo. */
  predict: (path: string) =>
    outcome(async () => {
      const { logits, label, decision, reasons } = await current().predict(await bytesAt(path));
      return { outputs: logits, label, decision, reasons: reasons.map(({ code }) => code) };
    }),

  /** The report on a photo, as FHIR. */
  fhir: (path: string) =>
    outcome(async () => {
      const photo = await bytesAt(path);
      return fhirReport(await current().predict(photo), current().identity, await sha256(photo), new Date());
    }),

  /** The occlusion map of a photo for a class, row by row. */
  occlusion: (path: string, name: string) =>
    outcome(async () => {
      const square = await current().preprocessed(await bytesAt(path));
      return Array.from(await current().occlusion(square, name));
    }),

  /** Fetch photos and prepare their squares, so that neither is part of a time. */
  take: (paths: readonly string[]) =>
    outcome(async () => {
      photos = await Promise.all(paths.map(bytesAt));
      squares = [];
      for (const photo of photos) squares.push(await current().preprocessed(photo));
      return photos.length;
    }),

  /** Milliseconds of the network on one of the squares. */
  timeModel: (index: number) => milliseconds(() => current().logits(squares[index % squares.length] as Uint8Array)),

  /** Milliseconds from an encoded photo to its decision. */
  timePhoto: (index: number) => milliseconds(() => current().predict(photos[index % photos.length] as Uint8Array)),

  /** Open a model file without its bundle. */
  openModel: (backend: string, path: string, threads: number) =>
    outcome(async () => {
      session?.close();
      session = await engineOf(backend).open(path, await bytesAt(path), { threads });
      const { inputShape, outputShape, facts, warnings } = session;
      return { input: inputShape, output: outputShape, facts, warnings };
    }),

  /** Outputs of that file for pixels, image after image, and the milliseconds of each. */
  outputs: (path: string) =>
    outcome(async () => {
      if (session === null) throw new Error('no model file is open');
      const pixels = await bytesAt(path);
      const size = session.inputShape.reduce((product, each) => product * each, 1);
      const outputs: number[][] = [];
      const times: number[] = [];
      for (let start = 0; start < pixels.length; start += size) {
        const image = pixels.slice(start, start + size);
        const begin = performance.now();
        const output = await session.run(image);
        times.push(performance.now() - begin);
        outputs.push(Array.from(output));
      }
      return { outputs, times };
    }),
};

declare global {
  interface Window {
    runner: typeof runner;
  }
}

window.runner = runner;
