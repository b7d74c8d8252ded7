import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

import { type Plugin, defineConfig } from 'vite';

const require = createRequire(import.meta.url);
const runtime = join(import.meta.dirname, '..', 'runtime', 'src');

/** Files of the engines that a page loads by address, by folder. */
const ENGINES: Readonly<Record<string, readonly string[]>> = {
  litert: ['', 'compat_', 'threaded_'].flatMap((each) =>
    ['js', 'wasm'].map((kind) => join(dirname(require.resolve('@litertjs/core')), `../wasm/litert_wasm_${each}internal.${kind}`)),
  ),
  onnxruntime: ['mjs', 'wasm'].map((kind) =>
    join(dirname(require.resolve('onnxruntime-web/wasm')), `ort-wasm-simd-threaded.${kind}`),
  ),
};

/** The folder of the engine that runs the files of a backend; `edgekd serve` reads it. */
const BACKENDS = { onnx: 'onnxruntime', tflite: 'litert' };

const engines: Plugin = {
  name: 'engines',
  writeBundle(options) {
    const out = options.dir ?? 'dist';
    writeFileSync(join(out, 'engines.json'), `${JSON.stringify(BACKENDS, null, 2)}\n`);
    for (const [folder, files] of Object.entries(ENGINES)) {
      const place = join(out, folder);
      mkdirSync(place, { recursive: true });
      for (const file of files) cpSync(file, join(place, file.split('/').at(-1) ?? ''));
    }
  },
};

export default defineConfig({
  base: './',
  logLevel: 'warn',
  resolve: {
    alias: {
      '@edgekd/runtime/litert': join(runtime, 'engine', 'litert.ts'),
      '@edgekd/runtime/onnxruntime': join(runtime, 'engine', 'onnxruntime.ts'),
      '@edgekd/runtime': join(runtime, 'index.ts'),
    },
    // The engine's wasm is loaded by address, and need not be beside the script a second time.
    conditions: ['onnxruntime-web-use-extern-wasm', 'module', 'browser', 'production'],
  },
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: { input: ['index.html', 'runner.html'].map((each) => join(import.meta.dirname, each)) },
  },
  plugins: [engines],
});
