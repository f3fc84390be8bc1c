/**
 * The fault drill: many signed-in clients that call and refresh without a pause while gateways, store, Entra, clock and
 * keys fail under them in turn, and a count of everything that they were answered.
 *
 * Nothing waits for time: a fault lasts until the clients together have got so many answers, and the next one comes when
 * half of them have refreshed and called again. Who was at a refresh on a gateway that died waits three seconds for its
 * turn to be taken over, through the faults after it; before the clocks jump, and at the end, all must be back.
 *
 * A machine that is busy with other things makes all of it slower, and nothing of it a fault: the drill gives up only when
 * for a minute nobody has got an answer, or nobody has come back.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { RealServer } from '@valetkey/gateway/store/real-servers.suite';
import { type DrillGateways, startDrillGateways } from './drill-gateways.ts';
import { callMcp, type JsonAnswer, obtainTokens, readMessage, refresh, type Tokens } from './oauth-client.ts';

export interface DrillCounts {
  readonly clients: number;
  /** How often everything has failed once. */
  rounds: number;
  calls: number;
  refreshes: number;
  /** Documented answers after which a client tries again, by kind. */
  readonly retryable: Record<string, number>;
  /** Access tokens that were refused, whereupon their client refreshed: they had expired. */
  expired: number;
  /** `invalid_grant` and the like: the client would have to sign in again. */
  logouts: number;
  /** Sessions that the gateways ended, by the reason in the audit. */
  ended: Record<string, number>;
  wrongPerson: number;
  /** Status 500. */
  faults: number;
  /** Answers that no document promises, a 500 among them: what was asked, and what came. */
  readonly unexpected: string[];
  /** Lines that the gateways logged as faults of their own, or of the backend, which has none. */
  faultLines: string[];
  /** Of the last round. */
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
  /** For the report where it does not come back: the question that is under way, and the answer to the one before. */
  asking: string;
  askedAtMs: number;
  answered: string;
}

/** A client refreshes after so many calls, as one does whose token is about to expire. */
const callsPerToken = 4;
const patienceMs = 60_000;
/** All clocks: by more than an access token lives, so that every one expires at once. */
const jumpSeconds = 720;
/** The clock of one gateway: by less, so that what the other one makes is not old already when it is new. */
const apartSeconds = 600;
const entraToken = { endpoint: 'token' } as const;
const allMustBeBack = new Set([
  'nothing fails',
  'Entra is down',
  'one clock ahead',
  'one clock behind',
  'clocks jump',
  'keys rotate',
]);

export async function runDrill(store: RealServer, options: DrillOptions): Promise<DrillCounts> {
  const gateways = await startDrillGateways(store, options.clients);
  const counts: DrillCounts = {
    clients: options.clients,
    rounds: 0,
    calls: 0,
    refreshes: 0,
    retryable: {},
    expired: 0,
    logouts: 0,
    ended: {},
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
    counts.ended = await gateways.endedSessions();
    const lines = gateways.said().split('\n');
    counts.faultLines = lines.filter((line) => /"level":(50|60)|unhandled|backend gave/i.test(line));
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
    const left = () => Math.max(0, enough - state.answers);
    await untilNone('answers during the fault', left, () => describeDrill('so far', counts));
  };
  const entra = async (fault: Parameters<typeof control.setFault>[1]) => {
    control.setFault(entraToken, fault);
    await answers();
    control.clearFaults();
  };
  const apart = async (seconds: number) => {
    gateways.jumpOne(1, seconds);
    await answers();
    gateways.jumpOne(1, -seconds);
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
    'one clock ahead': () => apart(apartSeconds),
    'one clock behind': () => apart(-apartSeconds),
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
      const mayMiss = allMustBeBack.has(name) ? 0 : Math.floor(clients.length / 2);
      await untilNone(
        `clients after "${name}"`,
        () => Math.max(0, missing() - mayMiss),
        () =>
          `${missing()} are not back:\n${describeClients(clients.filter((client) => !isBack(client)))}\n` +
          `${describeDrill('so far', counts)}\n${gateways.said().split('\n').slice(-20).join('\n')}`,
      );
      const seconds = ((performance.now() - before.startedMs) / 1000).toFixed(1);
      counts.phases[name] =
        `${seconds} s, ${counts.calls - before.calls} calls, ${counts.refreshes - before.refreshes} refreshes, ` +
        `${sum(counts.retryable) - before.retryable} tried again, ${counts.logouts - before.logouts} logouts`;
    }
    counts.rounds += 1;
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
      clients.push({ tokens, objectId, ...fresh, asking: '', askedAtMs: 0, answered: '' });
    }
  };
  await Promise.all(Array.from({ length: 6 }, signIn));
  return clients;
}

