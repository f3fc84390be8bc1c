/**
 * What may stand in an audit record. Whatever a caller passes, a token does not get through: each field has its
 * own rule, and what the rule does not recognize is redacted.
 */
import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import { redact } from '@valetkey/core/base/redact';

const maxCharacters = 256;
/** Bounds the work before redaction; far more than what is kept, so a cut token is still recognized. */
const maxInputCharacters = 4096;

/** Text of any origin: one line, without what a terminal or a log viewer acts on, redacted, capped. */
export function cleanText(text: string): string {
  const line = redact(flatten(text.slice(0, maxInputCharacters)));
  return line.length <= maxCharacters ? line : `${line.slice(0, maxCharacters - 1)}…`;
}

/**
 * An id of ours or of a client. Random ids look like tokens, so one that redaction would touch is shown with a
 * fingerprint: the records of one session can still be put together, and the id cannot be read back.
 */
export function cleanId(text: string): string {
  const cleaned = cleanText(text);
  return cleaned === text ? text : `${cleaned}#${fingerprintId(text)}`;
}

/** First 64 bits of SHA-256, in hex: what stands after `#` in a record. */
export function fingerprintId(id: string): string {
  return createHash('sha256').update(id).digest('hex').slice(0, 16);
}

/** `Exchange.id`: 128 random bits of our own, which people quote to support and which therefore stays readable. */
export function cleanCorrelationId(text: string): string {
  return /^[\w-]{22}$/.test(text) ? text : cleanId(text);
}

export function cleanAddress(text: string): string {
  return isIP(text) === 0 ? cleanText(text) : text;
}

/** Line breaks become spaces; other controls, bidirectional marks and invisible characters go. */
function flatten(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(/[\t\n\v\f\r\u0085\u2028\u2029]+/g, ' ')
    .replaceAll(/[\p{Cc}\p{Cf}]/gu, '');
}
