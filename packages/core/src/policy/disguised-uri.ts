/** `.` and `/`, as they are or percent-encoded, also more than once (`%252e`). A backslash is a slash on Windows. */
const encoded = '%(?:25)*';
const dot = `(?:\\.|${encoded}2e)`;
const end = `(?:[/\\\\?#;:=&]|${encoded}(?:2f|5c|3f|23|3b|3a|3d|26))`;
const dotSegment = new RegExp(`(?:^|${end})${dot}{1,2}(?:$|${end})`, 'i');

/** RFC 3986 §2.3: letters, digits, `-`, `.`, `_` and `~` never need encoding. */
const needlessEscape = /%(?:2[de]|3\d|4[1-9a-f]|5[\daf]|6[1-9a-f]|7[\dae])/i;

/**
 * Whether a backend could read another resource than the text names: the URI climbs with `..`, or hides letters behind
 * escapes that a normalizing reader takes away (RFC 3986 §6.2.2). Where rules go by URI, such a one is nobody's: it
 * would pass `file:///projects/*` and read `file:///projects/../secret`.
 *
 * Each expression looks at a character once or twice; none goes back.
 */
export function isDisguisedUri(uri: string): boolean {
  return dotSegment.test(uri) || needlessEscape.test(uri);
}
