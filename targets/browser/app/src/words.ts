import strings from './strings.json';

export type Language = keyof typeof strings;
export type Word = keyof (typeof strings)['en'];

const STORED = 'edgekd.language';
const isLanguage = (name: string): name is Language => name in strings;

let language: Language = preferred();

function preferred(): Language {
  const wishes = [localStorage.getItem(STORED) ?? '', ...navigator.languages.map((each) => each.slice(0, 2))];
  return wishes.find(isLanguage) ?? 'en';
}

export const currentLanguage = (): Language => language;

/** A word of the page in the reader's language. */
export const word = (name: Word): string => strings[language][name];

/** The sentence of a reason's code; null for a code of a newer edgekd. */
export const reasonWord = (code: string): string | null =>
  (strings[language] as Readonly<Record<string, string>>)[`reason.${code}`] ?? null;

/** Write all words of the page that do not change otherwise. */
export function writeWords(): void {
  document.documentElement.lang = language;
  document.title = word('title');
  for (const element of document.querySelectorAll<HTMLElement>('[data-text]')) {
    element.textContent = word(element.dataset['text'] as Word);
  }
}

/** Fill the choice of languages; `changed` is called after another is chosen. */
export function offerLanguages(select: HTMLSelectElement, changed: () => void): void {
  for (const [name, each] of Object.entries(strings)) {
    select.add(new Option(each.name, name, false, name === language));
  }
  select.addEventListener('change', () => {
    if (!isLanguage(select.value)) return;
    language = select.value;
    localStorage.setItem(STORED, language);
    writeWords();
    changed();
  });
}
