/** Two hundred people at once on one Express server, with all that goes wrong on a bad day in between. */
import { randomUUID } from 'node:crypto';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { getProfile } from '@valetkey/core/graph/profile';
import {
  createEmulator,
  defaultSeed,
  type Emulator,
  GATEWAY_CLIENT_ID,
  type Seed,
} from '@valetkey/entra-emulator';
import type { Valetkey } from '@valetkey/express';
import express from 'express';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ExpressServer, startExpressServer } from '../support/express-server.ts';
import { callMcp, obtainTokens, readMessage } from '../support/oauth-client.ts';
import { openSseClient, type SseClient } from '../support/sse-client.ts';

const headcount = 200;
/** Of them, so many use the old pair of addresses too, and hold a stream open. */
const streamers = 40;
const rounds = 3;

interface Participant {
  readonly username: string;
  readonly objectId: string;
  readonly token: string;
  readonly sseToken: string | undefined;
}

const userOf = (index: number) => ({
  objectId: `30000000-0000-4000-8000-${index.toString(16).padStart(12, '0')}`,
  username: `p${index}@contoso.example`,
  password: `P${index}-Passw0rd`,
  displayName: `Person ${index}`,
  givenName: 'Person',
  surname: String(index),
  mail: `p${index}@contoso.example`,
  hint: 'One of many',
});

function crowdedSeed(): Seed {
  const users = Array.from({ length: headcount }, (_, index) => userOf(index));
  const [contoso, ...others] = defaultSeed.tenants;
  if (contoso === undefined) throw new Error('no tenant in the seed');
  const assignments = users.map(({ username }) => ({ username, roles: ['Snippets.Reader'] }));
  const apps = contoso.apps.map((app) =>
    app.clientId === GATEWAY_CLIENT_ID ? { ...app, assignments } : app,
  );
  return { tenants: [{ ...contoso, users: [...contoso.users, ...users], apps }, ...others] };
}

function factoryOf(vk: Valetkey) {
  return () => {
    const mcp = vk.guard(new McpServer({ name: 'test', version: '1.0.0' }));
    mcp.registerTool('getUserDetails', { description: 'Profile.' }, async (context) => {
      const profile = await vk.callGraph(context, ['User.Read'], (caller, graph) =>
        // Remembered for every second person, so that what is remembered is put to the test too.
        getProfile(graph, caller, { cacheSeconds: caller.person.endsWith('0') ? 60 : 0 }),
      );
      return { content: [{ type: 'text', text: JSON.stringify(profile) }] };
    });
    return mcp;
  };
}

let emulator: Emulator;
let server: ExpressServer;
let people: Participant[];

beforeAll(async () => {
  emulator = await createEmulator({ seed: crowdedSeed() });
  server = await startExpressServer({
    emulator,
    options: { legacySse: true, roles: ['Snippets.Reader'] },
    build(vk) {
      const factory = factoryOf(vk);
      return express()
        .use(express.json())
        .use(vk.serve(createMcpHandler(factory), factory));
    },
  });
  people = [];
  for (let index = 0; index < headcount; index += 20) {
    const some = Array.from({ length: 20 }, (_, offset) => signIn(index + offset));
    people.push(...(await Promise.all(some)));
  }
}, 180_000);
afterAll(async () => {
  await server.close();
  await emulator.close();
});

async function signIn(index: number): Promise<Participant> {
  const { username, password, objectId } = userOf(index);
  const { accessToken } = await obtainTokens(server, { username, password }, { scope: 'mcp.use' });
  const resource = `${server.url}/sse`;
  const sse =
    index < streamers
      ? await obtainTokens(server, { username, password }, { scope: 'mcp.use', resource })
      : undefined;
  return { username, objectId, token: accessToken, sseToken: sse?.accessToken };
}

const details = { name: 'getUserDetails', arguments: {} };

/** What an answer says of its reader. A text that is no profile fails the caller's comparison. */
function idOf(message: Record<string, unknown>): string {
  const { content } = (message['result'] ?? {}) as { content?: { text: string }[] };
  const profile = JSON.parse(content?.[0]?.text ?? '{}') as { id?: string; userPrincipalName?: string };
  return `${profile.id} ${profile.userPrincipalName}`;
}

async function callLegacy({ token }: Participant): Promise<string> {
  return idOf(await readMessage(await callMcp(server.mcpUrl, token, 'tools/call', details)));
}