/** One request at a time; a token that is refused or nearly used up is refreshed. */
async function keepCalling(client: Client, running: Running): Promise<void> {
  while (!running.state.isOver && !client.isOut) {
    const isUsedUp = client.callsWithToken >= callsPerToken;
    client.asking = isUsedUp ? 'refresh' : 'call';
    client.askedAtMs = performance.now();
    if (isUsedUp) await refreshTokens(client, running);
    else await callTool(client, running);
  }
}

/** What they are at, and for how long at most. */
function describeClients(clients: readonly Client[]): string {
  const alike = Map.groupBy(clients, ({ asking, answered }) => `${asking}, before: ${answered}`);
  const lines = [...alike].map(([kind, each]) => {
    const sinceMs = Math.min(...each.map(({ askedAtMs }) => askedAtMs));
    return `  ${each.length} at ${kind}; for ${((performance.now() - sinceMs) / 1000).toFixed(1)} s at most`;
  });
  return lines.join('\n');
}

async function callTool(client: Client, { gateways, counts, state }: Running): Promise<void> {
  const { phase } = state;
  const answer = await orBroken(async () => {
    const response = await callMcp(gateways.mcpUrl, client.tokens.accessToken, 'tools/call', { name: 'who' });
    const text = response.status === 200 ? textOf(await readMessage(response)) : await response.text();
    return { status: response.status, headers: response.headers, body: { text } };
  });
  state.answers += 1;
  client.answered = shortOf(answer);
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
  } else await judgeOther(`call in phase ${phase}`, answer, counts);
}

async function refreshTokens(client: Client, { gateways, counts, state }: Running): Promise<void> {
  const { phase } = state;
  const { clientId, refreshToken } = client.tokens;
  const answer = await orBroken(() => refresh(gateways, clientId, refreshToken));
  state.answers += 1;
  client.answered = shortOf(answer);
  if (typeof answer === 'string' || answer.status !== 200) {
    const error = typeof answer === 'string' ? undefined : answer.body['error'];
    client.isOut = error === 'invalid_grant' || error === 'invalid_client';
    if (client.isOut) {
      counts.logouts += 1;
      counts.unexpected.push(`refresh in phase ${phase}: ${JSON.stringify(answer)}`);
    } else await judgeOther(`refresh in phase ${phase}`, answer, counts);
    return;
  }
  counts.refreshes += 1;
  const { access_token, refresh_token } = answer.body;
  client.tokens = { clientId, accessToken: String(access_token), refreshToken: String(refresh_token) };
  client.callsWithToken = 0;
  client.refreshedAt = phase;
}

function shortOf(answer: JsonAnswer | string): string {
  if (typeof answer === 'string') return answer;
  const said = answer.body['error_description'];
  return `${answer.status} ${typeof said === 'string' ? said : ''}`;
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
  } else {
    const [asked = ''] = what.split(' ', 1);
    counts.retryable[`${asked} ${kind}`] = (counts.retryable[`${asked} ${kind}`] ?? 0) + 1;
  }
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

/** Until nothing is left to wait for. @throws Error when for `patienceMs` nothing of it has happened. */
async function untilNone(what: string, left: () => number, describe: () => string): Promise<void> {
  const seen = { left: left(), atMs: performance.now() };
  while (left() > 0) {
    if (left() < seen.left) Object.assign(seen, { left: left(), atMs: performance.now() });
    if (performance.now() - seen.atMs > patienceMs)
      throw new Error(`${what}: nothing within ${patienceMs} ms. ${describe()}`);
    await wait(10);
  }
}

/** For the report: all counts, line by line. */
export function describeDrill(name: string, counts: DrillCounts): string {
  const { clients, rounds, calls, refreshes, expired, logouts, wrongPerson, faults } = counts;
  const tried = Object.entries(counts.retryable).map(([kind, count]) => `  tried again: ${kind} ${count}`);
  const phases = Object.entries(counts.phases).map(([phase, result]) => `  ${phase}: ${result}`);
  return [
    `${name}: ${clients} clients, ${rounds} rounds, ${calls} calls, ${refreshes} refreshes, ${expired} expired tokens, ${logouts} logouts, ` +
      `${wrongPerson} answers for another person, ${faults} of 500, ${counts.unexpected.length} unexpected`,
    ...tried,
    ...phases,
    ...Object.entries(counts.ended).map(([reason, count]) => `  ENDED ${count}: ${reason}`),
    ...counts.unexpected.slice(0, 10).map((text) => `  UNEXPECTED ${text}`),
    ...counts.faultLines.slice(0, 5).map((text) => `  LOGGED ${text.slice(0, 1500)}`),
  ].join('\n');
}
