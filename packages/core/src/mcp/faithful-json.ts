/**
 * JSON changed in one place and left as it is in all others: numbers keep the digits that they came with, also those
 * that JavaScript would round (an order number of 19 digits, `1.0`).
 */
const raw = JSON as typeof JSON & { rawJSON(text: string): unknown };

/**
 * Parses the text for being written again with `JSON.stringify`; for reading, `JSON.parse` is the way.
 *
 * @throws SyntaxError
 */
export function parseForRewriting(text: string): unknown {
  return JSON.parse(text, keepDigits as (key: string, value: unknown) => unknown);
}

function keepDigits(_key: string, value: unknown, context: { readonly source?: string }): unknown {
  const { source } = context;
  if (typeof value !== 'number' || source === undefined || String(value) === source) return value;
  return raw.rawJSON(source);
}

/** The same JSON on one line: a line break outside of strings is white space, and inside them it cannot stand. */
export function onOneLine(json: string): string {
  return json.replaceAll(/[\r\n]/g, ' ');
}
