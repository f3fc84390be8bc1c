/** What a server says on stderr, in the log: bounded, and without what must not be read there. */
import type { Readable } from 'node:stream';
import type { Clock } from '@valetkey/core/base/clock';
import { redact } from '@valetkey/core/base/redact';
import { readLines } from '@valetkey/core/mcp/line-reader';
import type { Logger } from 'pino';

export interface StderrLogOptions {
  readonly stderr: Readable;
  readonly backend: string;
  readonly childPid: number;
  /** What its environment holds by the configuration. */
  readonly secrets: readonly string[];
  readonly clock: Clock;
  readonly log: Logger;
}

const maxLineBytes = 2048;
const maxLines = 50;
const windowMs = 10_000;

/** Reads to the end: a pipe that nobody reads would stop the process. Never rejects. */
export async function logStderr(options: StderrLogOptions): Promise<void> {
  const { stderr, backend, childPid, clock, log } = options;
  const window = { untilMs: 0, lines: 0 };
  try {
    for await (const line of readLines(stderr, maxLineBytes)) {
      const nowMs = clock.nowMs();
      if (nowMs >= window.untilMs) Object.assign(window, { untilMs: nowMs + windowMs, lines: 0 });
      window.lines += 1;
      if (window.lines > maxLines + 1) continue;
      const text =
        window.lines > maxLines
          ? '(more lines, left out)'
          : describe(line.kind === 'line' ? line.bytes : undefined, options);
      log.info({ backend, childPid, text }, 'backend wrote to stderr');
    }
  } catch {
    // The pipe broke with its process.
  }
}

function describe(bytes: Buffer | undefined, { secrets }: StderrLogOptions): string {
  if (bytes === undefined) return `(a line of more than ${maxLineBytes} bytes, left out)`;
  let text = bytes.toString();
  for (const secret of secrets) text = text.replaceAll(secret, '[secret]');
  // Escape sequences would write into the operator's terminal, and other signs make a line look like another one.
  return redact(text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ').trim());
}
