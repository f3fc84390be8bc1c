import type { Clock } from '@valetkey/core/base/clock';
import type { KnownTools } from '@valetkey/core/policy/decide';
import { createLearnedTools, type ListedTool } from '@valetkey/core/policy/known-tools';
import type { Logger } from 'pino';
import type { AnyBackendConfig } from '../config/config.ts';
import type { Store } from '../store/collection.ts';

/** What a backend says of its tools: heard in the lists that pass here, or at another replica. */
export interface ToolAnnotations extends KnownTools {
  /** A list of the backend passed. */
  learn(tools: readonly ListedTool[]): void;
  /** Looks what other replicas have heard, unless that was done a moment ago. Never throws: unknown stays unknown. */
  look(): Promise<void>;
  /** When all that was learned is written. */
  settled(): Promise<void>;
}

export interface ToolAnnotationsOptions {
  /** Name of the backend. */
  readonly backend: string;
  /** What stands behind the name: another server's word about its tools says nothing of this one's. Default: nothing. */
  readonly server?: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Pick<Logger, 'warn'>;
}

/** What answers for a backend: its address, or the command. */
export function serverOf({ upstream, process }: AnyBackendConfig): string {
  return upstream ?? JSON.stringify([process?.command, process?.args, process?.cwd]);
}

/** A call of a tool that nobody has heard of costs a read of the store; a flood of them costs one in this time. */
const lookAgainMs = 2000;
const lifetimeSeconds = 30 * 24 * 3600;
const writeAgainMs = 24 * 3600 * 1000;

/**
 * Lists pass wherever their client happens to arrive, and a call may come elsewhere: what one replica hears it notes in
 * the store, and a replica that has heard nothing looks there. A call whose tool is known reads no store.
 */
export function createToolAnnotations(options: ToolAnnotationsOptions): ToolAnnotations {
  const { backend, server = '', clock, log } = options;
  const key = JSON.stringify([backend, server]);
  const notes = options.store.collection<readonly ListedTool[]>('backend.tools');
  const learned = createLearnedTools();
  const never = Number.NEGATIVE_INFINITY;
  const state = { lookedAtMs: never, wroteAtMs: never, work: Promise.resolve() };

  const quietly = (work: () => Promise<void>): Promise<void> =>
    work().catch((fault: unknown) => {
      const reason = fault instanceof Error ? fault.name : 'unknown';
      log.warn({ backend, reason }, 'what a backend says of its tools could not be shared');
    });

  /** Whatever this replica has heard itself is newer than what it reads. */
  async function read(): Promise<void> {
    const found = (await notes.get(key)) ?? [];
    learned.learn(found.filter(({ name }) => learned.isReadOnly(name) === undefined));
  }

  return {
    isReadOnly: learned.isReadOnly,
    learn(tools) {
      const isNew = learned.learn(tools);
      const nowMs = clock.nowMs();
      if (!isNew && nowMs - state.wroteAtMs < writeAgainMs) return;
      state.wroteAtMs = nowMs;
      state.work = state.work.then(() =>
        quietly(async () => {
          await read();
          await notes.put(key, learned.list(), { lifetimeSeconds });
        }),
      );
    },
    async look() {
      const nowMs = clock.nowMs();
      if (nowMs - state.lookedAtMs < lookAgainMs) return;
      state.lookedAtMs = nowMs;
      await quietly(read);
    },
    settled: () => state.work,
  };
}
