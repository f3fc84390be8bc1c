import type { Readable } from 'node:stream';

/** The backend stopped in the middle of an answer. */
export class AnswerStalled extends Error {
  override readonly name = 'AnswerStalled';
  readonly code = 'VALETKEY_ANSWER_STALLED';
}

/**
 * An answer that must not be silent for longer than `idleMs`. Only the backend's silence counts: the time that a slow
 * reader takes passes while nobody waits for the next bytes.
 *
 * @throws AnswerStalled, and ends the connection to the backend.
 */
export async function* withinIdleLimit(body: Readable, idleMs: number): AsyncGenerator<Uint8Array> {
  const bytes = body[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  let timer: NodeJS.Timeout | undefined;
  try {
    while (true) {
      timer = setTimeout(() => body.destroy(new AnswerStalled('the backend stopped in its answer')), idleMs);
      const next = await bytes.next();
      clearTimeout(timer);
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    clearTimeout(timer);
    body.destroy();
  }
}
