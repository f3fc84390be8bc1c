/** For tests: a stdio backend behind a front, with the time and the timer in the test's hands. */
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import type { ProcessConfig, StdioBackendConfig } from '../../config/config.ts';
import { createTestClock, openSealedStore } from '../../session/sealed-store.suite.ts';
import type { Store } from '../../store/collection.ts';
import type { ForwardRequest } from '../backend-proxy.ts';
import { backendAt } from '../front-and-back.suite.ts';
import { createKeepAlive } from '../keep-alive.ts';
import { describeFault, postMessage, startMessageFront } from '../messages/message-front.suite.ts';
import { createStdioBackend } from './stdio-backend.ts';

export const fixture = fileURLToPath(new URL('child-fixture.suite.ts', import.meta.url));

export interface StdioWorldOptions {
  readonly process?: Partial<ProcessConfig>;
  readonly firstByteMs?: number;
  readonly graceMs?: number;
  readonly request?: Partial<ForwardRequest>;
  readonly store?: Store;
}

export async function startStdioWorld(options: StdioWorldOptions = {}) {
  const clock = createTestClock(Date.now());
  const works = new Set<() => void>();
  const timer = (work: () => void) => {
    works.add(work);
    return () => void works.delete(work);
  };
  const logged: Record<string, unknown>[] = [];
  const log = pino(
    { level: 'debug' },
    { write: (line: string) => void logged.push(JSON.parse(line) as never) },
  );
  const backend = stdioBackendAt(
    {
      command: process.execPath,
      args: [fixture],
      inherited: { PATH: process.env['PATH'] ?? '' },
      ...options.process,
    },
    options.firstByteMs,
  );
  const store = options.store ?? openSealedStore(clock);
  const keepAlive = createKeepAlive(15, timer);
  const random = (size: number) => randomBytes(size);
  const graceMs = options.graceMs ?? 300;
  const revoked = new Set<string>();
  const proxy = createStdioBackend({
    backend,
    graceMs,
    describeFault,
    isRevoked: (id) => revoked.has(id),
    keepAlive,
    store,
    random,
    clock,
    timer,
    log,
  });
  const front = await startMessageFront(proxy, options.request);
  const url = `${front.url}/snippets/mcp`;

  const post = (body: unknown, headers?: Record<string, string>) => postMessage(url, body, headers);

  return {
    url,
    ends: front.ends,
    logged,
    clock,
    /** Sign-ins that have ended, by the id of `x-test-sign-in`. */
    revoked,
    processArgs: [fixture],
    post,
    /** What is done now and then is done this often. */
    passSeconds(seconds: number) {
      for (let passed = 0; passed < seconds; passed += 1) {
        clock.advance(1);
        for (const work of works) work();
      }
    },
    /** Begins a session. @returns the headers that its further requests carry. */
    async begin(person = 'anna', version = '2025-11-25', signIn = ''): Promise<Session> {
      const who = { 'x-test-person': person, 'x-test-sign-in': signIn };
      const params = { protocolVersion: version, capabilities: {}, clientInfo: { name: 't', version: '1' } };
      const answer = await post({ jsonrpc: '2.0', id: 0, method: 'initialize', params }, who);
      await answer.text();
      return { ...who, 'mcp-session-id': answer.headers.get('mcp-session-id') ?? '' };
    },
    async close() {
      await proxy.close();
      await front.close();
    },
  };
}

/** A process for each session, told by `_meta`, unless it says otherwise. */
export function stdioBackendAt(
  config: Partial<ProcessConfig> & Pick<ProcessConfig, 'command' | 'args'>,
  firstByteMs = 10_000,
): StdioBackendConfig {
  const { name, path, resource, title, scopes, rules, capacity, circuit } = backendAt('http://unused.test');
  return {
    name,
    path,
    resource,
    title,
    scopes,
    rules,
    capacity,
    circuit,
    timeouts: { connectMs: 10_000, firstByteMs },
    process: {
      cwd: process.cwd(),
      inherited: {},
      env: {},
      mode: 'perSession',
      identity: 'meta',
      idleSeconds: 600,
      maxProcesses: 20,
      maxMessageBytes: 1024 * 1024,
      ...config,
    },
  };
}

export type StdioWorld = Awaited<ReturnType<typeof startStdioWorld>>;
export type Session = Record<string, string>;

/** One request and all that comes of it. */
export async function ask(
  world: StdioWorld,
  session: Session,
  method: string,
  params: object = {},
  id: unknown = 1,
) {
  const answer = await world.post(request(method, id, params), session);
  const text = await answer.text();
  const isStream = answer.headers.get('content-type') === 'text/event-stream';
  const alone = () => (text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : { text });
  const messages = isStream ? messagesOf(text) : [alone()];
  const result = (messages.at(-1) ?? {})['result'] as Record<string, unknown> | undefined;
  return { status: answer.status, isStream, messages, result: result ?? {}, text };
}

export function isRunning(pid: unknown): boolean {
  try {
    return process.kill(Number(pid), 0);
  } catch {
    return false;
  }
}

export const request = (method: string, id: unknown = 1, params: object = {}) => ({
  jsonrpc: '2.0',
  id,
  method,
  params,
});

/** The messages of an event stream. */
export function messagesOf(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('data: '))
    .map((line) => JSON.parse(line.slice('data: '.length)) as Record<string, unknown>);
}
