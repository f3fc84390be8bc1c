/**
 * What every part of the gateway shares, opened once and kept while the rest is reloaded: keys, store, audit,
 * sessions and their revocations, the leg to Entra, the verifier of our tokens.
 */
import { readFile } from 'node:fs/promises';
import type { KeyPurpose, KeyRing } from '@valetkey/core/crypto/key-ring';
import { openAudit } from './audit/audit.ts';
import type { WatchedAudit } from './audit/event.ts';
import type { ServerConfig } from './config/config.ts';
import { createTokenVerifier, type TokenVerifier, type VerifiedToken } from './enforce/verify-token.ts';
import { createEntra } from './entra/create-entra.ts';
import type { Entra } from './entra/entra.ts';
import { openOutbound } from './entra/outbound.ts';
import { startResealing } from './keys/background-resealing.ts';
import { type LiveKeyRing, watchKeyRing } from './keys/live-key-ring.ts';
import { openKeySource } from './keys/open-keys.ts';
import { createGuardedFetch, type FetchFromStranger } from './oauth/guarded-fetch.ts';
import { createKeepAlive, type KeepAlive } from './proxy/keep-alive.ts';
import { createOpenStreams, type OpenStreams } from './proxy/open-streams.ts';
import { startRevocationFeed } from './session/revocation-feed.ts';
import { rightsOf } from './session/revocations.ts';
import { createSessions, type Sessions } from './session/sessions.ts';
import { createStepUps, type StepUps } from './session/step-ups.ts';
import { startFollowingLeavers } from './sign-in/follow-leavers.ts';
import { startLeaverCheck } from './sign-in/leaver-check.ts';
import { createGroups, type Groups } from './sign-in/groups.ts';
import { callbackPath } from './sign-in/sign-in-flow.ts';
import { createSignIns, type RecheckableSignIns } from './sign-in/sign-ins.ts';
import type { Store } from './store/collection.ts';
import type { Driver } from './store/driver.ts';
import { checkKeyRing } from './store/key-check.ts';
import { openDriver, openStore } from './store/open-store.ts';
import { type RepeatingTimer, repeat } from './store/sweeper.ts';
import { noTelemetry, type Telemetry } from './telemetry/telemetry.ts';
import type { World } from './world.ts';

export interface Services {
  readonly world: World;
  readonly keyRing: LiveKeyRing;
  readonly store: Store;
  readonly audit: WatchedAudit;
  readonly telemetry: Telemetry;
  readonly sessions: Sessions;
  readonly stepUps: StepUps;
  readonly entra: Entra;
  readonly groups: Groups;
  readonly signIns: RecheckableSignIns;
  readonly verifier: TokenVerifier;
  readonly streams: OpenStreams;
  readonly keepAlive: KeepAlive;
  readonly timer: RepeatingTimer;
  readonly fetchFromStranger: FetchFromStranger;
  /** Whether revocations may be unknown here, since the store has been away for too long. */
  readonly isBlind: () => boolean;
  /** Whether the person is still who they were, where that has not been asked for a while. */
  readonly recheck: (token: VerifiedToken) => Promise<boolean> | undefined;
  /** Ends open work, and closes the store and the audit sinks. */
  close(): Promise<void>;
}

export interface ServicesOptions {
  /** Drives everything that is done now and then; default: `setInterval`. */
  readonly timer?: RepeatingTimer;
  /** Milliseconds of a clock that nobody sets; default: `performance.now()`. */
  readonly monotonicMs?: () => number;
  /** Put around the driver of the store: a test counts or breaks what goes through. */
  readonly wrapDriver?: (driver: Driver) => Driver;
  /** How documents that clients name are fetched; default: the guarded fetch of `oauth/guarded-fetch.ts`. */
  readonly fetchFromStranger?: FetchFromStranger;
  /** Closed with the services; default: nothing is measured. */
  readonly telemetry?: Telemetry;
}

/** Why the gateway does not start: something its operator can mend. */
export class StartFault extends Error {
  override readonly name = 'StartFault';
  readonly remedy: string;

  constructor(problem: string, remedy: string) {
    super(problem);
    this.remedy = remedy;
  }
}

/**
 * @throws StartFault when the keys cannot be used, with the remedy.
 * @throws StoreUnavailable when the store does not open.
 */
