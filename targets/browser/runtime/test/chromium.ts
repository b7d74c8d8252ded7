import { existsSync } from 'node:fs';

import { type Browser, chromium } from 'playwright-core';

const PLACES = [process.env['EDGEKD_CHROMIUM'], '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** The system's Chromium, headless. */
export function launched(flags: readonly string[] = []): Promise<Browser> {
  const executablePath = PLACES.find((each) => each !== undefined && existsSync(each));
  if (executablePath === undefined) throw new Error('there is no Chromium; apt install chromium');
  // Without a sandbox: containers and root have none, and only pages of this checkout are opened.
  const args = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-quic', ...flags];
  return chromium.launch({ executablePath, headless: true, args });
}
