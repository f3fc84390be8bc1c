/**
 * Folder `pages`: HTML as values. A string can only enter a page through the `html` tag, which escapes it, so
 * there is no way to interpolate raw text and no place where somebody could forget to.
 */

declare const brand: unique symbol;

/** Markup that is safe to send: made by `html`, or written by us. */
export interface Html {
  readonly [brand]: true;
  readonly markup: string;
}

/** `undefined` and `false` render nothing, which is what `condition && html…` yields. */
export type Interpolation = string | number | Html | undefined | false | readonly Interpolation[];

const made = new WeakSet<object>();

/**
 * Builds markup from a template. Texts are escaped for element content and for quoted attribute values alike;
 * `Html` values are inserted as they are.
 *
 * Write attributes in double quotes. Do not interpolate into a tag name, an attribute name, `<style>`, `<script>`
 * or an event handler; URLs for `href` go through `safeHref` first.
 */
export function html(strings: TemplateStringsArray, ...values: readonly Interpolation[]): Html {
  let markup = strings[0] ?? '';
  values.forEach((value, index) => {
    markup += renderInterpolation(value) + (strings[index + 1] ?? '');
  });
  return makeHtml(markup);
}

/** Markup from our own source, such as the stylesheet: a template literal without any interpolation. */
export function ownMarkup(strings: TemplateStringsArray): Html {
  return makeHtml(strings.join(''));
}

/** @returns `url` if a link may point there, which is `https` and `http` only: never `javascript:` or `data:`. */
export function safeHref(url: string): string | undefined {
  const parsed = URL.parse(url);
  if (parsed === null || !['https:', 'http:'].includes(parsed.protocol)) return undefined;
  return parsed.href;
}

function makeHtml(markup: string): Html {
  const value = Object.freeze({ markup }) as unknown as Html;
  made.add(value);
  return value;
}

function renderInterpolation(value: Interpolation): string {
  if (value === undefined || value === false) return '';
  if (typeof value === 'string') return escapeText(value);
  if (typeof value === 'number') return String(value);
  if (Array.isArray(value)) return value.map(renderInterpolation).join('');
  // An object that merely looks like Html, out of JSON for instance, is no markup.
  if (made.has(value)) return (value as Html).markup;
  throw new TypeError('only text and Html can be interpolated');
}

const escapes: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '`': '&#96;',
  '\0': '\u{fffd}',
};

/**
 * Also shows bidirectional controls and other invisible characters as `U+202E`, since with them a client's name or
 * address can be made to read as another.
 */
function escapeText(text: string): string {
  return text
    .replace(/[\p{Bidi_Control}\u200b\u2060\ufeff\u{e0000}-\u{e007f}]/gu, showCodePoint)
    .replace(/[&<>"'`\0]/g, (character) => escapes[character] ?? '');
}

function showCodePoint(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return `[U+${code.toString(16).toUpperCase().padStart(4, '0')}]`;
}
