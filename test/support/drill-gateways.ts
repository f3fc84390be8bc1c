/**
 * Two `valetkey serve` processes on one store and one key file, behind a TCP proxy that takes them in turn, with a
 * backend that says whom the gateway vouched for. Everything that the fault drill breaks, and puts right again.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CONTOSO_DOMAIN,
  CONTOSO_TENANT_ID,
  createEmulator,
  defaultSeed,
  type Emulator,
  GATEWAY_CLIENT_ID,
  GATEWAY_CLIENT_SECRET,
  type Seed,
  type UserSeed,
} from '@valetkey/entra-emulator';
import { findFreePorts, type RealServer } from '@valetkey/gateway/store/real-servers.suite';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { describeEntra } from 'valetkey/trial-config';
import { stringify } from 'yaml';
import { repositoryRoot, runCommand } from './command.ts';

export interface DrillGateways {
  readonly url: string;
  readonly mcpUrl: string;
  readonly emulator: Emulator;
  readonly people: readonly UserSeed[];
  /** Where the files of both are, `keys.json` among them. */
  readonly directory: string;
  /** SIGKILL. */
  kill(index: number): Promise<void>;
  /** Until it says that it is ready. */
  start(index: number): Promise<void>;
  /** The address of one of them, past the proxy. */
  urlOf(index: number): string;
  /** The clocks of both gateways, of the commands and of Entra, at once; those of the store and of the clients stay. */
  jump(seconds: number): void;
  /** The clock of one gateway alone, and of nothing else. */
  jumpOne(index: number, seconds: number): void;
  rotateKeys(): Promise<void>;
  /** Sessions that were ended, by the reason in the audit. */
  endedSessions(): Promise<Record<string, number>>;
  /** What the processes have logged so far. */
  readonly said: () => string;
  close(): Promise<void>;
}

/** Beside what the gateways need to run: settings, which replace theirs, and variables of their environment. */
export interface DrillSettings {
  readonly config?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
}

