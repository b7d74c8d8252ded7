/* Sizes over the wire of the page that `make browser` built, by brotli at its best: `node sizes.mjs [FOLDER]`. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';

const folder = process.argv[2] ?? 'app/dist';
const packed = (file) =>
  brotliCompressSync(readFileSync(join(folder, file)), { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }).length;

/** What a browser loads for a bundle of LiteRT, and for one of ONNX Runtime. */
const assets = readdirSync(join(folder, 'assets')).map((each) => `assets/${each}`);
const own = ['index.html', ...assets.filter((each) => !/litert|onnxruntime/.test(each))];
const parts = {
  page: own,
  litert: ['litert/litert_wasm_internal.js', 'litert/litert_wasm_internal.wasm'],
  'litert, threads': ['litert/litert_wasm_threaded_internal.js', 'litert/litert_wasm_threaded_internal.wasm'],
  onnxruntime: ['onnxruntime/ort-wasm-simd-threaded.mjs', 'onnxruntime/ort-wasm-simd-threaded.wasm'],
};
for (const kind of ['litert', 'onnxruntime']) {
  parts[kind].push(...assets.filter((each) => each.startsWith(`assets/${kind}`)));
}
for (const [name, files] of Object.entries(parts)) {
  const size = files.reduce((sum, each) => sum + packed(each), 0);
  console.log(`${name}: ${(size / 1e6).toFixed(2)} MB`);
}
