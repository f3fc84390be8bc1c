/** What a caller named, as a message may repeat it. */
import { redact } from '../base/redact.ts';

/** As long as a tool's name may be (MCP 2025-11-25, tool names); of a longer one the beginning is enough to know it by. */
const maxCharacters = 128;

/**
 * One word, whatever was sent: without blanks a name cannot go on with our sentence, and without invisible characters
 * it looks as it is.
 */
export function describeCalled(name: string): string {
  const start = name.slice(0, 2 * maxCharacters);
  const word = Array.from(redact(start).replaceAll(/[^\p{L}\p{M}\p{N}\x21-\x7e]/gu, '?'));
  const isWhole = word.length <= maxCharacters && start.length === name.length;
  return isWhole ? word.join('') : `${word.slice(0, maxCharacters - 1).join('')}…`;
}
