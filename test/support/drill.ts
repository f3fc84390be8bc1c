/**
 * The fault drill: many signed-in clients that call and refresh without a pause while gateways, store, Entra, clock and
 * keys fail under them in turn, and a count of everything that they were answered.
 *
 * Nothing waits for time: a fault lasts until the clients together have got so many answers, and the next one comes when
 * half of them have refreshed and called again. Who was at a refresh on a gateway that died waits fifteen seconds for its
 * turn to run out, through the faults after it; before the clocks jump, and at the end, all must be back.
 * Not covered: clocks that differ between replicas, or that go back.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { RealServer } from '@valetkey/gateway/store/real-servers.suite';
import { type DrillGateways, startDrillGateways } from './drill-gateways.ts';
import { callMcp, type JsonAnswer, obtainTokens, readMessage, refresh, type Tokens } from './oauth-client.ts';

export interface DrillCounts {
  readonly clients: number;
  calls: number;
  refreshes: number;
  /** Documented answers after which a client tries again, by kind. */
  readonly retryable: Record<string, number>;
  /** Access tokens that were refused, whereupon their client refreshed: they had expired. */
  expired: number;
  /** `invalid_grant` and the like: the client would have to sign in again. */
  logouts: number;
  wrongPerson: number;
  /** Status 500. */
  faults: number;
  /** Answers that no document promises, a 500 among them: what was asked, and what came. */
  readonly unexpected: string[];
  /** Lines that the gateways logged as faults of their own. */
  faultLines: string[];
  readonly phases: Record<string, string>;
}

export interface DrillOptions {
  readonly clients: number;
  /** How many answers of the clients together a fault lasts. */
  readonly answersPerFault: number;
  /** Rounds after which no further one begins, in milliseconds; default: one round. */
  readonly forMs?: number;
}

interface Client {
  tokens: Tokens;
  readonly objectId: string;
  callsWithToken: number;
  /** In how many phases it has refreshed and then called. */
  refreshedAt: number;
  calledAt: number;
  isOut: boolean;
  /** Its last token was refused, which the next one must not be. */
  wasRefused: boolean;
}

/** A client refreshes after so many calls, as one does whose token is about to expire. */
const callsPerToken = 4;
const patienceMs = 60_000;
const jumpSeconds = 600;
const entraToken = { endpoint: 'token' } as const;
const allMustBeBack = new Set(['nothing fails', 'Entra is down', 'clocks jump', 'keys rotate']);

export async function runDrill(store: RealServer, options: DrillOptions): Promise<DrillCounts> {
  const gateways = await startDrillGateways(store, options.clients);
  const counts: DrillCounts = {
    clients: options.clients,
    calls: 0,
    refreshes: 0,
    retryable: {},
    expired: 0,
    logouts: 0,
    wrongPerson: 0,
    faults: 0,
    unexpected: [],
    faultLines: [],
    phases: {},
  };
  const state = { isOver: false, answers: 0, phase: 0 };
  try {
    const clients = await signInAll(gateways);
    const running = clients.map((client) => keepCalling(client, { gateways, counts, state }));
    try {
      await goThrough(store, gateways, { options, counts, state, clients });
    } finally {
      state.isOver = true;
      await Promise.all(running);
    }
    const lines = gateways.said().split('\n');
    counts.faultLines = lines.filter((line) => /"level":(50|60)|unhandled/i.test(line));
    return counts;
  } finally {
    await gateways.close();
  }
}

interface Running {
  readonly gateways: DrillGateways;
  readonly counts: DrillCounts;
  readonly state: { isOver: boolean; answers: number; phase: number };
}

type Phases = Omit<Running, 'gateways'> & {
  readonly options: DrillOptions;
  readonly clients: readonly Client[];
};

