import { err, ok, type Result } from '@valetkey/core/base/result';

export type RequestTargetRefusal =
  | 'not-origin-form'
  | 'forbidden-character'
  | 'dot-segment'
  | 'encoded-separator'
  | 'malformed-escape';

/** Escapes that another server behind us might decode into a separator, a dot segment or an end of string. */
const encodedSeparator = /%(?:2f|5c|00)/i;
const dotSegment = /(?:^|\/)(?:\.|%2e){1,2}(?:\/|$)/i;
const malformedEscape = /%(?![0-9a-f]{2})/i;

/**
 * Judges the request target before anything parses it as a URL: two parsers that disagree about a path are how
 * a guard and a backend end up talking about different resources.
 *
 * Accepted is the origin form (RFC 9112 §3.2.1) only. The absolute form, `*`, a leading `//`, a fragment,
 * anything but visible ASCII, backslashes, dot segments and encoded separators are refused, not normalised.
 */
export function checkRequestTarget(target: string): Result<{ readonly path: string }, RequestTargetRefusal> {
  if (!target.startsWith('/') || target.startsWith('//')) return err('not-origin-form');
  if (/[^\x21-\x7e]/.test(target) || target.includes('#')) return err('forbidden-character');
  const query = target.indexOf('?');
  const path = query === -1 ? target : target.slice(0, query);
  if (path.includes('\\') || path.includes('//')) return err('forbidden-character');
  if (dotSegment.test(path)) return err('dot-segment');
  if (encodedSeparator.test(path)) return err('encoded-separator');
  if (malformedEscape.test(path)) return err('malformed-escape');
  return ok({ path });
}