export async function openServices(
  config: ServerConfig,
  world: World,
  options: ServicesOptions = {},
): Promise<Services> {
  const { clock, random, log } = world;
  const { timer = repeat, monotonicMs = () => performance.now(), wrapDriver = (driver) => driver } = options;
  const { telemetry = noTelemetry } = options;
  const closers: (() => void | Promise<void>)[] = [() => telemetry.close()];
  const close = async () => {
    for (const each of closers.splice(0).toReversed()) await each();
  };
  try {
    return await open();
  } catch (fault) {
    await close();
    throw fault;
  }

  async function open(): Promise<Services> {
    const keyRing = await openKeys(config, world, timer, closers);
    const driver = telemetry.observeDriver(wrapDriver(await openDriver(config.store, clock, log)));
    const store = await openStore({ config: config.store, driver, keyRing, random, clock, log, timer });
    closers.push(() => store.close());
    const keyCheck = await checkKeyRing(store);
    if (!keyCheck.ok) throw new StartFault(keyCheck.error.problem, keyCheck.error.remedy);
    closers.push(startResealing({ driver, store, keyRing, random, timer, log }));

    const audit = openAudit(config.audit, world, telemetry.onRecord);
    closers.push(() => audit.close());

    const sessions = await createSessions({
      store,
      clock,
      random,
      accessTokenSeconds: config.lifetimes.accessTokenSeconds,
      sessionSeconds: config.lifetimes.sessionSeconds,
    });
    const feed = startRevocationFeed({
      reload: sessions.reload,
      timer,
      monotonicMs,
      outageSeconds: config.lifetimes.storeOutageSeconds,
      log,
    });
    closers.push(() => feed.close());
    telemetry.report({ audit: audit.states, feedAgeSeconds: () => feed.ageMs() / 1000 });
    const streams = createOpenStreams(clock);
    const keepAlive = createKeepAlive(config.streams.keepAliveSeconds, timer);
    closers.push(() => keepAlive.close());
    sessions.onMark(({ sessionId, rights }) => void streams.cutSession(sessionId, rights));
    if (config.streams.cutAtExpiry) closers.push(timer(() => void streams.cutExpired(), 1000));

    const outbound = telemetry.observeOutbound(
      openOutbound(config.entra.caFile === undefined ? {} : { caFile: config.entra.caFile }),
    );
    closers.push(() => outbound.close());
    const entra = createEntra({
      config: config.entra,
      callbackUrl: `${config.publicUrl}${callbackPath}`,
      store,
      world,
      outbound,
    });
    closers.push(() => entra.close());
    sessions.onMark(({ sessionId }) => entra.forgetHere(sessionId));
    const stepUps = createStepUps({ store, random });
    const groups = createGroups({ entra, config: config.entra, outbound, world });
    const signIns = createSignIns({ sessions, stepUps, entra, groups, clock, random, audit });
    const leaverCheck = startLeaverCheck({
      recheck: signIns.recheck,
      streaming: streams.sessionIds,
      checkSeconds: config.leaver.checkSeconds,
      clock,
      timer,
      log,
    });
    closers.push(() => leaverCheck.close());
    if (config.leaver.graph && config.leaver.checkSeconds > 0) {
      closers.push(startFollowingLeavers({ config, world, store, sessions, signIns, audit, timer }));
    }

    return {
      world,
      keyRing,
      store,
      audit,
      telemetry,
      sessions,
      stepUps,
      entra,
      groups,
      signIns,
      verifier: createTokenVerifier({
        issuer: config.publicUrl,
        keyRing,
        clock,
        isRevoked: sessions.isRevoked,
        isOutdated: sessions.isOutdated,
      }),
      streams,
      keepAlive,
      timer,
      fetchFromStranger: options.fetchFromStranger ?? (await defaultFetch(config)),
      isBlind: feed.isBlind,
      /** What the token says is asked after the check, since the check may be what found out. */
      recheck: ({ principal, issuedAtSeconds }) =>
        leaverCheck
          .check(principal.sessionId, issuedAtSeconds)
          ?.then((goesOn) => goesOn && !sessions.isOutdated(principal.sessionId, () => rightsOf(principal))),
      close,
    };
  }
}

/** The keys of a purpose, the one in use first; the others only verify. */
export function keysOf(keyRing: KeyRing, purpose: KeyPurpose): Uint8Array[] {
  const current = keyRing.current(purpose);
  const older = keyRing.kids
    .filter((kid) => kid !== current.kid)
    .flatMap((kid) => keyRing.find(purpose, kid) ?? []);
  return [current, ...older].map(({ key }) => key.export());
}

/** The ring of the configuration, watched from now on. */
async function openKeys(
  config: ServerConfig,
  world: World,
  timer: RepeatingTimer,
  closers: (() => void | Promise<void>)[],
): Promise<LiveKeyRing> {
  const source = openKeySource(config, world);
  closers.push(() => source.close());
  const keys = await source.load();
  if (!keys.ok) throw new StartFault(keys.error.problem, keys.error.remedy);
  const live = await watchKeyRing({ source, ring: keys.value.ring, timer, log: world.log });
  closers.push(() => live.close());
  return live;
}

async function defaultFetch(config: ServerConfig): Promise<FetchFromStranger> {
  const { allowLoopback, caFile } = config.clients.metadataDocuments;
  return createGuardedFetch({
    allowSpecialAddresses: allowLoopback,
    ...(caFile === undefined ? {} : { ca: await readFile(caFile, 'utf8') }),
  });
}
