/**
 * The local Entra ID: opens both listeners, wires the rooms, hands out the control plane. Everything shared lives in one
 * realm, so that the browser may sign in over http while the libraries talk https.
 *
 * This package shares no code with the gateway: a misreading of Entra's rules must not be able to hide on both sides.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { createAuthority, createServerCertificate, openAuthority } from './certificates.ts';
import { createClock } from './clock.ts';
import { CONSOLE_PATH, createConsole } from './console.ts';
import { type Control, createControl } from './control.ts';
import { CONTROL_PATH } from './control-commands.ts';
import { answerControl, checkControlToken, maxBodyBytes } from './control-server.ts';
import { defaultSeed } from './default-seed.ts';
import { createDirectory } from './directory.ts';
import { createFaults } from './faults.ts';
import { createGrants } from './grants.ts';
import { createGraphState } from './graph/graph-state.ts';
import { type Azure, describeAzure } from './managed-identity/azure.ts';
import { createCluster } from './managed-identity/workload-identity.ts';
import { createKeyVault } from './key-vault/key-vault-keys.ts';
import { createSigningKeys } from './keys.ts';
import type { EmulatorRequest, MaxBodyBytes, Reply } from './request.ts';
import { createRequestLog, type RequestLogEntry } from './request-log.ts';
import { answer } from './routes.ts';
import type { Seed } from './seed.ts';
import { checkSeed } from './seed-check.ts';
import { checkLoopback, openListener } from './server.ts';

export type { Control } from './control.ts';
export type { Azure } from './managed-identity/azure.ts';
export {
  AUTOMATION_CLIENT_ID,
  AUTOMATION_CLIENT_SECRET,
  CONTOSO_DOMAIN,
  CONTOSO_TENANT_ID,
  DESKTOP_CLIENT_ID,
  defaultSeed,
  GATEWAY_CLIENT_ID,
  GATEWAY_CLIENT_SECRET,
  GATEWAY_IDENTITY_CLIENT_ID,
  GATEWAY_IDENTITY_PRINCIPAL_ID,
  PARTNER_DOMAIN,
  PARTNER_TENANT_ID,
  PAYROLL_API_CLIENT_ID,
  PLANNER_CLIENT_ID,
  PLANNER_CLIENT_SECRET,
  SNIPPETS_API_CLIENT_ID,
  SNIPPETS_API_URI,
  SYSTEM_IDENTITY_PRINCIPAL_ID,
} from './default-seed.ts';
export type { Endpoint, Fault, FaultMatch } from './faults.ts';
export { createAuthority, createIssued, createSelfSigned } from './certificates.ts';
export { FACTOR_CODE } from './step-pages.ts';
export type { RequestLogEntry } from './request-log.ts';
export type { AppSeed, FederatedCredential, Platform, Seed, TenantSeed, UserSeed } from './seed.ts';
export { GRAPH_CLIENT_ID, GRAPH_URI, graphApp } from './seed.ts';

export interface EmulatorOptions {
  /** Default: the Contoso tenant. */
  readonly seed?: Seed;
  /** `127.0.0.1` (default), `localhost` or `::1`. */
  readonly host?: string;
  /** Default 0: any free port. */
  readonly httpPort?: number;
  /** Default 0: any free port. */
  readonly httpsPort?: number;
  /** Keeps the local CA here, so that a browser has to trust it once. Default: a new CA in memory. */
  readonly caDirectory?: string;
  /** Milliseconds since the epoch. Default: the system's clock. */
  readonly nowMs?: () => number;
  /**
   * Bearer token of the control plane over HTTP and of the console: 16 characters at least. Default: a random one, in
   * `controlToken` of the emulator.
   */
  readonly controlToken?: string;
  /** Called after every request, without secrets. */
  readonly log?: (entry: RequestLogEntry) => void;
}

