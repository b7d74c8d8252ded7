/*
 * Sizes over the wire, by brotli at its best, of the page that `make browser` built and of a model file, against the
 * target's budget: `node sizes.mjs [FOLDER [MODEL]]`. It fails where one is exceeded.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';

/** Bytes that a clinic's line has to carry at most: the runtime with an engine and its decoders, and the model. */
const RUNTIME_BUDGET = 2.8e6;
const MODEL_BUDGET = 2.6e6;

const folder = process.argv[2] ?? 'app/dist';
const model = process.argv[3];
const packed = (file) =>
  brotliCompressSync(readFileSync(file), { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }).length;
const packedAll = (files) => files.reduce((sum, each) => sum + packed(join(folder, each)), 0);

/** What a browser loads for a bundle of LiteRT, and for one of ONNX Runtime; runner.html is no part of a page. */
const assets = readdirSync(join(folder, 'assets')).map((each) => `assets/${each}`);
const page = ['index.html', ...assets.filter((each) => !/litert|onnxruntime|runner/.test(each))];
const engines = {
  LiteRT: ['litert', ['litert_wasm_internal.js', 'litert_wasm_internal.wasm']],
  'LiteRT with threads': ['litert', ['litert_wasm_threaded_internal.js', 'litert_wasm_threaded_internal.wasm']],
  'ONNX Runtime': ['onnxruntime', ['ort-wasm-simd-threaded.mjs', 'ort-wasm-simd-threaded.wasm']],
};

function report(name, size, budget) {
  console.log(`${name}: ${(size / 1e6).toFixed(2)} MB of ${(budget / 1e6).toFixed(1)} MB`);
  if (size > budget) process.exitCode = 1;
}

const pageSize = packedAll(page);
for (const [name, [place, files]] of Object.entries(engines)) {
  const scripts = assets.filter((each) => each.startsWith(`assets/${place}`));
  report(`page and ${name}`, pageSize + packedAll([...files.map((each) => `${place}/${each}`), ...scripts]), RUNTIME_BUDGET);
}
if (model !== undefined) report('model', packed(model), MODEL_BUDGET);
