/** Who may use the console page: one-time links, and the browser sessions they became. Bounded; ends with the process. */
import { randomBytes } from 'node:crypto';

export interface ConsoleSession {
  /** In every form of the page: a foreign page cannot know it. */
  readonly formToken: string;
}

export interface ConsoleSessions {
  /** A key that opens one session, once. */
  createKey(): string;
  takeKey(key: string): boolean;
  open(): string;
  find(handle: string | undefined): ConsoleSession | undefined;
  close(handle: string | undefined): void;
}

const MAX_KEPT = 50;
const random = () => randomBytes(32).toString('base64url');

export function createConsoleSessions(): ConsoleSessions {
  const keys = new Set<string>();
  const sessions = new Map<string, ConsoleSession>();
  return {
    createKey() {
      const [oldest] = keys;
      if (keys.size >= MAX_KEPT && oldest !== undefined) keys.delete(oldest);
      const key = random();
      keys.add(key);
      return key;
    },
    takeKey: (key) => keys.delete(key),
    open() {
      const [oldest] = sessions.keys();
      if (sessions.size >= MAX_KEPT && oldest !== undefined) sessions.delete(oldest);
      const handle = random();
      sessions.set(handle, { formToken: random() });
      return handle;
    },
    find: (handle) => sessions.get(handle ?? ''),
    close: (handle) => void sessions.delete(handle ?? ''),
  };
}
