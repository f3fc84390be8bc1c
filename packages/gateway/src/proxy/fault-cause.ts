import { MessageTooLarge } from './response-filter.ts';

/** For the log: the code of the way to the backend or of the system, and never its message, which may hold an address. */
export function causeOf(error: unknown): unknown {
  return error instanceof MessageTooLarge
    ? 'message_too_large'
    : (error as { code?: unknown } | undefined)?.code;
}
