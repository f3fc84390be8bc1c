/** The conversations that are open, each under a key: how many there may be, whose they are, and when they end. */
import type { Clock } from '@valetkey/core/base/clock';
import { err, ok, type Result } from '@valetkey/core/base/result';
import type { RepeatingTimer } from '../../store/sweeper.ts';
import type { BackendFault } from '../backend-proxy.ts';
import type { Conversation } from './conversation.ts';

export interface OpenConversations<Opened extends { readonly conversation: Conversation }> {
  /** @returns undefined too when it is somebody else's: who asks learns nothing of it. */
  find(key: string, holder: string): Promise<Opened | undefined>;
  /** The one under this key, opened when there is none; several that ask at once share it. */
  open(
    key: string,
    holder: string,
    open: () => Promise<Result<Opened, BackendFault>>,
  ): Promise<Result<Opened, BackendFault>>;
  end(key: string): Promise<void>;
  close(): Promise<void>;
}

export interface OpenConversationsOptions {
  readonly maxOpen: number;
  /** One who opens more ends the one that they have not used for longest. */
  readonly maxPerHolder: number;
  /** Nobody waiting for anything this long: it is ended. */
  readonly idleSeconds: number;
  readonly clock: Clock;
  readonly timer: RepeatingTimer;
}

interface Entry<Opened> {
  readonly holder: string;
  readonly opening: Promise<Result<Opened, BackendFault>>;
  opened?: Opened;
  lastUsedMs: number;
}

export function createOpenConversations<Opened extends { readonly conversation: Conversation }>(
  options: OpenConversationsOptions,
): OpenConversations<Opened> {
  const { maxOpen, maxPerHolder, idleSeconds, clock, timer } = options;
  // In order of last use: each use deletes and inserts again.
  const entries = new Map<string, Entry<Opened>>();
  const state = { closing: 0 };
  const stopTimer = timer(endIdle, 1000);

  function use(key: string, entry: Entry<Opened>): Entry<Opened> {
    entry.lastUsedMs = clock.nowMs();
    entries.delete(key);
    entries.set(key, entry);
    return entry;
  }

  function endIdle(): void {
    const before = clock.nowMs() - idleSeconds * 1000;
    for (const [key, entry] of entries) {
      if (entry.opened === undefined || entry.opened.conversation.isBusy()) entry.lastUsedMs = clock.nowMs();
      else if (entry.lastUsedMs <= before) void end(key);
    }
  }

  async function end(key: string): Promise<void> {
    const entry = entries.get(key);
    if (entry === undefined) return;
    entries.delete(key);
    state.closing += 1;
    try {
      const opened = await entry.opening.catch(() => undefined);
      if (opened?.ok === true) await opened.value.conversation.close();
    } finally {
      state.closing -= 1;
    }
  }

  function hasRoom(own: number): boolean {
    return own < maxPerHolder && entries.size + state.closing < maxOpen;
  }

  /** @returns what has to end first; undefined when there is no room even so. */
  function makeRoom(holder: string): Promise<void> | undefined {
    const own = [...entries].filter(([, entry]) => entry.holder === holder);
    if (hasRoom(own.length)) return Promise.resolve();
    const idle = own.find(([, { opened }]) => opened !== undefined && !opened.conversation.isBusy());
    return idle === undefined ? undefined : end(idle[0]);
  }

  return {
    async find(key, holder) {
      const entry = entries.get(key);
      if (entry?.holder !== holder) return undefined;
      const opened = await use(key, entry).opening;
      return opened.ok ? opened.value : undefined;
    },

    async open(key, holder, open) {
      const known = entries.get(key);
      if (known !== undefined) return use(key, known).opening;
      const room = makeRoom(holder);
      if (room === undefined) return err('busy');
      const entry: Entry<Opened> = { holder, opening: room.then(open), lastUsedMs: clock.nowMs() };
      entries.set(key, entry);
      const forget = () => {
        if (entries.get(key) === entry) entries.delete(key);
      };
      const opened = await entry.opening.catch((fault: unknown) => {
        forget();
        throw fault;
      });
      if (!opened.ok) {
        forget();
        return opened;
      }
      entry.opened = opened.value;
      void opened.value.conversation.ended.then(forget);
      return ok(opened.value);
    },

    end,
    async close() {
      stopTimer();
      await Promise.all([...entries.keys()].map(end));
    },
  };
}
