import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { renderErrorPage } from './error-page.ts';
import { type Html, html, safeHref } from './html.ts';
import { stylesheetHash } from './layout.ts';
import { stylesheet } from './stylesheet.ts';

test('D52: text is escaped for elements and for attributes', () => {
  const text = `<img src=x onerror=alert(1)>"'\`&\0`;
  expect(html`<a title="${text}">${text}</a>`.markup).not.toMatch(/<img|" ?'|\0/);
  expect(html`${'&amp;'}`.markup).toBe('&amp;amp;');
});

test('D52: what only looks like Html is refused', () => {
  const forged = { markup: '<script>alert(1)</script>' } as unknown as Html;
  expect(() => html`${forged}`).toThrow(TypeError);
  expect(() => html`${null as unknown as string}`).toThrow(TypeError);
});

test('nested values, lists, numbers and absences', () => {
  const items = ['a<', 'b'].map((item) => html`<li>${item}</li>`);
  expect(html`<ul>${items}</ul>${3}${undefined}${false}`.markup).toBe('<ul><li>a&lt;</li><li>b</li></ul>3');
});

test('characters that turn or hide text are shown', () => {
  expect(html`${'Contoso\u202efdp.exe\u200b\u2066'}`.markup).toBe('Contoso[U+202E]fdp.exe[U+200B][U+2066]');
});

test.each([
  ['https://contoso.com/a?b=c', 'https://contoso.com/a?b=c'],
  ['javascript:alert(1)', undefined],
  [' JaVaScript:alert(1)', undefined],
  ['data:text/html,<script>', undefined],
  ['contoso.com', undefined],
])('a link to %s', (url, expected) => {
  expect(safeHref(url)).toBe(expected);
});

test('the hash in the policy is the one of the stylesheet on the page', () => {
  const page = renderErrorPage({ title: 'T', explanation: 'E', requestId: 'r' }).markup;
  const style = /<style>([\s\S]*)<\/style>/.exec(page)?.[1] ?? '';
  expect(stylesheetHash()).toBe(`sha256-${createHash('sha256').update(style).digest('base64')}`);
  expect(page).not.toMatch(/ style="|<script|src=/);
});

test('an error page gives what to quote, and leaves out what is not known', () => {
  const view = { title: 'T', explanation: 'E', requestId: 'req-1' };
  expect(renderErrorPage(view).markup).not.toMatch(/undefined|correlation|administrator/);
  const full = {
    ...view,
    whatYouCanDo: 'W',
    forOperator: 'O',
    entraCorrelationId: 'corr-1',
    code: 'AADSTS50105',
  };
  for (const part of ['req-1', 'corr-1', 'AADSTS50105', 'W', 'O'])
    expect(renderErrorPage(full).markup).toContain(part);
});

const pairs = [
  ['text', 'card', 4.5],
  ['text', 'calm', 4.5],
  ['text', 'caution-ground', 4.5],
  ['soft', 'card', 4.5],
  ['good', 'card', 4.5],
  ['caution', 'card', 4.5],
  ['caution', 'caution-ground', 4.5],
  ['accent', 'card', 4.5],
  ['on-accent', 'accent', 4.5],
  ['edge', 'card', 3],
] as const;

test.each(pairs)('WCAG AA: %s on %s reaches %f:1 in both schemes', (ink, paper, least) => {
  const schemes = [...stylesheet.markup.matchAll(/:root\{([^}]*)\}/g)].map((match) => match[1] ?? '');
  expect(schemes).toHaveLength(2);
  for (const scheme of schemes)
    expect(contrast(colour(scheme, ink), colour(scheme, paper))).toBeGreaterThan(least);
});

function colour(scheme: string, name: string): number[] {
  const hex = new RegExp(`--${name}:#([0-9a-f]{3,6})\\b`).exec(scheme)?.[1] ?? '';
  const digits = hex.length === 3 ? Array.from(hex, (digit) => digit + digit) : (hex.match(/../g) ?? []);
  return digits.map((pair) => Number.parseInt(pair, 16) / 255);
}

/** WCAG 2.2, relative luminance. */
function luminance(rgb: number[]): number {
  const [red = 0, green = 0, blue = 0] = rgb.map((part) =>
    part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4,
  );
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: number[], other: number[]): number {
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].toSorted((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}
