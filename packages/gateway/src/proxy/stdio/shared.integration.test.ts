import { afterEach, expect, test } from 'vitest';
import { createTestClock, openSealedStore } from '../../session/sealed-store.suite.ts';
import {
  ask as askAll,
  request,
  type Session,
  startStdioWorld,
  type StdioWorld,
  type StdioWorldOptions,
} from './stdio-backend.suite.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function open(options: StdioWorldOptions = {}) {
  const world = await startStdioWorld({ ...options, process: { mode: 'shared', ...options.process } });
  closers.push(world.close);
  return world;
}
async function ask(world: StdioWorld, session: Session, method: string, params?: object, id?: unknown) {
  return (await askAll(world, session, method, params, id)).messages;
}

const pidIn = (answer: Record<string, unknown> | undefined) => (answer?.['result'] as { pid?: number })?.pid;

test('A57: one process for everybody, and each call tells whose it is', async () => {
  const world = await open();
  const [anna, ben] = [await world.begin('anna'), await world.begin('ben')];
  const [ofAnna] = await ask(world, anna, 'echo', { a: 1 });
  const [ofBen] = await ask(world, ben, 'echo', { b: 1 });
  expect(ofAnna).toMatchObject({
    id: 1,
    result: { params: { _meta: { 'valetkey/identity': { objectId: 'anna' } } } },
  });
  expect(ofBen).toMatchObject({
    id: 1,
    result: { params: { _meta: { 'valetkey/identity': { objectId: 'ben' } } } },
  });
  const pids = [ofAnna, ofBen].map(pidIn);
  expect(pids[0]).toBe(pids[1]);
  const [heard] = await ask(world, anna, 'heard');
  expect(heard).toMatchObject({
    result: { methods: ['initialize', 'notifications/initialized', 'echo', 'echo', 'heard'] },
  });
});

test('CVE-2026-25536 D14: 200 calls at once with the same ids and the same progress tokens: each gets its own', async () => {
  const world = await open();
  const sessions = [await world.begin('anna'), await world.begin('ben')];
  const asked = Array.from({ length: 200 }, async (_each, index) => {
    const session = sessions[index % 2] ?? {};
    const id = index % 3 === 0 ? 'same' : 7;
    const method = index % 4 === 0 ? 'progress' : 'echo';
    const messages = await ask(world, session, method, { call: index, _meta: { progressToken: 'p' } }, id);
    return { index, id, method, person: session['x-test-person'], messages };
  });
  for (const { index, id, method, person, messages } of await Promise.all(asked)) {
    expect(messages.at(-1)?.['id']).toBe(id);
    if (method === 'echo') {
      const { params } = (messages.at(-1)?.['result'] ?? {}) as { params: Record<string, unknown> };
      expect(params).toMatchObject({ call: index, _meta: { 'valetkey/identity': { objectId: person } } });
    } else {
      expect(messages[0]).toMatchObject({ method: 'notifications/progress', params: { progressToken: 'p' } });
    }
  }
});

test('what is not certainly somebody’s is nobody’s: log messages, questions, subscriptions', async () => {
  const world = await open();
  const session = await world.begin();
  expect(await ask(world, session, 'log', { text: 'of whom?' })).toMatchObject([{ id: 1, result: {} }]);
  expect(await ask(world, session, 'ask-unnamed', {}, 3)).toMatchObject([
    { id: 3, result: { said: { code: -32601 } } },
  ]);
  for (const method of ['resources/subscribe', 'resources/unsubscribe', 'logging/setLevel']) {
    expect(await ask(world, session, method)).toMatchObject([{ id: 1, error: { code: -32601 } }]);
  }
  const greeting = await world.post(request('initialize', 1, { protocolVersion: '2025-11-25' }));
  expect(await greeting.json()).toMatchObject({
    result: { protocolVersion: '2025-11-25', capabilities: { tools: { listChanged: true }, resources: {} } },
  });
});

