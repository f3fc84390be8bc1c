/**
 * Room `control`: the hand of the test: changes the tenant while it runs, plans faults, moves the clock, reads what was
 * asked. Over HTTP the same functions are behind control-server.ts and control-client.ts, so every argument and answer is
 * plain JSON.
 */
import type { ClockState, EmulatorClock } from './clock.ts';
import { type AppControl, createAppControl } from './control-apps.ts';
import { createUserControl, type UserControl } from './control-users.ts';
import { createDirectory, type Directory } from './directory.ts';
import type { Fault, FaultMatch, PlannedFault } from './faults.ts';
import type { GraphBudget } from './graph/graph-state.ts';
import { issuerV2, nowSeconds, type Realm } from './realm.ts';
import type { RequestLog, RequestLogEntry, RequestLogQuery } from './request-log.ts';
import type { Seed } from './seed.ts';
import { restoreSnapshot, type Snapshot, takeSnapshot } from './snapshot.ts';
import { describeTenants, type TenantOverview } from './tenant-overview.ts';

/**
 * Every function that names a user or an app throws a RangeError when there is none of that name, and a TypeError for what
 * makes no sense.
 */
export interface Control extends UserControl, AppControl {
  /** Plans a fault; `times` default: until cleared. The first planned one that matches is used. */
  setFault(match: FaultMatch, fault: Fault, times?: number): void;
  /** What is planned and not yet used up. */
  faults(): readonly PlannedFault[];
  clearFaults(): void;
  /** Moves the emulator's clock ahead; it also ages every token and session. TLS certificates keep to the real time. */
  advanceClock(seconds: number): void;
  /** Stops the clock, now or at that moment (milliseconds since the epoch). */
  freezeClock(atMs?: number): void;
  /** Lets the clock run on from where it stands. */
  resumeClock(): void;
  clock(): ClockState & { readonly nowMs: number };
  /** A new signing key with an unseen kid; the previous one stays published. */
  rotateKeys(): Promise<void>;
  /** Life of access tokens from now on; `undefined` = Entra's 60 to 90 minutes. */
  setAccessTokenLifetime(seconds: number | undefined): void;
  /** So many Graph requests per app and tenant in a window, then 429 until it ends; `undefined` = no limit. */
  setGraphBudget(budget: GraphBudget | undefined): void;
  /** A token as a managed identity gets it from the platform: `sub` is its principal id. Lives 24 hours. */
  createManagedIdentityToken(principalId: string, audience: string): Promise<string>;
  /** The last 5000 requests at most, or those after `since`, without secrets. */
  requestLog(query?: RequestLogQuery): readonly RequestLogEntry[];
  /** Tenants, people and apps as they are now, without passwords and secrets. */
  tenants(): readonly TenantOverview[];
  /** Back to the seed: users, apps, grants, faults, clock, log and lifetimes. Keys and ports stay. */
  reset(): void;
  /**
   * Everything that can change, as JSON. It holds passwords, client secrets, codes and refresh tokens, all of them the
   * emulator's own. Private keys, the key vault's among them, only when asked for: then tokens issued before are good after
   * `restore` elsewhere.
   */
  snapshot(options?: { readonly privateKeys?: boolean }): Promise<Snapshot>;
  /** Back to a snapshot, also one of another emulator. Requests in the log stay. @throws TypeError for what is none */
  restore(snapshot: Snapshot): void;
}

/** @param directory is replaced by `reset` and `restore`; whoever keeps a user or an app across them keeps a dead one */
export type ControlledRealm = Realm & { directory: Directory };

export function createControl(
  realm: ControlledRealm,
  log: RequestLog,
  seed: Seed,
  clock: EmulatorClock,
): Control {
  return {
    ...createUserControl(realm),
    ...createAppControl(realm),
    setFault: (match, fault, times) => realm.faults.set(match, fault, times),
    faults: () => realm.faults.list(),
    clearFaults: () => realm.faults.clear(),
    advanceClock(seconds) {
      if (!(seconds >= 0)) throw new TypeError('The clock moves forward only: seconds from 0 on');
      clock.advance(seconds);
    },
    freezeClock: (atMs) => clock.freeze(atMs),
    resumeClock: () => clock.resume(),
    clock: () => ({ ...clock.state(), nowMs: clock.nowMs() }),
    rotateKeys: () => realm.keys.rotate(),
    setAccessTokenLifetime(seconds) {
      realm.settings.accessTokenLifetimeSeconds = seconds;
    },
    setGraphBudget(budget) {
      realm.settings.graphBudget = budget;
    },
    createManagedIdentityToken: (principalId, audience) =>
      signManagedIdentityToken(realm, principalId, audience),
    requestLog: (query) => log.entries(query),
    tenants: () => describeTenants(realm.directory),
    reset() {
      realm.directory = createDirectory(seed);
      realm.grants.clear();
      realm.faults.clear();
      realm.settings.accessTokenLifetimeSeconds = undefined;
      realm.settings.graphBudget = undefined;
      realm.graph.clear();
      realm.vault.clear();
      clock.restore({ aheadMs: 0 });
      log.clear();
    },
    snapshot: (options) => takeSnapshot(realm, clock, options?.privateKeys ?? false),
    restore: (snapshot) => restoreSnapshot(realm, clock, snapshot),
  };
}

async function signManagedIdentityToken(
  realm: Realm,
  principalId: string,
  audience: string,
): Promise<string> {
  const [tenant] = realm.directory.tenants;
  if (tenant === undefined) throw new RangeError('The seed has no tenant');
  const { tenantId } = tenant.seed;
  const now = nowSeconds(realm);
  const times = { iat: now - 300, nbf: now - 300, exp: now + 86_400 };
  const subject = { sub: principalId, oid: principalId, idtyp: 'app', tid: tenantId, ver: '2.0' };
  return realm.keys.sign({ aud: audience, iss: issuerV2(realm, tenantId), ...times, ...subject });
}
