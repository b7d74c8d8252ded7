import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';

import type { Page } from 'playwright-core';

function given(name: string): string {
  const value = process.env[name] ?? '';
  if (value === '') throw new Error(`give ${name}; \`make browser\` does`);
  return value;
}

/** What `tests/page/make_sites.py` wrote. */
export const site = (name: string): string => join(given('EDGEKD_SITES'), name);

/** `edgekd serve` of the signed bundle and of the page that was built. */
export async function served(): Promise<{ url: string; process: ChildProcess }> {
  const page = join(import.meta.dirname, '..', 'dist');
  const words = ['serve', site('good.edgekd'), '--public-key', site('key.pub.pem'), '--page', page, '--port', '0'];
  const started = spawn(join(given('EDGEKD_BIN'), 'edgekd'), words, { stdio: ['ignore', 'inherit', 'pipe'] });
  const url = await new Promise<string>((resolve, reject) => {
    let text = '';
    started.stderr.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const found = /http:\/\/127\.0\.0\.1:\d+\//.exec(text);
      if (found !== null) resolve(found[0]);
    });
    started.on('exit', () => reject(new Error(`edgekd serve ended: ${text}`)));
  });
  return { url, process: started };
}

/** Wait until the network is loaded and tested. */
export const ready = (page: Page): Promise<void> =>
  page.locator('#status', { hasText: /passed its self-test|Selbsttest .* bestanden/ }).waitFor();

/** Choose photos as a person does, and wait for the newest result to get the focus. */
export async function choose(page: Page, ...names: string[]): Promise<void> {
  const before = await page.locator('article').count();
  await page.locator('#file').setInputFiles(names.map(site));
  await page.locator('article').nth(before + names.length - 1).waitFor();
}
