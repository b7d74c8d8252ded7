import { defineConfig } from 'vite';

/** The library: dependencies stay outside, so that a page's bundler finds their wasm. */
export default defineConfig({
  build: {
    target: 'es2022',
    lib: {
      entry: { index: 'src/index.ts', litert: 'src/engine/litert.ts', onnxruntime: 'src/engine/onnxruntime.ts' },
      formats: ['es'],
    },
    rolldownOptions: { external: [/^@jsquash\//, /^@noble\//, /^@litertjs\//, /^onnxruntime-web/, 'pako'] },
  },
});
