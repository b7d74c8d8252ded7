import { Classifier } from '../../src/classifier.js';
import { sha256 } from '../../src/bundle/bytes.js';
import type { Engine } from '../../src/engine/engine.js';
import { liteRt } from '../../src/engine/litert.js';
import { onnxRuntime } from '../../src/engine/onnxruntime.js';
import { squareOf } from '../../src/images/decoding.js';
import { differences } from '../predictions.js';
import type { BundleCase, PhotoCase, PredictionCase } from '../vectors.js';

/** Runs in the browser what needs one; a test in Node calls these. */
const engines: Readonly<Record<string, Engine>> = {
  tflite: liteRt('/litert/'),
  onnx: onnxRuntime(new URL('/onnxruntime/', location.href).href),
};

async function fetched(name: string): Promise<Uint8Array> {
  const response = await fetch(`/vectors/${name}`);
  if (!response.ok) throw new Error(`${name}: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

const page = {
  async prediction(vector: PredictionCase, threads?: number): Promise<string[]> {
    const engine = engines[vector.backend];
    if (engine === undefined) return [`no engine for ${vector.backend}`];
    return differences(vector, engine, fetched, threads);
  },

  /** Open a bundle with its key and run all of its self-test vectors. */
  async passes(vector: BundleCase): Promise<[string, boolean]> {
    const options = vector.public_key === null ? {} : { publicKey: await fetched(vector.public_key) };
    const classifier = await Classifier.open(await fetched(vector.bundle), { engines: Object.values(engines), ...options });
    const { passed } = await classifier.selfTest();
    classifier.close();
    return [classifier.signature, passed];
  },

  async square(vector: PhotoCase): Promise<string> {
    return sha256(await squareOf(await fetched(vector.photo), vector.size));
  },
};

declare global {
  interface Window {
    vectors: typeof page;
  }
}

window.vectors = page;
