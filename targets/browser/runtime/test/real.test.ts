import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createRequire } from 'node:module';
import { it } from 'vitest';
import { launched } from './chromium.js';
import { serve } from './serving.js';
const require = createRequire(import.meta.url);
it('real', async () => {
  const { server, origin } = await serve({ '/': '/work/wt/browser/build/browser/runtime/test/browser/dist', '/vectors/': '/tmp/real', '/litert/': join(dirname(require.resolve('@litertjs/core')), '../wasm') });
  const browser = await launched(); const page = await browser.newPage(); await page.goto(origin); await page.waitForFunction(() => 'vectors' in window);
  const cases = JSON.parse(readFileSync('/tmp/real/cases.json', 'utf8'));
  let n = 0; const bad: string[] = [];
  for (const each of cases) { const d = await page.evaluate((v) => window.vectors.prediction(v as never), each as never); n++; if ((d as string[]).length) bad.push(each.id + ': ' + (d as string[]).join(', ')); if (n % 50 === 0) console.log(n, bad.length); }
  console.log('RESULT', n, bad.length, bad.slice(0, 5));
  await browser.close(); server.close();
}, 900000);
