import type { Server } from 'node:http';
import { dirname, join } from 'node:path';
import { createRequire } from 'node:module';

import type { Browser, Page } from 'playwright-core';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { launched } from './chromium.js';
import { serve } from './serving.js';
import { FOLDER, VECTORS } from './vectors.js';

const require = createRequire(import.meta.url);
const engineFolder = (script: string, folder: string): string => join(dirname(require.resolve(script)), folder);

let server: Server;
let browser: Browser;
let page: Page;
const requested: string[] = [];
let origin = '';

beforeAll(async () => {
  await build({ configFile: join(import.meta.dirname, 'browser', 'vite.config.ts') });
  ({ server, origin } = await serve({
    '/': join(import.meta.dirname, 'browser', 'dist'),
    '/vectors/': FOLDER,
    '/litert/': engineFolder('@litertjs/core', '../wasm'),
    '/onnxruntime/': engineFolder('onnxruntime-web/wasm', '.'),
  }));
  browser = await launched();
  page = await browser.newPage();
  page.on('request', (request) => requested.push(request.url()));
  await page.goto(origin);
  await page.waitForFunction(() => 'vectors' in window);
});

afterAll(async () => {
  await browser.close();
  server.close();
});

describe('predictions in Chromium', () => {
  it.each(VECTORS.predictions.map((each) => [each.id, each] as const))('%s', async (_, vector) => {
    expect(await page.evaluate((each) => window.vectors.prediction(each), vector)).toEqual([]);
  });

  it('int8 answers are those of one thread with two', async () => {
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
    const vector = VECTORS.predictions.find((each) => each.id.startsWith('int8-tflite'));
    expect(vector).toBeDefined();
    const fresh = await browser.newPage();
    await fresh.goto(origin);
    await fresh.waitForFunction(() => 'vectors' in window);
    expect(await fresh.evaluate((each) => window.vectors.prediction(each, 2), vector as never)).toEqual([]);
    await fresh.close();
  });
});

describe('bundles in Chromium', () => {
  const run = VECTORS.bundles.filter((each) => each.runs && !each.refused);

  it('that run are opened with their keys, and pass their self-tests', async () => {
    expect(run.length).toBeGreaterThan(0);
    for (const vector of run) {
      const found = await page.evaluate((each) => window.vectors.passes(each), vector);
      expect(found, vector.id).toEqual([vector.signature, true]);
    }
  });
});

describe('photos in Chromium', () => {
  const exact = VECTORS.photos.filter((each) => !each.refused && each.max_difference === 0 && each.needs === '');

  it('squares are bit-equal', async () => {
    expect(exact.length).toBeGreaterThan(50);
    for (const vector of exact) {
      expect(await page.evaluate((each) => window.vectors.square(each), vector), vector.id).toBe(vector.sha256);
    }
  });
});

it('nothing of another origin was requested', () => {
  const elsewhere = requested.filter((each) => !each.startsWith(origin) && !/^(blob|data):/.test(each));
  expect(requested.length).toBeGreaterThan(5);
  expect(elsewhere).toEqual([]);
});