async function goThrough(
  store: RealServer,
  gateways: DrillGateways,
  { options, counts, state, clients }: Phases,
): Promise<void> {
  const { control } = gateways.emulator;
  const answers = async (share = 1) => {
    const enough = state.answers + options.answersPerFault * share;
    await untilSo('answers during the fault', () => state.answers >= enough);
  };
  const entra = async (fault: Parameters<typeof control.setFault>[1]) => {
    control.setFault(entraToken, fault);
    await answers();
    control.clearFaults();
  };
  const restart = async (index: number) => {
    await gateways.kill(index);
    await answers();
    await gateways.start(index);
  };
  const phases: Readonly<Record<string, () => Promise<void>>> = {
    'nothing fails': () => answers(),
    'first gateway killed': () => restart(0),
    'second gateway killed': () => restart(1),
    'store killed': async () => {
      await store.kill();
      await answers();
      await store.start();
    },
    'Entra answers 429': () => entra({ kind: 'throttle', retryAfterSeconds: 1 }),
    'Entra answers 503': () => entra({ kind: 'status', status: 503 }),
    'Entra is down': () => entra({ kind: 'outage', hangUp: true }),
    'clocks jump': async () => gateways.jump(jumpSeconds),
    'keys rotate': () => gateways.rotateKeys(),
  };
  const endMs = performance.now() + (options.forMs ?? 0);
  do {
    for (const [name, fail] of Object.entries(phases)) {
      const before = { ...counts, retryable: sum(counts.retryable), startedMs: performance.now() };
      await fail();
      state.phase += 1;
      const isBack = (client: Client) => client.isOut || client.calledAt === state.phase;
      const missing = () => clients.filter((client) => !isBack(client)).length;
      const mayMiss = allMustBeBack.has(name) ? 0 : clients.length / 2;
      await untilSo(
        `clients after "${name}"`,
        () => missing() <= mayMiss,
        () => `${missing()} are not back:\n${describeDrill('so far', counts)}`,
      );
      const seconds = ((performance.now() - before.startedMs) / 1000).toFixed(1);
      counts.phases[name] =
        `${seconds} s, ${counts.calls - before.calls} calls, ${counts.refreshes - before.refreshes} refreshes, ` +
        `${sum(counts.retryable) - before.retryable} tried again, ${counts.logouts - before.logouts} logouts`;
    }
  } while (performance.now() < endMs);
}

async function signInAll(gateways: DrillGateways): Promise<Client[]> {
  const clients: Client[] = [];
  const waiting = [...gateways.people];
  const signIn = async () => {
    for (let person = waiting.shift(); person !== undefined; person = waiting.shift()) {
      const tokens = await obtainTokens(gateways, person, { scope: 'who.ask' });
      const { objectId } = person;
      const fresh = { callsWithToken: 0, refreshedAt: 0, calledAt: 0, isOut: false, wasRefused: false };
      clients.push({ tokens, objectId, ...fresh });
    }
  };
  await Promise.all(Array.from({ length: 6 }, signIn));
  return clients;
}

/** One request at a time; a token that is refused or nearly used up is refreshed. */
async function keepCalling(client: Client, running: Running): Promise<void> {
  while (!running.state.isOver && !client.isOut) {
    if (client.callsWithToken >= callsPerToken) await refreshTokens(client, running);
    else await callTool(client, running);
  }
}

async function callTool(client: Client, { gateways, counts, state }: Running): Promise<void> {
  const { phase } = state;
  const answer = await orBroken(async () => {
    const response = await callMcp(gateways.mcpUrl, client.tokens.accessToken, 'tools/call', { name: 'who' });
    const text = response.status === 200 ? textOf(await readMessage(response)) : await response.text();
    return { status: response.status, headers: response.headers, body: { text } };
  });
  state.answers += 1;
  if (typeof answer !== 'string' && answer.status === 200) {
    counts.calls += 1;
    client.callsWithToken += 1;
    client.wasRefused = false;
    if (answer.body['text'] !== client.objectId) counts.wrongPerson += 1;
    if (client.refreshedAt === phase) client.calledAt = phase;
  } else if (typeof answer !== 'string' && answer.status === 401 && !client.wasRefused) {
    counts.expired += 1;
    client.wasRefused = true;
    client.callsWithToken = callsPerToken;
  } else await judgeOther('call', answer, counts);
}

