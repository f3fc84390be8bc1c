/**
 * The conversations that are open, each under a key: how many there may be, whose they are, and when they end. One that
 * nobody is signed in for any more has lost its reason: it ends with the last of the sign-ins that have used it.
 */
import type { Clock } from '@valetkey/core/base/clock';
import { err, ok, type Result } from '@valetkey/core/base/result';
import type { RepeatingTimer } from '../../store/sweeper.ts';
import type { BackendFault } from '../backend-proxy.ts';
import type { Conversation } from './conversation.ts';

/** Who uses a conversation. */
export interface Holder {
  /** It is nobody else's; empty: everybody's. */
  readonly name: string;
  /** The sign-in that they come with, by its id; undefined: it is for no sign-in in particular, and ends with none. */
  readonly session?: string;
}

export const everybody: Holder = { name: '' };

export interface OpenConversations<Opened extends { readonly conversation: Conversation }> {
  /** @returns undefined too when it is somebody else's: who asks learns nothing of it. */
  find(key: string, holder: Holder): Promise<Opened | undefined>;
  /** The one under this key, opened when there is none; several that ask at once share it. */
  open(
    key: string,
    holder: Holder,
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
  /** Whether a sign-in has ended. */
  readonly isRevoked: (sessionId: string) => boolean;
  readonly clock: Clock;
  readonly timer: RepeatingTimer;
}

interface Entry<Opened> {
  readonly holder: string;
  /** The sign-ins that have used it and have not ended; undefined: it is for none in particular. */
  readonly sessions: Set<string> | undefined;
  readonly opening: Promise<Result<Opened, BackendFault>>;
  opened?: Opened;
  lastUsedMs: number;
}

export function createOpenConversations<Opened extends { readonly conversation: Conversation }>(
  options: OpenConversationsOptions,
): OpenConversations<Opened> {
  const { maxOpen, maxPerHolder, idleSeconds, isRevoked, clock, timer } = options;
  // In order of last use: each use deletes and inserts again.
  const entries = new Map<string, Entry<Opened>>();
  const state = { closing: 0 };
  const stopTimer = timer(endUnused, 1000);

  function use(key: string, entry: Entry<Opened>, { session }: Holder): Entry<Opened> {
    entry.lastUsedMs = clock.nowMs();
    if (session !== undefined) entry.sessions?.add(session);
    entries.delete(key);
    entries.set(key, entry);
    return entry;
  }

  function endUnused(): void {
    const before = clock.nowMs() - idleSeconds * 1000;
    for (const [key, entry] of entries) {
      const isOver = isForNobody(entry);
      // What is under way was allowed when it came; streams are cut elsewhere.
      if (entry.opened === undefined || entry.opened.conversation.isBusy()) entry.lastUsedMs = clock.nowMs();
      else if (isOver || entry.lastUsedMs <= before) void end(key);
    }
  }

  function isForNobody({ sessions }: Entry<Opened>): boolean {
    if (sessions === undefined) return false;
    // Taken out at once: that a sign-in was ended is not remembered for ever.
    for (const session of sessions) if (isRevoked(session)) sessions.delete(session);
    return sessions.size === 0;
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
      if (entry?.holder !== holder.name) return undefined;
      const opened = await use(key, entry, holder).opening;
      return opened.ok ? opened.value : undefined;
    },

    async open(key, holder, open) {
      const known = entries.get(key);
      if (known !== undefined) return use(key, known, holder).opening;
      const room = makeRoom(holder.name);
      if (room === undefined) return err('busy');
      const { name, session } = holder;
      const entry: Entry<Opened> = {
        holder: name,
        sessions: session === undefined ? undefined : new Set([session]),
        opening: room.then(open),
        lastUsedMs: clock.nowMs(),
      };
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