export interface Emulator {
  /** `http://localhost:port`: for browsers that do not trust the local CA. */
  readonly httpOrigin: string;
  /** `https://localhost:port`: what Microsoft's libraries need, and the origin every issuer is made of. */
  readonly httpsOrigin: string;
  /** The https origin, under the name Microsoft's libraries have for it. */
  readonly authorityHost: string;
  readonly caCertificatePem: string;
  readonly seed: Seed;
  readonly control: Control;
  /** The neighbours of Entra that a process in Azure finds: managed identity, workload identity, Key Vault. */
  readonly azure: Azure;
  /** For `createControlClient({ origin: emulator.httpOrigin, token: emulator.controlToken })` in another process. */
  readonly controlToken: string;
  /** A link to the console page that works once. */
  createConsoleLink(): string;
  close(): Promise<void>;
}

/**
 * Starts a local Entra ID.
 *
 * @throws RangeError for a host that is not loopback, and for a control token that can be guessed
 * @throws TypeError for a seed that contradicts itself, with every fault named
 * @throws Error under `NODE_ENV=production`: its passwords are public
 */
export async function createEmulator(options: EmulatorOptions = {}): Promise<Emulator> {
  if (process.env['NODE_ENV'] === 'production')
    throw new Error('The Entra emulator refuses to run in production');
  const { seed = defaultSeed, host = '127.0.0.1' } = options;
  const controlToken = options.controlToken ?? randomBytes(32).toString('base64url');
  checkLoopback(host);
  checkControlToken(controlToken);
  checkSeed(seed);
  // The certificate follows the real clock: it is TLS peers who judge it, and they know no other.
  const startedMs = Date.now();
  const authority =
    options.caDirectory === undefined
      ? createAuthority(startedMs)
      : await openAuthority(options.caDirectory, startedMs);
  const server = createServerCertificate(authority, startedMs);
  const clock = createClock(options.nowMs ?? Date.now);
  const { nowMs } = clock;
  const keys = await createSigningKeys(nowMs);
  const maxBytes: MaxBodyBytes = (path, headers) => maxBodyBytes(path, headers, controlToken);
  const plain = await openListener(host, options.httpPort ?? 0, undefined, maxBytes);
  const tls = { ...server, chainPem: server.certificatePem + authority.certificatePem };
  const secure = await openListener(host, options.httpsPort ?? 0, tls, maxBytes).catch(
    async (problem: unknown) => {
      await plain.close();
      throw problem;
    },
  );

  const realm = {
    httpOrigin: plain.origin,
    httpsOrigin: secure.origin,
    directory: createDirectory(seed),
    grants: createGrants(),
    keys,
    faults: createFaults(),
    nowMs,
    settings: { accessTokenLifetimeSeconds: undefined as number | undefined },
    graph: createGraphState(),
    vault: createKeyVault(seed.tenants.find((each) => each.keyVault !== undefined)?.keyVault, nowMs),
    cluster: createCluster(),
    identityHeader: randomUUID(),
  };
  const log = createRequestLog();
  const closing = new AbortController();
  const wait = (ms: number) => delay(ms, undefined, { signal: closing.signal }).catch(() => undefined);
  const control = createControl(realm, log, seed, clock);
  const consolePage = createConsole(control, controlToken);
  const answerOwn = (request: EmulatorRequest): Promise<Reply> | undefined => {
    if (request.path.startsWith(CONTROL_PATH)) return answerControl(control, controlToken, request);
    const isConsole = request.path === CONSOLE_PATH || request.path.startsWith(`${CONSOLE_PATH}/`);
    return isConsole ? consolePage.answer(request) : undefined;
  };
  for (const listener of [plain, secure]) {
    listener.serve(async (request) => {
      // What steers the emulator is no request of an app: it stays out of the log.
      const own = answerOwn(request);
      if (own !== undefined) return own;
      const reply = await answer(realm, request, wait);
      const entry = log.add(request, reply, nowMs());
      options.log?.(entry);
      return reply;
    });
  }

  return {
    httpOrigin: plain.origin,
    httpsOrigin: secure.origin,
    authorityHost: secure.origin,
    caCertificatePem: authority.certificatePem,
    seed,
    azure: describeAzure(realm),
    control,
    controlToken,
    createConsoleLink: () => plain.origin + consolePage.createLink(),
    async close() {
      closing.abort();
      await Promise.all([plain.close(), secure.close()]);
    },
  };
}
