/** The session as MSAL wants it: read before it looks, written after it changed something. */
import type { ICachePlugin } from '@azure/msal-node';
import type { Session, SessionFile } from './session-file.ts';

export interface SessionCache {
  readonly plugin: ICachePlugin;
  findChosen(): Promise<string | undefined>;
  choose(homeAccountId: string | undefined): Promise<void>;
}

const empty: Session = { version: 1, msal: '{}' };
/** MSAL does not promise to call back when it fails in between. */
const longestHoldMs = 5_000;

export function createSessionCache(file: SessionFile): SessionCache {
  let queue: Promise<void> = Promise.resolve();

  /** Within this process one after the other, then against other processes. */
  async function hold(): Promise<() => Promise<void>> {
    const before = queue;
    const { promise, resolve } = Promise.withResolvers<void>();
    queue = promise;
    await before;
    try {
      const releaseFile = await file.lock();
      let isOpen = true;
      const release = async () => {
        if (!isOpen) return;
        isOpen = false;
        clearTimeout(timer);
        await releaseFile().finally(resolve);
      };
      const timer = setTimeout(() => void release().catch(() => undefined), longestHoldMs);
      timer.unref();
      return release;
    } catch (error) {
      resolve();
      throw error;
    }
  }

  const held = new WeakMap<object, () => Promise<void>>();

  return {
    plugin: {
      async beforeCacheAccess(context) {
        // What only reads needs no lock: the file is replaced as a whole.
        if (context.cacheHasChanged) held.set(context, await hold());
        try {
          context.tokenCache.deserialize((await file.read())?.msal ?? empty.msal);
        } catch (error) {
          await held.get(context)?.();
          throw error;
        }
      },
      async afterCacheAccess(context) {
        try {
          if (!context.cacheHasChanged) return;
          const { chosen } = (await file.read()) ?? empty;
          const msal = context.tokenCache.serialize();
          await file.write({ version: 1, msal, ...(chosen === undefined ? {} : { chosen }) });
        } finally {
          await held.get(context)?.();
        }
      },
    },
    findChosen: async () => (await file.read())?.chosen,
    async choose(chosen) {
      const release = await hold();
      try {
        const { msal } = (await file.read()) ?? empty;
        await file.write({ version: 1, msal, ...(chosen === undefined ? {} : { chosen }) });
      } finally {
        await release();
      }
    },
  };
}