test('a change of the lists is told to all', async () => {
  const world = await open();
  const sessions = [await world.begin('anna'), await world.begin('ben')];
  const streams = await Promise.all(
    sessions.map(async (headers) => {
      const leaving = new AbortController();
      const answer = await fetch(world.url, { headers, signal: leaving.signal });
      return { leaving, reader: answer.body?.getReader() };
    }),
  );
  await ask(world, sessions[0] ?? {}, 'announce');
  for (const { reader, leaving } of streams) {
    const { value } = (await reader?.read()) ?? {};
    expect(new TextDecoder().decode(value)).toContain('notifications/tools/list_changed');
    leaving.abort();
  }
});

test('each revision that a client begins with has a process that began with it', async () => {
  const world = await open();
  const pidOf = async (session: Session) => pidIn((await ask(world, session, 'echo'))[0]);
  const newer = await pidOf(await world.begin('anna', '2025-11-25'));
  const older = await pidOf(await world.begin('anna', '2025-03-26'));
  const unknown = await pidOf(await world.begin('ben', '1999-01-01'));
  expect([newer === older, newer === unknown]).toEqual([false, true]);
});

test('A57: a session begun at one replica goes on at another, for its own person only', async () => {
  const store = openSealedStore(createTestClock(Date.now()));
  const [one, other] = [await open({ store }), await open({ store })];
  const session = await one.begin('anna');
  expect(await ask(other, session, 'count')).toMatchObject([{ result: { calls: 1 } }]);
  expect(await ask(other, { ...session, 'x-test-person': 'ben' }, 'count')).toEqual([
    { text: 'unknown_session' },
  ]);
  await fetch(other.url, { method: 'DELETE', headers: session });
  expect(await ask(other, session, 'count')).toEqual([{ text: 'unknown_session' }]);
});

test('A22: a crash is told to whoever waits, the sessions live on, and the process is started again', async () => {
  const world = await open();
  const [anna, ben] = [await world.begin('anna'), await world.begin('ben')];
  const held = ask(world, ben, 'hold', {}, 4);
  await expect.poll(async () => JSON.stringify(await ask(world, anna, 'heard'))).toContain('hold');
  expect(await ask(world, anna, 'crash')).toEqual([{ text: 'unreachable' }]);
  expect(await held).toEqual([{ text: 'unreachable' }]);
  expect(await ask(world, anna, 'count')).toMatchObject([{ result: { calls: 1 } }]);
  await ask(world, anna, 'crash');
  expect(await ask(world, ben, 'count'), 'not at once again').toEqual([{ text: 'unreachable' }]);
  world.clock.advance(1);
  expect(await ask(world, ben, 'count')).toMatchObject([{ result: { calls: 1 } }]);
});

test('who cancels cancels their own request, whatever ids others use', async () => {
  const world = await open();
  const [anna, ben] = [await world.begin('anna'), await world.begin('ben')];
  const held = [ask(world, anna, 'hold', {}, 4), ask(world, ben, 'hold', {}, 4)];
  await expect
    .poll(async () => JSON.stringify(await ask(world, anna, 'heard', {}, 5)).match(/"hold"/g))
    .toHaveLength(2);
  const cancelled = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 4 } };
  await world.post(cancelled, anna);
  expect(await held[0]).toEqual([]);
  await ask(world, ben, 'release', {}, 6);
  expect(await held[1]).toMatchObject([{ id: 4, result: { released: true } }]);
});

test('a client that does not read is cut off, and nobody waits for it', async () => {
  const world = await open();
  const [slow, other] = [await world.begin('anna'), await world.begin('ben')];
  const leaving = new AbortController();
  const answer = await fetch(world.url, { headers: slow, signal: leaving.signal });
  await ask(world, other, 'announce-much', { messages: 500, length: 64 * 1024 });
  await expect.poll(() => world.ends, { timeout: 10_000 }).toContain('client_gone');
  expect(await ask(world, other, 'count')).toMatchObject([{ result: { calls: 1 } }]);
  leaving.abort();
  await answer.body?.cancel().catch(() => undefined);
});
