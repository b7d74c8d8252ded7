import { defineConfig } from 'vite';

export default defineConfig({
  root: import.meta.dirname,
  logLevel: 'error',
  build: { target: 'es2022', emptyOutDir: true, minify: false },
});
