/** The element of a name that the page has, of a kind. */
export function byKind<T extends HTMLElement>(kind: new () => T, id: string): T {
  const element = document.getElementById(id);
  if (!(element instanceof kind)) throw new Error(`the page has no such #${id}`);
  return element;
}

/** The element of a name that the page has. */
export const byId = (id: string): HTMLElement => byKind(HTMLElement, id);

type Attributes = Readonly<Record<string, string>>;

/** A new element with attributes and content; texts are never read as HTML. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...content: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...content);
  return element;
}

/** A button that does something. */
export function button(text: string, act: () => void): HTMLButtonElement {
  const element = make('button', { type: 'button' }, text);
  element.addEventListener('click', act);
  return element;
}

/** Dim the cells of a painted square: the strongest one not at all, those that are not positive most. */
export function dimmed(canvas: HTMLCanvasElement, cells: Float64Array): void {
  const context = canvas.getContext('2d');
  const count = Math.sqrt(cells.length);
  const side = canvas.width / count;
  const strongest = Math.max(...cells);
  if (context === null || strongest <= 0) return;
  cells.forEach((each, index) => {
    const dark = DARKEST * (1 - Math.max(each, 0) / strongest);
    context.fillStyle = `rgb(0 0 0 / ${dark.toFixed(3)})`;
    const [x, y] = [index % count, Math.floor(index / count)].map((place) => Math.round(place * side)) as [number, number];
    context.fillRect(x, y, Math.round((index % count + 1) * side) - x, Math.round((Math.floor(index / count) + 1) * side) - y);
  });
}

const DARKEST = 0.75;

/** RGB pixels of a square as a canvas. */
export function painted(rgb: Uint8Array, size: number, name: string): HTMLCanvasElement {
  const canvas = make('canvas', { role: 'img', 'aria-label': name });
  canvas.width = canvas.height = size;
  const image = new ImageData(size, size);
  for (let from = 0, to = 0; from < rgb.length; from += 3, to += 4) {
    image.data.set([rgb[from] ?? 0, rgb[from + 1] ?? 0, rgb[from + 2] ?? 0, 255], to);
  }
  canvas.getContext('2d')?.putImageData(image, 0, 0);
  return canvas;
}
