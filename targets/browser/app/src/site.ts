import { Classifier, type Engine, EdgekdError } from '@edgekd/runtime';

const address = (path: string): string => new URL(path, document.baseURI).href;

/** The engines; the code of one is loaded when a bundle needs it. */
const ENGINES: readonly Engine[] = [
  {
    backend: 'tflite',
    open: async (...parts) => (await import('@edgekd/runtime/litert')).liteRt(address('litert/')).open(...parts),
  },
  {
    backend: 'onnx',
    open: async (...parts) =>
      (await import('@edgekd/runtime/onnxruntime')).onnxRuntime(address('onnxruntime/')).open(...parts),
  },
];

/** More threads than these hardly pay for one photo. */
const MOST_THREADS = 4;

/** The files that `edgekd` wrote beside the page. */
interface Site {
  readonly bundle: string;
  readonly key: string | null;
}

/** How a bundle is opened where the page does not choose. */
interface Choices {
  readonly threads?: number;
  readonly selfTest?: boolean;
}

/** The engine of a backend. */
export function engineOf(backend: string): Engine {
  const engine = ENGINES.find((each) => each.backend === backend);
  if (engine === undefined) throw new EdgekdError('missing', `this page has no engine for ${backend} files`, '');
  return engine;
}

/** Open a bundle, with the key that it must be signed with. */
export function opened(source: Uint8Array, key: Uint8Array | null, choices: Choices = {}): Promise<Classifier> {
  const possible = crossOriginIsolated ? Math.min(MOST_THREADS, navigator.hardwareConcurrency) : 1;
  return Classifier.open(source, {
    engines: ENGINES,
    engine: { threads: choices.threads ?? possible },
    selfTest: choices.selfTest ?? true,
    ...(key === null ? {} : { publicKey: key }),
  });
}

/** Open the bundle that the page came with. */
export async function openedHere(choices: Choices = {}): Promise<Classifier> {
  const site = JSON.parse(new TextDecoder().decode(await bytesAt('site.json'))) as Site;
  return opened(await bytesAt(site.bundle), site.key === null ? null : await bytesAt(site.key), choices);
}

/** A file beside the page. */
export async function bytesAt(path: string): Promise<Uint8Array> {
  const response = await fetch(address(path)).catch(() => null);
  if (response?.ok) return new Uint8Array(await response.arrayBuffer());
  throw new EdgekdError('input', `${path} is not beside the page`, 'write the page again with `edgekd serve --write`');
}

/** Keep the page, with what it has loaded, for use without a network. */
export async function keep(kept: () => void): Promise<void> {
  if (!('serviceWorker' in navigator)) return;
  navigator.serviceWorker.addEventListener('message', kept);
  await navigator.serviceWorker.register(address('sw.js'));
  const { active } = await navigator.serviceWorker.ready;
  const loaded = performance.getEntriesByType('resource').map((each) => each.name);
  active?.postMessage(loaded.filter((each) => each.startsWith(location.origin)));
}
