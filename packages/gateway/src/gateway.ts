/**
 * The composition root: every room is opened here, once. The addresses stand in `routes.ts`, the way of an MCP
 * request in `mcp-endpoint.ts`, the way of a person in `sign-in/`.
 */
import { readFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import type { KeyPurpose, KeyRing } from '@valetkey/core/crypto/key-ring';
import { hashToken } from '@valetkey/core/crypto/token-hash';
import { createPolicy } from '@valetkey/core/policy/decide';
import { openAudit } from './audit/audit.ts';
import type { Config } from './config/config.ts';
import { createTokenVerifier, type TokenVerifier, type VerifiedToken } from './enforce/verify-token.ts';
import { createEntra } from './entra/create-entra.ts';
import { createClientIp } from './http/client-ip.ts';
import { createRouter } from './http/dispatch.ts';
import type { LimitName } from './http/exchange.ts';
import { createRateLimiter, type RateLimitRule, type RateLimits } from './http/rate-limit.ts';
import { startFollowingLeavers } from './sign-in/follow-leavers.ts';
import { startLeaverCheck } from './sign-in/leaver-check.ts';
import { startResealing } from './keys/background-resealing.ts';
import { type LiveKeyRing, watchKeyRing } from './keys/live-key-ring.ts';
import { openKeySource } from './keys/open-keys.ts';
import { createOpenStreams } from './proxy/open-streams.ts';
import { startRevocationFeed } from './session/revocation-feed.ts';
import { rightsOf } from './session/revocations.ts';
import type { Driver } from './store/driver.ts';
import { type RepeatingTimer, repeat } from './store/sweeper.ts';
import { createMcpEndpoint } from './mcp-endpoint.ts';
import { createAuthorizationServer } from './oauth/authorization-server.ts';
import { renderOAuthError } from './oauth/error-page.ts';
import { createGuardedFetch, type FetchFromStranger } from './oauth/guarded-fetch.ts';
import { createResources } from './oauth/resources.ts';
import { createBackendProxy } from './proxy/forward.ts';
import { createIdentitySigner } from './proxy/identity.ts';
import { createRoutes } from './routes.ts';
import { createBrowsers } from './session/browsers.ts';
import { createConsents } from './session/consents.ts';
import { createSessions } from './session/sessions.ts';
import { createSignInTransactions } from './session/sign-in-transactions.ts';
import { callbackPath, type PendingSignIn } from './sign-in/sign-in-flow.ts';
import { createSignIns } from './sign-in/sign-ins.ts';
import { checkKeyRing } from './store/key-check.ts';
import { openDriver, openStore } from './store/open-store.ts';
import type { World } from './world.ts';

export interface Gateway {
  /** For `node:http`: the whole gateway. */
  readonly listener: RequestListener;
  /** Ends open work and closes the store and the audit sinks. */
  close(): Promise<void>;
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

export interface GatewayOptions {
  /** Drives everything that is done now and then; default: `setInterval`. */
  readonly timer?: RepeatingTimer;
  /** Milliseconds of a clock that nobody sets; default: `performance.now()`. */
  readonly monotonicMs?: () => number;
  /** Put around the driver of the store: a test counts or breaks what goes through. */
  readonly wrapDriver?: (driver: Driver) => Driver;
  /** How documents that clients name are fetched; default: the guarded fetch of `oauth/guarded-fetch.ts`. */
  readonly fetchFromStranger?: FetchFromStranger;
}

/**
 * Opens the gateway. It does not listen: give `listener` to a server (`http/server.ts`).
 *
 * @throws StartFault when the keys cannot be used, with the remedy.
 * @throws StoreUnavailable when the store does not open.
 */
export async function createGateway(
  config: Config,
  world: World,
  options: GatewayOptions = {},
): Promise<Gateway> {
  const { clock, random, log } = world;
  const { timer = repeat, monotonicMs = () => performance.now(), wrapDriver = (driver) => driver } = options;
  const closers: (() => void | Promise<void>)[] = [];
  const close = async () => {
    for (const each of closers.toReversed()) await each();
  };
  try {
    return await open();
  } catch (fault) {
    await close();
    throw fault;
  }

  async function open(): Promise<Gateway> {
    const keyRing = await openKeys(config, world, timer, closers);
    const driver = wrapDriver(await openDriver(config.store, clock, log));
    const store = await openStore({ config: config.store, driver, keyRing, random, clock, log, timer });
    closers.push(() => store.close());
    const keyCheck = await checkKeyRing(store);
    if (!keyCheck.ok) throw new StartFault(keyCheck.error.problem, keyCheck.error.remedy);
    closers.push(startResealing({ driver, store, keyRing, random, timer, log }));

    const audit = openAudit(config.audit, world);
    closers.push(() => audit.close());
    const limiter = createRateLimiter(config.limits, clock);
    const clientLimiter = createRateLimiter(clientLimits(config.limits), clock);
    // Hashed: a client id that a stranger makes up can be as long as a request.
    const checkClientLimit = (name: LimitName, clientId: string) =>
      clientLimiter.check(name, hashToken(clientId));

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
    const streams = createOpenStreams(clock);
    sessions.onMark(({ sessionId, rights }) => void streams.cutSession(sessionId, rights));
    if (config.streams.cutAtExpiry) closers.push(timer(() => void streams.cutExpired(), 1000));
    const entra = createEntra({
      config: config.entra,
      callbackUrl: `${config.publicUrl}${callbackPath}`,
      store,
      world,
    });
    const verifier = createTokenVerifier({
      issuer: config.publicUrl,
      keyRing,
      clock,
      isRevoked: sessions.isRevoked,
      isOutdated: sessions.isOutdated,
    });
    closers.push(() => entra.close());
    const signIns = createSignIns({ sessions, entra, clock, random, audit });
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
    /** After a check, since the check may be what found out. */
    const recheck = ({ principal, issuedAtSeconds }: VerifiedToken) =>
      leaverCheck
        .check(principal.sessionId, issuedAtSeconds)
        ?.then((goesOn) => goesOn && !sessions.isOutdated(principal.sessionId, () => rightsOf(principal)));

    const authorizationServer = createAuthorizationServer({
      config,
      keyRing,
      store,
      world,
      audit,
      cookieKeys: () => keysOf(keyRing, 'cookie').map((key) => Buffer.from(key).toString('base64')),
      resources: createResources(config.backends),
      signIns,
      fetchFromStranger: options.fetchFromStranger ?? (await defaultFetch(config)),
      renderError: renderOAuthError,
      readAccessToken: createTokenReader(verifier, config),
      checkClientLimit,
    });

    const policies = new Map(config.backends.map((backend) => [backend.name, createPolicy(backend.rules)]));
    const identity = createIdentitySigner({
      issuer: config.publicUrl,
      signingJwk: () => keyRing.signingJwk,
      clock,
    });
    const proxies = config.backends.map((backend) =>
      createBackendProxy({ backend, identity, store, clock, log }),
    );
    for (const proxy of proxies) closers.push(() => proxy.close());
    const endpoints = new Map(
      config.backends.map((backend, index) => {
        const policy = required(policies.get(backend.name));
        const proxy = required(proxies[index]);
        return [
          backend.name,
          createMcpEndpoint({
            backend,
            verifier,
            policy,
            proxy,
            audit,
            limits: config.limits,
            clock,
            log,
            streams,
            isBlind: feed.isBlind,
            recheck,
          }),
        ];
      }),
    );

    const flow = {
      config,
      entra,
      sessions,
      policies,
      checkClientLimit,
      store,
      audit,
      clock,
      random,
      log,
      interactions: authorizationServer.interactions,
      consents: createConsents({ store, clock, lifetimes: config.lifetimes }),
      browsers: createBrowsers({ store, clock, random }),
      transactions: createSignInTransactions<PendingSignIn>({
        store,
        clock,
        random,
        lifetimeSeconds: config.lifetimes.signInSeconds,
      }),
      formKeys: () => keysOf(keyRing, 'form'),
    };

    const isReady = async () =>
      store.ping().then(
        () => true,
        () => false,
      );
    const routes = createRoutes({ config, authorizationServer, flow, endpoints, isReady });
    return {
      listener: createRouter(routes, {
        publicUrl: config.publicUrl,
        clientIp: createClientIp(config.trustedProxies),
        limiter,
        hostAliases: config.allowedHosts,
        allowedOrigins: config.allowedOrigins,
        log,
        random,
      }),
      close,
    };
  }
}

/** The ring of the configuration, watched from now on. */
async function openKeys(
  config: Config,
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

/**
 * One client serves many people, and its id is public: were its budget the one of an address, a single address could
 * use it up and lock all of them out.
 */
function clientLimits(limits: RateLimits): RateLimits {
  const widen = ({ requests, windowSeconds }: RateLimitRule) => ({ requests: requests * 20, windowSeconds });
  const { register, authorize, consent, token } = limits;
  return {
    register: widen(register),
    authorize: widen(authorize),
    consent: widen(consent),
    token: widen(token),
  };
}

/** The key in use first; the others only verify. */
function keysOf(keyRing: KeyRing, purpose: KeyPurpose): Uint8Array[] {
  const current = keyRing.current(purpose);
  const older = keyRing.kids
    .filter((kid) => kid !== current.kid)
    .map((kid) => required(keyRing.find(purpose, kid)));
  return [current, ...older].map(({ key }) => key.export());
}

/** For `/revoke`: whose token is it, whichever backend it was made for. */
function createTokenReader(verifier: TokenVerifier, config: Config) {
  return async (token: string) => {
    for (const backend of config.backends) {
      const verified = await verifier.verify(token, backend.resource);
      if (verified.ok) return verified.value.principal;
      if (verified.error !== 'wrong_audience') return undefined;
    }
    return undefined;
  };
}

async function defaultFetch(config: Config): Promise<FetchFromStranger> {
  const { allowLoopback, caFile } = config.clients.metadataDocuments;
  return createGuardedFetch({
    allowSpecialAddresses: allowLoopback,
    ...(caFile === undefined ? {} : { ca: await readFile(caFile, 'utf8') }),
  });
}

function required<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error('a part of the gateway is missing');
  return value;
}
