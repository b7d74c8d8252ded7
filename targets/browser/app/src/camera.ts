import type { Classifier } from '@edgekd/runtime';

import { byId, byKind } from './dom.js';
import { reasonWord, word } from './words.js';

/** Pause between two looks at the quality of the live picture. */
const PAUSE_MS = 400;

/** Pixels of the camera's present picture. */
export interface Frame {
  readonly width: number;
  readonly height: number;
  readonly rgb: Uint8Array;
}

const video = byKind(HTMLVideoElement, 'video');
const live = byId('live');
const hint = byId('hint');
let stream: MediaStream | null = null;

/** Show the live picture, with what to do for a good photo, until it is stopped. */
export async function start(classifier: () => Classifier | null): Promise<void> {
  stream ??= await navigator.mediaDevices.getUserMedia({
    audio: false,
    video: { facingMode: 'environment', width: { ideal: 1280 }, height: { ideal: 960 } },
  });
  video.srcObject = stream;
  await video.play();
  live.hidden = false;
  byId('shutter').focus();
  void advise(classifier);
}

export function stop(): void {
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = null;
  video.srcObject = null;
  live.hidden = true;
  hint.textContent = '';
}

async function advise(classifier: () => Classifier | null): Promise<void> {
  while (stream !== null) {
    const current = classifier();
    const frame = frameNow();
    if (current !== null && frame !== null) {
      const { codes } = await current.problemsOf(frame);
      const [first] = codes;
      const text = first === undefined ? word('hintGood') : (reasonWord(first) ?? first);
      if (hint.textContent !== text) hint.textContent = text; // a screen reader hears changes alone
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

/** The present picture; null before the first. */
export function frameNow(): Frame | null {
  const { videoWidth: width, videoHeight: height } = video;
  if (width === 0 || height === 0) return null;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (context === null) return null;
  context.drawImage(video, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  const rgb = new Uint8Array(3 * width * height);
  for (let from = 0, to = 0; from < data.length; from += 4, to += 3) {
    rgb[to] = data[from] ?? 0;
    rgb[to + 1] = data[from + 1] ?? 0;
    rgb[to + 2] = data[from + 2] ?? 0;
  }
  return { width, height, rgb };
}
