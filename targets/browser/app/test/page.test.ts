import { type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { launched } from '../../runtime/test/chromium.js';
import { choose, ready, served, site } from './visit.js';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** A green picture of Chromium's own stands for the camera's. */
const CAMERA = ['--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream'];

let server: { url: string; process: ChildProcess };
let browser: Browser;
let context: BrowserContext;
let page: Page;
let home: string;
let requested: string[];
let problems: string[];

beforeAll(async () => {
  [server, browser] = await Promise.all([served(), launched(CAMERA)]);
});

afterAll(async () => {
  await browser.close();
  server.process.kill();
});

beforeEach(async () => {
  context = await browser.newContext({ viewport: { width: 390, height: 844 }, locale: 'en-GB' });
  page = await context.newPage();
  home = server.url;
  requested = [];
  problems = [];
  context.on('request', (request) => requested.push(request.url()));
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(message.text());
  });
  page.on('pageerror', (error) => problems.push(error.message));
  await page.goto(server.url);
  await ready(page);
});

afterEach(async () => {
  const elsewhere = requested.filter((each) => !each.startsWith(home) && !/^(blob|data):/.test(each));
  await context.close();
  expect(elsewhere).toEqual([]);
  expect(problems).toEqual([]); // of the Content-Security-Policy too
});

/** Serious violations that axe finds, in words. */
async function violations(): Promise<string[]> {
  await page.evaluate(AXE);
  return page.evaluate(async () => {
    const { axe } = window as unknown as { axe: typeof import('axe-core') };
    const { violations: found } = await axe.run();
    const serious = found.filter((each) => each.impact === 'serious' || each.impact === 'critical');
    return serious.map((each) => `${each.id}: ${each.nodes.map((node) => node.html).join(' ')}`);
  });
}

describe('a photo', () => {
  it('is answered', async () => {
    await choose(page, 'answer.jpg');
    const card = page.locator('article.answer');
    expect(await card.locator('h3').textContent()).toMatch(/^Answer: bkl \(\d+(\.\d)?%\)$/);
    expect(await card.locator('.set').textContent()).toBe('bkl');
    expect(await page.evaluate(() => document.activeElement?.textContent)).toMatch(/^Answer/);
    expect(await page.locator('.support').textContent()).toContain('Decision support');
  });

  it('shows on request which parts speak for the answer', async () => {
    await choose(page, 'spot.jpg');
    const card = page.locator('article.answer');
    await card.getByRole('button', { name: 'What speaks for it?' }).click();
    const map = card.getByRole('img', { name: 'Parts that speak for bkl' });
    await map.waitFor();
    const [middle, corner] = await map.evaluate((canvas: HTMLCanvasElement) => {
      const at = (place: number): number =>
        canvas.getContext('2d')?.getImageData(place * canvas.width, place * canvas.width, 1, 1).data[0] ?? NaN;
      return [at(0.5), at(0.05)];
    });
    expect(middle).toBeGreaterThan(2 * corner); // the spot is red in grey, and red speaks for bkl
    expect(await card.locator('.explanation').textContent()).toContain('no medical reason');
    expect(await violations()).toEqual([]);
  });

  it('is referred without an answer, with the reason', async () => {
    await choose(page, 'refer.jpg');
    const card = page.locator('article.refer');
    expect(await card.locator('h3').textContent()).toBe('Refer the patient');
    expect(await card.locator('.reasons').textContent()).toContain('the top probability');
  });

  it.each([
    ['blurred.jpg', 'sharpness'],
    ['dark.png', 'brightness'],
  ])('%s is to be taken again', async (name, measure) => {
    await choose(page, name);
    const card = page.locator('article.retake');
    expect(await card.locator('h3').textContent()).toBe('Take another photo');
    expect(await card.locator('.reasons').textContent()).toContain(measure);
    expect(await card.locator('.set').count()).toBe(0);
  });

  it.each([
    ['text.jpg', 'is not an image of a known format'],
    ['truncated.jpg', 'is truncated'],
  ])('%s is refused in a sentence', async (name, sentence) => {
    await page.locator('#file').setInputFiles(site(name));
    await page.locator('#error p', { hasText: sentence }).waitFor();
    expect(await page.locator('#error p').count()).toBe(2);
    expect(await page.locator('article').count()).toBe(0);
    await choose(page, 'answer.jpg');
    expect(await page.locator('#error').textContent()).toBe('');
  });

  it('stands beside others, and can be saved and removed', async () => {
    await choose(page, 'answer.jpg', 'refer.jpg', 'dark.png');
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.locator('article.refer').getByRole('button', { name: 'Save as JSON' }).click(),
    ]);
    const saved = JSON.parse(readFileSync(await download.path(), 'utf8')) as Record<string, unknown>;
    expect(saved).toMatchObject({ photo: 'refer.jpg', decision: 'refer', network: { signature: 'verified' } });
    expect(Object.keys(saved['probabilities'] as object)).toEqual(['bkl', 'mel', 'nv']);
    const [report] = await Promise.all([
      page.waitForEvent('download'),
      page.locator('article.refer').getByRole('button', { name: 'Save as FHIR' }).click(),
    ]);
    const fhir = JSON.parse(readFileSync(await report.path(), 'utf8')) as { resourceType: string; conclusion: string };
    expect([report.suggestedFilename(), fhir.resourceType]).toEqual(['refer.jpg.fhir.json', 'DiagnosticReport']);
    expect(fhir.conclusion).toMatch(/^Refer the patient\. the top probability/);
    await page.locator('article.refer').getByRole('button', { name: 'Remove' }).click();
    expect(await page.locator('article').count()).toBe(2);
  });
});

