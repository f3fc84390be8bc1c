/** MSAL's token cache of one session: read from the store before an operation, written back only when it held. */
import type { ICachePlugin } from '@azure/msal-node';
import { DistributedCachePlugin } from '@azure/msal-node';
import { z } from 'zod';

export interface SessionCache {
  readonly plugin: ICachePlugin;
  /** What MSAL has written so far, or what it was given. */
  content(): string;
  hasRefreshToken(): boolean;
  /** The tenant that the session's person signed in to; undefined before the first sign-in. */
  tenantId(): string | undefined;
}

/**
 * MSAL writes its cache as soon as Entra answers, before anybody has checked the id token. So it writes here, into
 * memory, and the caller moves the content to the store after the check: an answer that fails it leaves no trace.
 *
 * One session per cache: a shared one costs seconds per sign-in at a thousand users, and a mistake in it would
 * hand out somebody else's tokens (D14).
 */
export function createSessionCache(sessionId: string, stored = ''): SessionCache {
  let content = stored;
  const client = {
    get: async () => content,
    set: async (_key: string, value: string) => {
      content = value;
      return value;
    },
  };
  const partition = { getKey: async () => sessionId, extractKey: async () => sessionId };
  return {
    plugin: new DistributedCachePlugin(client, partition),
    content: () => content,
    hasRefreshToken: () => hasRefreshToken(content),
    tenantId: () => findTenant(content),
  };
}

const cacheShape = z.object({ RefreshToken: z.record(z.string(), z.object({ secret: z.string().min(1) })) });

function hasRefreshToken(content: string): boolean {
  if (content === '') return false;
  const parsed = cacheShape.safeParse(JSON.parse(content));
  return parsed.success && Object.keys(parsed.data.RefreshToken).length > 0;
}

const accountShape = z.object({ Account: z.record(z.string(), z.object({ realm: z.string().min(1) })) });

function findTenant(content: string): string | undefined {
  if (content === '') return undefined;
  const parsed = accountShape.safeParse(JSON.parse(content));
  return parsed.success ? Object.values(parsed.data.Account)[0]?.realm : undefined;
}