export async function startDrillGateways(
  store: RealServer,
  peopleCount: number,
  settings: (emulator: Emulator) => DrillSettings = () => ({}),
): Promise<DrillGateways> {
  const directory = await mkdtemp(join(tmpdir(), 'valetkey-drill-'));
  const people = makePeople(peopleCount);
  const emulator = await createEmulator({ seed: seedWith(people) });
  const { config = {}, env = {} } = settings(emulator);
  const ports = await findFreePorts(2);
  const proxy = await startTurns(ports);
  const url = `http://localhost:${proxy.port}`;
  const mcpUrl = `${url}/who/mcp`;
  emulator.control.addRedirectUri(GATEWAY_CLIENT_ID, `${url}/auth/callback`);
  const backend = await startWhoBackend({ issuer: url, audience: mcpUrl });
  await writeFile(join(directory, 'ca.pem'), emulator.caCertificatePem);
  const configFile = (index: number) => join(directory, `replica-${index}.yaml`);
  for (const [index, port] of ports.entries())
    await writeFile(configFile(index), configuration({ url, port, emulator, upstream: backend.url, config }));

  const children: (ChildProcess | undefined)[] = [];
  const clock = { aheadMs: 0, alone: [0, 0] };
  const aheadOf = (index: number) => clock.aheadMs + (clock.alone[index] ?? 0);
  const said: string[] = [];
  const environment = (aheadMs: number) => ({
    CLIENT_SECRET: GATEWAY_CLIENT_SECRET,
    STORE: store.url,
    NODE_COMPILE_CACHE: join(directory, 'compiled'),
    DRILL_CLOCK_AHEAD_MS: String(aheadMs),
    ...env,
  });
  const valetkey = (...words: string[]) => [
    '--import',
    movableClock,
    '--conditions=valetkey-source',
    join(repositoryRoot, 'packages/cli/src/main.ts'),
    ...words,
  ];

  async function start(index: number): Promise<void> {
    const child = spawn(process.execPath, valetkey('serve', '--config', configFile(index)), {
      cwd: directory,
      env: { ...process.env, ...environment(aheadOf(index)) },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    children[index] = child;
    const own: string[] = [];
    const { promise: ready, resolve, reject } = Promise.withResolvers<void>();
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      own.push(text);
      said.push(text);
      if (own.join('').includes('gateway ready')) resolve();
    });
    child.once('exit', () => reject(new Error(`gateway ${index} ended: ${own.join('')}`)));
    await ready;
    // It may have started while the clocks jumped.
    child.send(aheadOf(index));
  }
  function tellClocks(): void {
    for (const [index, child] of children.entries()) if (child?.connected) child.send(aheadOf(index));
  }
  async function kill(index: number): Promise<void> {
    const child = children[index];
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  await start(0);
  await start(1);
  return {
    url,
    mcpUrl,
    emulator,
    people,
    directory,
    kill,
    start,
    urlOf: (index) => `http://127.0.0.1:${ports[index]}`,
    jump(seconds) {
      clock.aheadMs += seconds * 1000;
      tellClocks();
      emulator.control.advanceClock(seconds);
    },
    jumpOne(index, seconds) {
      clock.alone[index] = (clock.alone[index] ?? 0) + seconds * 1000;
      tellClocks();
    },
    async rotateKeys() {
      const { code, stderr } = await runCommand(
        process.execPath,
        valetkey('keys', 'rotate', '--config', configFile(0)),
        { cwd: directory, env: environment(clock.aheadMs) },
      );
      if (code !== 0) throw new Error(`keys rotate: ${stderr}`);
    },
    async endedSessions() {
      const audit = await readFile(join(directory, 'audit.jsonl'), 'utf8');
      const ended: Record<string, number> = {};
      for (const line of audit.split('\n')) {
        if (!line.includes('session.revoke')) continue;
        const { reason = 'replayed or revoked' } = JSON.parse(line) as { reason?: string };
        ended[reason] = (ended[reason] ?? 0) + 1;
      }
      return ended;
    },
    said: () => said.join(''),
    async close() {
      await Promise.all([kill(0), kill(1)]);
      await proxy.close();
      await backend.close();
      await emulator.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** `Date` as an operator who sets the clock changes it; what counts monotonic time does not notice, as in life. */
const movableClock = `data:text/javascript,${encodeURIComponent(`
  const RealDate = Date;
  let aheadMs = Number(process.env.DRILL_CLOCK_AHEAD_MS ?? 0);
  globalThis.Date = class Date extends RealDate {
    constructor(...given) { if (given.length === 0) super(RealDate.now() + aheadMs); else super(...given); }
    static now() { return RealDate.now() + aheadMs; }
  };
  process.on('message', (value) => { aheadMs = Number(value); });
  process.channel?.unref();
`)}`;

function configuration(parts: {
  readonly url: string;
  readonly port: number;
  readonly emulator: Emulator;
  readonly upstream: string;
  readonly config: Readonly<Record<string, unknown>>;
}): string {
  const plenty = { requests: 1_000_000, windowSeconds: 60 };
  return stringify({
    publicUrl: parts.url,
    listen: { host: '127.0.0.1', port: parts.port },
    allowedHosts: [`127.0.0.1:${parts.port}`],
    entra: describeEntra(parts.emulator, './ca.pem'),
    store: 'env:STORE',
    keys: { file: './keys.json' },
    audit: { stdout: false, file: './audit.jsonl' },
    lifetimes: { accessTokenSeconds: 660 },
    limits: { register: plenty, authorize: plenty, consent: plenty, token: plenty },
    backends: {
      who: { path: '/who/mcp', upstream: parts.upstream, scopes: { 'who.ask': 'Ask who you are' } },
    },
    ...parts.config,
  });
}

function makePeople(count: number): UserSeed[] {
  return Array.from({ length: count }, (_, index) => ({
    objectId: `1d000000-0000-4000-8000-${index.toString(16).padStart(12, '0')}`,
    username: `drill${index}@${CONTOSO_DOMAIN}`,
    password: `Drill-Passw0rd-${index}`,
    displayName: `Drill Person ${index}`,
    givenName: 'Drill',
    surname: `Person ${index}`,
    hint: 'Takes part in the drill',
  }));
}

function seedWith(people: readonly UserSeed[]): Seed {
  return {
    tenants: defaultSeed.tenants.map((tenant) =>
      tenant.tenantId === CONTOSO_TENANT_ID ? { ...tenant, users: [...tenant.users, ...people] } : tenant,
    ),
  };
}

/** Connection by connection the next replica; one that takes none is passed over, as a load balancer does. */
async function startTurns(ports: readonly number[]): Promise<{ port: number; close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const turn = { next: 0 };
  const track = (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
    return socket;
  };
  const forward = (near: Socket, attempts: number) => {
    const far = track(connect(ports[turn.next++ % ports.length] ?? 0, '127.0.0.1'));
    const passOver = () => {
      if (attempts > 1) forward(near, attempts - 1);
      else near.resetAndDestroy();
    };
    far.once('error', passOver);
    far.once('connect', () => {
      far.off('error', passOver);
      far.once('error', () => near.resetAndDestroy());
      near.once('close', () => far.destroy());
      far.once('close', () => near.destroy());
      near.pipe(far);
      far.pipe(near);
    });
  };
  const server = createTcpServer((near) => forward(track(near), ports.length));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((done) => server.close(done));
    },
  };
}

/** The clock of a gateway may be wrong here, by no more than sessions stand. */
const clockTolerance = '15 minutes';

/** Answers each call with the object id of the person whom the gateway's signed header names. */
async function startWhoBackend(gateway: { readonly issuer: string; readonly audience: string }) {
  const keys = createRemoteJWKSet(new URL(`${gateway.issuer}/jwks`), { cooldownDuration: 500 });
  const answer = async (req: IncomingMessage, res: ServerResponse) => {
    req.resume();
    const header = String(req.headers['x-valetkey-identity']);
    try {
      const { payload } = await jwtVerify(header, keys, {
        ...gateway,
        algorithms: ['ES256'],
        clockTolerance,
      });
      const result = { content: [{ type: 'text', text: String(payload['oid']) }] };
      res.writeHead(200, { 'content-type': 'application/json' });
      res.end(JSON.stringify({ jsonrpc: '2.0', id: 1, result }));
    } catch {
      // The keys are fetched from the gateway, which may be away.
      res.writeHead(503, { 'retry-after': '1', 'x-from': 'backend' }).end();
    }
  };
  const server = createHttpServer((req, res) => void answer(req, res));
  // It shares its process with all clients: what it closed after five idle seconds, a busy gateway would still use.
  server.keepAliveTimeout = 10 * 60_000;
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    close: () =>
      new Promise<void>((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}
