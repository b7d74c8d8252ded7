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