async function callModern({ token }: Participant): Promise<string> {
  const prefix = 'io.modelcontextprotocol/';
  const version = '2026-07-28';
  const _meta = {
    [`${prefix}protocolVersion`]: version,
    [`${prefix}clientInfo`]: { name: 'test', version: '1' },
    [`${prefix}clientCapabilities`]: {},
  };
  const headers = { 'mcp-protocol-version': version, 'mcp-method': 'tools/call', 'mcp-name': details.name };
  const params = { ...details, _meta };
  return idOf(await readMessage(await callMcp(server.mcpUrl, token, 'tools/call', params, headers)));
}

function post(path: string, token: string, body: string, signal?: AbortSignal): Promise<Response> {
  return fetch(server.url + path, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    },
    body,
    ...(signal === undefined ? {} : { signal }),
  });
}

/** What goes wrong meanwhile. Each resolves to what it got, so that it is known to have happened. */
const troubles: readonly ((
  one: Participant,
  streams: readonly SseClient[],
  turn: number,
) => Promise<number>)[] = [
  async ({ token }) => (await post('/mcp', token, '{"jsonrpc":"2.0","id":1,"meth')).status,
  async ({ token }) => (await post('/mcp', `${token}x`, '{}')).status,
  async ({ sseToken, token }) =>
    (await post(`/message?sessionId=${randomUUID()}`, sseToken ?? token, '{}')).status,
  async ({ sseToken, token }, streams, turn) => {
    const victim = streams[turn % streams.length];
    const { pathname, search } = new URL(victim?.endpoint ?? server.url);
    const call = { jsonrpc: '2.0', id: 99, method: 'tools/call', params: details };
    return (await post(pathname + search, sseToken ?? token, JSON.stringify(call))).status;
  },
  async ({ token }, _streams, turn) => {
    const call = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: details });
    const left = post('/mcp', token, call, AbortSignal.timeout(turn % 40));
    return left
      .then((answer) => answer.text())
      .then(
        () => 0,
        () => -1,
      );
  },
];

test('A21 A22 A27 D14 D15 D16: two hundred people at once, and every answer is its reader’s own', async () => {
  const mixUps: string[] = [];
  const seen = { answers: 0, troubles: new Map<number, number>(), closed: 0 };
  const expectOwn = (one: Participant, got: string) => {
    seen.answers += 1;
    const wanted = `${one.objectId} ${one.username}`;
    if (got !== wanted) mixUps.push(`${wanted} was shown ${got}`);
  };

  for (let round = 0; round < rounds; round += 1) {
    const listening = await Promise.all(
      people
        .filter(({ sseToken }) => sseToken !== undefined)
        .map(async (one) => ({ one, stream: await openSseClient(`${server.url}/sse`, one.sseToken ?? '') })),
    );
    const streams = listening.map(({ stream }) => stream);
    const ownStreamOf = (one: Participant) => listening.find((each) => each.one === one)?.stream;

    await Promise.all([
      ...people.map(async (one) => expectOwn(one, await callLegacy(one))),
      ...people.map(async (one) => expectOwn(one, await callModern(one))),
      ...listening.map(async ({ one, stream }, index) => {
        const initialize = {
          protocolVersion: '2024-11-05',
          capabilities: {},
          clientInfo: { name: 't', version: '1' },
        };
        await stream.request('initialize', initialize);
        for (let call = 0; call < 3; call += 1)
          expectOwn(one, idOf(await stream.request('tools/call', details)));
        // Every third one hangs up while the others are still being answered.
        if (index % 3 !== 0) return;
        stream.close();
        seen.closed += 1;
      }),
      ...people.map(async (one, index) => {
        const trouble = troubles[(index + round) % troubles.length];
        // Somebody else's streams only: a post to one's own is no trouble.
        const status =
          (await trouble?.(
            one,
            streams.filter((stream) => stream !== ownStreamOf(one)),
            index * 7 + round,
          )) ?? 0;
        seen.troubles.set(status, (seen.troubles.get(status) ?? 0) + 1);
      }),
    ]);
    for (const { one, stream } of listening) {
      for (const message of stream.messages) {
        if (message['id'] === 1) continue;
        const got = idOf(message);
        if (got !== `${one.objectId} ${one.username}`)
          mixUps.push(`a stream of ${one.username} brought ${got}`);
      }
      stream.close();
    }
  }

  expect(mixUps).toEqual([]);
  expect(seen.answers).toBe(rounds * (2 * headcount + 3 * streamers));
  expect(seen.closed).toBeGreaterThan(rounds * 10);
  expect([...seen.troubles.keys()].toSorted((a, b) => a - b)).toEqual(
    expect.arrayContaining([400, 401, 404]),
  );
  expect([...seen.troubles.keys()].some((status) => status >= 500)).toBe(false);
  expect(server.logLines.filter((line) => line.includes('"level":50'))).toEqual([]);
}, 180_000);
