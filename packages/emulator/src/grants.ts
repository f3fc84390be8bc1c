/**
 * Room `grants`: what the emulator remembers between requests: pending sign-ins, codes, refresh tokens, browser sessions.
 * Opaque random handles to records in memory; judges nothing but presence. Time is passed in by whoever judges.
 */
import { randomBytes } from 'node:crypto';
import type { ClaimsRequest } from './claims-request.ts';
import type { App, User } from './directory.ts';
import type { Platform } from './seed.ts';

export type ResponseMode = 'query' | 'fragment' | 'form_post';

/** What every sign-in asks for, whichever door it came through. */
export interface SignInRequest {
  /** The tenant as the authority named it: a code is redeemed under the same name. */
  readonly segment: string;
  readonly app: App;
  readonly version: 1 | 2;
  readonly scope: string;
  readonly resource?: string;
  readonly claims: ClaimsRequest;
  readonly prompt?: string;
  readonly loginHint?: string;
  readonly domainHint?: string;
  readonly clientInfo: boolean;
}

/** A checked authorization request. */
export interface AuthorizeRequest extends SignInRequest {
  readonly kind: 'authorize';
  readonly redirectUri: string;
  readonly platform: Platform;
  readonly responseMode: ResponseMode;
  /** `code`, `id_token`, `token`, in any combination. */
  readonly responseTypes: ReadonlySet<string>;
  readonly state?: string;
  readonly nonce?: string;
  readonly challenge?: { readonly value: string; readonly method: 'S256' | 'plain' };
}

export interface DeviceSignIn extends SignInRequest {
  readonly kind: 'device';
  readonly deviceCode: string;
}

export interface AdminConsentRequest extends SignInRequest {
  readonly kind: 'adminConsent';
  readonly redirectUri: string;
  readonly state?: string;
}

/** Why somebody signs in, and so where the answer goes. */
export type SignInPurpose = AuthorizeRequest | DeviceSignIn | AdminConsentRequest;

/** How strongly and how long ago the person signed in: Conditional Access judges by it. */
export interface SignInProof {
  readonly sessionId: string;
  readonly sessionEpoch: number;
  readonly authTimeMs: number;
  readonly hasMfa: boolean;
}

export interface CodeGrant extends SignInProof {
  readonly request: AuthorizeRequest;
  readonly app: App;
  readonly user: User;
  readonly expiresAtMs: number;
  redeemed: boolean;
}

/** Bound to a person and a client, and to no resource: that is what lets one refresh token serve several resources. */
export interface RefreshGrant extends SignInProof {
  readonly app: App;
  readonly user: User;
  readonly platform: Platform;
  readonly scope: string;
  readonly resource?: string;
  readonly expiresAtMs: number;
}

/** A device that waits for a person: what it was told to ask for, and what became of it. */
export interface DeviceGrant {
  readonly userCode: string;
  readonly request: SignInRequest;
  readonly expiresAtMs: number;
  outcome: 'pending' | 'declined' | 'redeemed' | { readonly user: User; readonly proof: SignInProof };
}

/** A browser that has signed in: what the ESTSAUTH cookie points to. */
export interface BrowserSession extends SignInProof {
  readonly user: User;
  hasMfa: boolean;
  authTimeMs: number;
  /** Everyone the session signed in to: they hear of its end. */
  readonly apps: Set<App>;
}

/** A sign-in under way: the page's form carries its handle and nothing else. */
export interface SignInFlow {
  readonly purpose: SignInPurpose;
  readonly expiresAtMs: number;
  /** Set once the person is known. */
  session?: BrowserSession;
  /** The password was typed in this very flow. */
  isFresh: boolean;
  isConfirmed: boolean;
  hasConsented: boolean;
  /** A fault planned for the person is spent once, however many pages follow. */
  isFaultSpent: boolean;
}

/** What a token the emulator issued rests on, for whoever brings it back as an assertion. */
export interface IssuedToken extends SignInProof {
  readonly user: User;
}

export interface Grants {
  readonly flows: Shelf<SignInFlow>;
  readonly codes: Shelf<CodeGrant>;
  readonly refreshTokens: Shelf<RefreshGrant>;
  readonly sessions: Shelf<BrowserSession>;
  readonly devices: Shelf<DeviceGrant>;
  /** By `uti`. */
  readonly issued: Shelf<IssuedToken>;
  clear(): void;
}

/**
 * Records by handle. At the limit the one goes that was used longest ago: a test run of days must not eat the machine, and
 * a token that is refreshed again and again must not grow old by it.
 */
export interface Shelf<T> {
  add(record: T): string;
  find(handle: string): T | undefined;
  /** Under a handle of the caller's own. */
  set(handle: string, record: T): void;
  search(isWanted: (record: T) => boolean): readonly [handle: string, record: T] | undefined;
  remove(handle: string): void;
  entries(): readonly (readonly [handle: string, record: T])[];
  clear(): void;
}

/** What lives as long as a person's session, and what is over within minutes. */
const MAX_LASTING = 10_000;
const MAX_PASSING = 2_000;

export function createGrants(): Grants {
  const grants = {
    flows: createShelf<SignInFlow>('f.', MAX_PASSING),
    codes: createShelf<CodeGrant>('1.', MAX_PASSING),
    refreshTokens: createShelf<RefreshGrant>('1.', MAX_LASTING),
    sessions: createShelf<BrowserSession>('', MAX_LASTING),
    devices: createShelf<DeviceGrant>('d.', MAX_PASSING),
    issued: createShelf<IssuedToken>('', MAX_PASSING),
  };
  return { ...grants, clear: () => Object.values(grants).forEach((shelf) => shelf.clear()) };
}

function createShelf<T>(prefix: string, limit: number): Shelf<T> {
  const records = new Map<string, T>();
  const keep = (handle: string, record: T) => {
    const oldest = records.size >= limit ? records.keys().next().value : undefined;
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
    search: (isWanted) => [...records].find(([, record]) => isWanted(record)),
    entries: () => [...records],
    find(handle) {
      const record = records.get(handle);
      if (record !== undefined) {
        records.delete(handle);
        records.set(handle, record);
      }
      return record;
    },
    remove: (handle) => void records.delete(handle),
    clear: () => records.clear(),
  };
}