describe('another bundle', () => {
  it.each([
    ['cut.edgekd', null, 'is not a bundle'],
    ['changed.edgekd', null, 'the checksum of'],
    ['wrong.edgekd', null, 'the self-test fails'],
    ['good.edgekd', 'other.pub.pem', 'the signature does not belong'],
    ['good.edgekd', 'text.jpg', 'is not a public key'],
    ['answer.jpg', null, 'is not a bundle'],
  ])('%s with the key %s is refused in a sentence', async (bundle, key, sentence) => {
    await page.locator('#bundle summary').click();
    await page.locator('#other-bundle').setInputFiles(site(bundle));
    if (key !== null) await page.locator('#other-key').setInputFiles(site(key));
    await page.getByRole('button', { name: 'Open' }).click();
    await page.locator('#error p', { hasText: sentence }).waitFor();
    expect(await page.locator('#error p').count()).toBe(2);
    expect(await page.locator('#capture').isVisible()).toBe(false);
  });

  it('is used instead', async () => {
    await page.locator('#bundle summary').click();
    await page.locator('#other-bundle').setInputFiles(site('good.edgekd'));
    await page.getByRole('button', { name: 'Open' }).click();
    await page.locator('#facts dd', { hasText: 'not checked' }).waitFor();
    await choose(page, 'answer.jpg');
  });
});

it('the camera shows what it sees, and its photo is decided on', async () => {
  await page.getByRole('button', { name: 'Use the camera' }).click();
  await page.locator('#hint', { hasText: /\w/ }).waitFor();
  await page.getByRole('button', { name: 'Take the photo' }).click();
  await page.locator('article').waitFor();
  await page.getByRole('button', { name: 'Close the camera' }).click();
  expect(await page.locator('#live').isVisible()).toBe(false);
});

it('the page speaks another language, and remembers it', async () => {
  await page.locator('#language').selectOption('de');
  await choose(page, 'dark.png');
  expect(await page.locator('article h3').textContent()).toBe('Foto wiederholen');
  expect(await page.locator('.reasons').textContent()).toContain('Das Foto ist zu dunkel');
  expect(await page.evaluate(() => document.documentElement.lang)).toBe('de');
  await page.reload();
  await ready(page);
  expect(await page.title()).toBe('Hautveränderung, zweiter Blick');
});

it('the keyboard reaches everything', async () => {
  await page.locator('body').focus();
  const reached: string[] = [];
  for (let count = 0; count < 5; count++) {
    await page.keyboard.press('Tab');
    reached.push(await page.evaluate(() => document.activeElement?.id ?? ''));
  }
  expect(reached.slice(0, 3)).toEqual(['language', 'camera', 'file']);
});

describe.each([
  ['phone', 390, 844],
  ['desktop', 1200, 900],
] as const)('on a %s', (_, width, height) => {
  it.each(['light', 'dark'] as const)('axe finds no serious violation (%s)', async (colorScheme) => {
    await page.setViewportSize({ width, height });
    await page.emulateMedia({ colorScheme });
    await choose(page, 'answer.jpg', 'refer.jpg', 'blurred.jpg');
    await page.locator('#bundle summary').click();
    await page.locator('article details summary').first().click();
    expect(await violations()).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
  });
});

it('the page works without its server after the first visit', async () => {
  await page.locator('#offline', { hasText: 'works without a network' }).waitFor();
  server.process.kill();
  await new Promise((resolve) => server.process.once('exit', resolve));
  try {
    await page.reload();
    await ready(page);
    await choose(page, 'answer.jpg');
    expect(await page.locator('article.answer').count()).toBe(1);
  } finally {
    server = await served();
  }
});
