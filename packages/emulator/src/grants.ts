/**
 * Room `grants`: what the emulator remembers between requests: pending sign-ins, codes, refresh tokens, browser sessions.
 * Opaque random handles to records in memory; judges nothing but presence. Time is passed in by whoever judges.
 */
import { randomBytes } from 'node:crypto';
import type { App, User } from './directory.ts';
import type { Platform } from './seed.ts';

export type ResponseMode = 'query' | 'fragment' | 'form_post';

/** A checked authorization request. */
export interface AuthorizeRequest {
  /** The tenant as the authority named it: a code is redeemed under the same name. */
  readonly segment: string;
  readonly app: App;
  readonly redirectUri: string;
  readonly platform: Platform;
  readonly responseMode: ResponseMode;
  readonly state?: string;
  readonly nonce?: string;
  readonly scope: string;
  readonly resource?: string;
  readonly challenge?: { readonly value: string; readonly method: 'S256' | 'plain' };
  readonly prompt?: string;
  readonly loginHint?: string;
  readonly clientInfo: boolean;
}

export interface CodeGrant {
  readonly request: AuthorizeRequest;
  readonly user: User;
  readonly sessionEpoch: number;
  readonly sessionId: string;
  readonly authTimeMs: number;
  readonly expiresAtMs: number;
  redeemed: boolean;
}

/** Bound to a person and a client, and to no resource: that is what lets one refresh token serve several resources. */
export interface RefreshGrant {
  readonly app: App;
  readonly user: User;
  readonly platform: Platform;
  readonly scope: string;
  readonly resource?: string;
  readonly sessionEpoch: number;
  readonly sessionId: string;
  readonly authTimeMs: number;
  readonly expiresAtMs: number;
}

/** A browser that has signed in: what the ESTSAUTH cookie points to. */
export interface BrowserSession {
  readonly sessionId: string;
  readonly user: User;
  readonly sessionEpoch: number;
  readonly authTimeMs: number;
}

export interface Grants {
  readonly flows: Shelf<{ readonly request: AuthorizeRequest; readonly expiresAtMs: number }>;
  readonly codes: Shelf<CodeGrant>;
  readonly refreshTokens: Shelf<RefreshGrant>;
  readonly sessions: Shelf<BrowserSession>;
  clear(): void;
}

/** Records by handle, the oldest dropped at the limit: a test run of days must not eat the machine. */
export interface Shelf<T> {
  add(record: T): string;
  find(handle: string): T | undefined;
  /** Under a handle of the caller's own. */
  set(handle: string, record: T): void;
  remove(handle: string): void;
  entries(): readonly (readonly [handle: string, record: T])[];
  clear(): void;
}

const MAX_RECORDS = 20_000;

export function createGrants(): Grants {
  const grants = {
    flows: createShelf<{ readonly request: AuthorizeRequest; readonly expiresAtMs: number }>('f.'),
    codes: createShelf<CodeGrant>('1.'),
    refreshTokens: createShelf<RefreshGrant>('1.'),
    sessions: createShelf<BrowserSession>(''),
  };
  return { ...grants, clear: () => Object.values(grants).forEach((shelf) => shelf.clear()) };
}

function createShelf<T>(prefix: string): Shelf<T> {
  const records = new Map<string, T>();
  const keep = (handle: string, record: T) => {
    const oldest = records.size >= MAX_RECORDS ? records.keys().next().value : undefined;
    if (oldest !== undefined) records.delete(oldest);
    records.set(handle, record);
  };
  return {
    add(record) {
      const handle = prefix + randomBytes(48).toString('base64url');
      keep(handle, record);
      return handle;
    },
    set: keep,
    entries: () => [...records],
    find: (handle) => records.get(handle),
    remove: (handle) => void records.delete(handle),
    clear: () => records.clear(),
  };
}