async function refreshTokens(client: Client, { gateways, counts, state }: Running): Promise<void> {
  const { phase } = state;
  const { clientId, refreshToken } = client.tokens;
  const answer = await orBroken(() => refresh(gateways, clientId, refreshToken));
  state.answers += 1;
  if (typeof answer === 'string' || answer.status !== 200) {
    const error = typeof answer === 'string' ? undefined : answer.body['error'];
    client.isOut = error === 'invalid_grant' || error === 'invalid_client';
    if (client.isOut) {
      counts.logouts += 1;
      counts.unexpected.push(`refresh in phase ${phase}: ${JSON.stringify(answer)}`);
    } else await judgeOther('refresh', answer, counts);
    return;
  }
  counts.refreshes += 1;
  const { access_token, refresh_token } = answer.body;
  client.tokens = { clientId, accessToken: String(access_token), refreshToken: String(refresh_token) };
  client.callsWithToken = 0;
  client.refreshedAt = phase;
}

/** A cut connection is an answer too, by the name of its fault. */
async function orBroken(ask: () => Promise<JsonAnswer>): Promise<JsonAnswer | string> {
  try {
    return await ask();
  } catch (fault) {
    const { cause } = fault as { cause?: { code?: string } };
    return cause?.code ?? String(fault);
  }
}

const brokenConnection = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']);

/** Told to come later a client does, though here it comes sooner than told: the drill is the impatient one. */
async function judgeOther(what: string, answer: JsonAnswer | string, counts: DrillCounts): Promise<void> {
  const kind = retryKind(answer);
  if (kind === undefined) {
    counts.unexpected.push(`${what}: ${JSON.stringify(answer)}`);
    if (typeof answer !== 'string' && answer.status === 500) counts.faults += 1;
  } else counts.retryable[`${what} ${kind}`] = (counts.retryable[`${what} ${kind}`] ?? 0) + 1;
  await wait(retryPauseMs);
}

const retryPauseMs = 50;

function retryKind(answer: JsonAnswer | string): string | undefined {
  if (typeof answer === 'string') return brokenConnection.has(answer) ? 'connection lost' : undefined;
  const { status, headers } = answer;
  if ((status !== 503 && status !== 429) || !(Number(headers.get('retry-after')) > 0)) return undefined;
  return headers.get('x-from') === null ? `${status} with Retry-After` : `${status} of the backend`;
}

function textOf(message: Record<string, unknown>): string | undefined {
  const result = message['result'] as { content?: { text?: string }[] } | undefined;
  return result?.content?.[0]?.text;
}

const sum = (kinds: Readonly<Record<string, number>>) => Object.values(kinds).reduce((a, b) => a + b, 0);

async function untilSo(what: string, isSo: () => boolean, describe: () => string = () => ''): Promise<void> {
  const lateMs = performance.now() + patienceMs;
  while (!isSo()) {
    if (performance.now() > lateMs) throw new Error(`${what}: not within ${patienceMs} ms. ${describe()}`);
    await wait(10);
  }
}

/** For the report: all counts, line by line. */
export function describeDrill(name: string, counts: DrillCounts): string {
  const { clients, calls, refreshes, expired, logouts, wrongPerson, faults } = counts;
  const tried = Object.entries(counts.retryable).map(([kind, count]) => `  tried again: ${kind} ${count}`);
  const phases = Object.entries(counts.phases).map(([phase, result]) => `  ${phase}: ${result}`);
  return [
    `${name}: ${clients} clients, ${calls} calls, ${refreshes} refreshes, ${expired} expired tokens, ${logouts} logouts, ` +
      `${wrongPerson} answers for another person, ${faults} of 500, ${counts.unexpected.length} unexpected`,
    ...tried,
    ...phases,
    ...counts.unexpected.slice(0, 10).map((text) => `  UNEXPECTED ${text}`),
    ...counts.faultLines.slice(0, 5).map((text) => `  LOGGED ${text.slice(0, 1500)}`),
  ].join('\n');
}
