import { describe, expect, it } from 'vitest';

import { fixed, general, oneLine, quoted } from '../src/text/text.js';

/** Expected texts are those of Python's format and repr. */
describe('texts', () => {
  it.each([
    [0, '0'], [1, '1'], [0.5, '0.5'], [123.4, '123'], [1234, '1.23e+03'], [0.00012345, '0.000123'],
    [0.000012345, '1.23e-05'], [999.9, '1e+03'], [2.675, '2.67'], [1e300, '1e+300'], [-0.0456, '-0.0456'],
    [NaN, 'nan'], [-Infinity, '-inf'], [-0, '-0'], [100, '100'], [0.0625, '0.0625'], [1.125, '1.12'], [1.375, '1.38'],
  ])('%d has three significant digits', (value, text) => {
    expect(general(value, 3)).toBe(text);
  });

  it.each([
    [2.675, '2.67'], [0.125, '0.12'], [0.375, '0.38'], [-0.001, '-0.00'], [12, '12.00'], [0.996, '1.00'], [99.999, '100.00'],
  ])('%d has two decimals', (value, text) => {
    expect(fixed(value, 2)).toBe(text);
  });

  it.each([
    ['a', "'a'"], ["it's", '"it\'s"'], ['\'"', "'\\'\"'"], ['a\nb\u0007', "'a\\nb\\x07'"], ['\u200b', "'\\u200b'"],
    ['\\', "'\\\\'"], ['é', "'é'"],
  ])('%j is quoted', (text, shown) => {
    expect(quoted(text)).toBe(shown);
  });

  it('a message is one line of bounded length', () => {
    expect(oneLine('a\nb')).toBe('a\\nb');
    expect(oneLine('x'.repeat(2000))).toBe(`${'x'.repeat(800)} …`);
  });
});
