import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

import { init } from '@jsquash/webp/decode.js';

/** Node does not fetch files, as a browser does, so the decoder gets its wasm here. */
const wasm = createRequire(import.meta.url).resolve('@jsquash/webp/codec/dec/webp_dec.wasm');
await init(new WebAssembly.Module(readFileSync(wasm)));
