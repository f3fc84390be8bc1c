import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { Secret } from '@valetkey/core/base/secret';
import { afterEach, expect, test } from 'vitest';
import { rawRequest } from '../front-and-back.suite.ts';
import {
  ask,
  isRunning,
  messagesOf,
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
  const world = await startStdioWorld(options);
  closers.push(world.close);
  return world;
}
/** A stream as it comes. */
async function openStream(world: StdioWorld, session: Session, body?: object) {
  const headers = { 'content-type': 'application/json', ...session };
  const method = body === undefined ? 'GET' : 'POST';
  const answer = await rawRequest(world.url, {
    method,
    headers,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const received = { text: '' };
  answer.on('data', (chunk: Buffer) => (received.text += chunk.toString()));
  return { answer, received, messages: () => messagesOf(received.text) };
}

const gone = (answer: IncomingMessage) => once(answer, 'close');

test('A51: a command answers like an MCP server, each session with a process of its own', async () => {
  const world = await open();
  const [one, other] = [await world.begin(), await world.begin()];
  expect(one['mcp-session-id']).toMatch(/^[\w-]{22}$/);
  expect(one['mcp-session-id']).not.toBe(other['mcp-session-id']);
  const pids = [
    await ask(world, one, 'count'),
    await ask(world, other, 'count'),
    await ask(world, one, 'count'),
  ];
  expect(pids.map(({ result }) => result['calls'])).toEqual([1, 1, 2]);
  expect(pids[0]?.result['pid']).not.toBe(pids[1]?.result['pid']);
  expect(pids[0]).toMatchObject({ status: 200, isStream: false });
});

test('A53: each message tells who is calling, whatever the client writes there', async () => {
  const world = await open();
  const session = await world.begin();
  const forged = {
    'valetkey/identity': { objectId: 'admin' },
    'Valetkey/Tokens': {},
    progressToken: 7,
    kept: 1,
  };
  const { result } = await ask(world, session, 'echo', { a: 1, _meta: forged });
  expect(result['params']).toEqual({
    a: 1,
    _meta: {
      progressToken: 7,
      kept: 1,
      'valetkey/identity': {
        tenantId: 'tenant-1',
        objectId: 'anna',
        displayName: 'Rita R\u00e9ader',
        username: 'anna@contoso.test',
        roles: ['Snippets.Reader'],
        groups: [],
      },
    },
  });
});

test('A53: or its environment does, or nothing, and never what the client says', async () => {
  const forged = { _meta: { 'valetkey/identity': { objectId: 'admin' } } };
  const told = await open({ process: { identity: 'environment' } });
  const { result } = await ask(told, await told.begin('ben'), 'echo', forged);
  expect(result['env']).toMatchObject({
    VALETKEY_PERSON_OBJECT_ID: 'ben',
    VALETKEY_PERSON_ROLES: 'Snippets.Reader',
  });
  expect(result['params']).toEqual({ _meta: {} });
  const untold = await open({ process: { identity: 'none' } });
  const nothing = await ask(untold, await untold.begin(), 'echo', forged);
  expect(nothing.text).not.toMatch(/admin|anna|VALETKEY/);
});

test('CVE-2026-30623 CVE-2025-6514: words are words: no shell, no environment of the gateway', async () => {
  process.env['GATEWAY_ONLY_SECRET'] = 'from-the-gateway';
  const words = ['$(touch /tmp/x)', '; exit 1', '`id`', '--flag', '"quoted"', '%PATH%', '| cat'];
  const world = await open();
  const withWords = await open({
    process: { args: [...world.processArgs, ...words], env: { API_KEY: new Secret('from-the-file') } },
  });
  const { result } = await ask(withWords, await withWords.begin(), 'echo');
  delete process.env['GATEWAY_ONLY_SECRET'];
  expect(result['argv']).toEqual(words);
  expect(result['env']).toEqual({ PATH: process.env['PATH'], API_KEY: 'from-the-file' });
});

test('what passes, passes as it was written: numbers, unknown methods, unknown members', async () => {
  const world = await open({ process: { identity: 'none' } });
  const session = await world.begin();
  const body =
    '{\n "jsonrpc":"2.0", "id":5, "odd":{"a":[1.0,9007199254740993]},\r\n"method":"echo","params":{"n":1e400}}';
  expect(await (await world.post(body, session)).text()).toContain('"id":5');
  const numbers = await ask(world, session, 'numbers', {}, 'n');
  expect(numbers.text).toContain('{"order":9007199254740993,"price":1.0}');
  const told = await open();
  const withMeta = await told.post(
    '{"jsonrpc":"2.0","id":"n","method":"numbers","params":{"x":1.0}}',
    await told.begin(),
  );
  expect(await withMeta.text()).toContain('9007199254740993');
  expect((await ask(world, session, 'no/such')).messages).toMatchObject([{ error: { code: -32601 } }]);
});

test('A54: what comes before the answer makes a stream of it, and arrives at once', async () => {
  const world = await open();
  const session = await world.begin();
  const { isStream, messages } = await ask(world, session, 'progress', { _meta: { progressToken: 'p' } }, 3);
  expect(isStream).toBe(true);
  expect(messages).toMatchObject([
    { method: 'notifications/progress', params: { progressToken: 'p' } },
    { id: 3, result: { done: true } },
  ]);
  // Two at once: each progress goes to its own request, while the other has nothing yet.
  const held = await openStream(world, session, request('log-and-hold', 4, { text: 'first' }));
  await expect.poll(() => held.messages()).toMatchObject([{ params: { data: 'first' } }]);
  expect(held.answer.headers).toMatchObject({
    'content-type': 'text/event-stream',
    'x-accel-buffering': 'no',
  });
  await ask(world, session, 'release', {}, 5);
  await expect.poll(() => held.messages().at(-1)).toMatchObject({ id: 4, result: { released: true } });
});

test('the server asks its client, and hears the answer', async () => {
  const world = await open();
  const session = await world.begin();
  const asked = await openStream(world, session, request('ask', 9));
  await expect.poll(() => asked.messages()).toMatchObject([{ id: 'asked-9', method: 'roots/list' }]);
  const answered = await world.post({ jsonrpc: '2.0', id: 'asked-9', result: { roots: [] } }, session);
  expect([answered.status, await answered.text()]).toEqual([202, '']);
  await expect.poll(() => asked.messages().at(-1)).toMatchObject({ id: 9, result: { said: { roots: [] } } });
});

test('what belongs to no request goes to the stand-alone stream, also what came before it was there', async () => {
  const world = await open();
  const session = await world.begin();
  await world.post({ jsonrpc: '2.0', method: 'announce-later' }, session);
  await expect.poll(async () => (await ask(world, session, 'heard')).text).toContain('announce-later');
  const first = await openStream(world, session);
  await world.post({ jsonrpc: '2.0', method: 'announce-later' }, session);
  await expect
    .poll(() => first.messages().map(({ method }) => method))
    .toContain('notifications/tools/list_changed');
  const firstGone = gone(first.answer);
  const second = await openStream(world, session);
  await firstGone;
  await world.post({ jsonrpc: '2.0', method: 'announce-later' }, session);
  await expect.poll(() => second.messages()).toHaveLength(1);
});

test('D61 D14: a session is worth nothing to another person, nor is one that was made up', async () => {
  const world = await open();
  const session = await world.begin();
  const thief = { ...session, 'x-test-person': 'ben' };
  expect((await ask(world, thief, 'count')).text).toBe('unknown_session');
  for (const method of ['GET', 'DELETE']) {
    expect((await fetch(world.url, { method, headers: thief })).status, method).toBe(599);
  }
  const madeUp = ['modern tenant-1.anna {}', '2025-11-25', 'x', '__proto__'];
  for (const id of madeUp)
    expect((await ask(world, { ...session, 'mcp-session-id': id }, 'count')).text).toBe('unknown_session');
  expect((await ask(world, session, 'count')).result['calls'], 'its own goes on').toBe(1);
});

test('without a session there is nothing but initialize', async () => {
  const world = await open();
  expect(await ask(world, {}, 'count')).toMatchObject({
    status: 400,
    messages: [{ id: 1, error: { code: -32600 } }],
  });
  expect((await fetch(world.url, { headers: { accept: 'text/event-stream' } })).status).toBe(400);
  expect((await fetch(world.url, { method: 'DELETE' })).status).toBe(400);
  expect((await world.post([request('initialize'), request('ping', 2)])).status).toBe(400);
});

test('A22: one crash: its requests in flight are answered, its session is gone, others go on', async () => {
  const world = await open();
  const [one, other] = [await world.begin(), await world.begin('ben')];
  const held = ask(world, one, 'hold');
  const streaming = await openStream(world, one, request('log-and-hold', 2, { text: 'x' }));
  await expect.poll(() => streaming.messages()).toHaveLength(1);
  const crashed = await ask(world, one, 'crash', {}, 3);
  expect([crashed.text, (await held).text]).toEqual(['unreachable', 'unreachable']);
  await expect.poll(() => streaming.messages().at(-1)).toMatchObject({ id: 2, error: { code: 502 } });
  expect((await ask(world, one, 'count')).text).toBe('unknown_session');
  expect((await ask(world, other, 'count')).status).toBe(200);
  await expect.poll(() => world.logged).toContainEqual(expect.objectContaining({ level: 40, code: 7 }));
});

test('who crashes again and again waits longer and longer, and alone', async () => {
  const world = await open();
  const crash = async () => ask(world, await world.begin(), 'crash');
  await crash();
  await crash();
  const refused = await world.post(request('initialize'), {});
  expect([refused.status, await refused.text()]).toEqual([599, 'unreachable']);
  expect((await world.begin('ben'))['mcp-session-id'], 'another person').not.toBe('');
  world.clock.advance(1);
  expect((await world.begin())['mcp-session-id'], 'after a while').not.toBe('');
});

test('a command that does not exist is said so, with a remedy', async () => {
  const world = await open({ process: { command: '/no/such/command' } });
  expect((await ask(world, {}, 'initialize')).text).toBe('unreachable');
  expect(world.logged).toContainEqual(
    expect.objectContaining({ level: 50, cause: 'ENOENT', remedy: expect.stringContaining('`command`') }),
  );
});

test('a line that is too long ends the process, and the log says what to do', async () => {
  const world = await open({ process: { maxMessageBytes: 2000 } });
  const session = await world.begin();
  expect((await ask(world, session, 'long', { length: 5000 })).text).toBe('unreachable');
  expect(world.logged).toContainEqual(
    expect.objectContaining({ remedy: expect.stringContaining('maxMessageBytes') }),
  );
  expect((await ask(world, session, 'count')).text).toBe('unknown_session');
});

test('a greeting on stdout is left out', async () => {
  const world = await open();
  const { status, messages } = await ask(world, await world.begin(), 'greet');
  expect([status, messages]).toMatchObject([200, [{ result: {} }]]);
});

test('D43: stderr is in the log, bounded and without secrets', async () => {
  const world = await open({ process: { env: { API_KEY: new Secret('hunter2-hunter2') } } });
  const session = await world.begin();
  const text = '\u001b[31mkey hunter2-hunter2, Bearer abc.def';
  await ask(world, session, 'complain', { text });
  await ask(world, session, 'complain', { text: 'y'.repeat(5000) });
  for (let line = 0; line < 60; line += 1) await ask(world, session, 'complain', { text: `line ${line}` });
  const said = () =>
    world.logged.filter(({ msg }) => msg === 'backend wrote to stderr').map((each) => each['text']);
  await expect.poll(said).toContain('(more lines, left out)');
  expect(said()).toHaveLength(51);
  expect(said().slice(0, 2)).toEqual([
    '[31mkey [secret], Bearer [redacted]',
    '(a line of more than 2048 bytes, left out)',
  ]);
});

test('DELETE ends the process', async () => {
  const world = await open();
  const session = await world.begin();
  const { result } = await ask(world, session, 'count');
  expect((await fetch(world.url, { method: 'DELETE', headers: session })).status).toBe(200);
  expect((await ask(world, session, 'count')).text).toBe('unknown_session');
  await expect.poll(() => isRunning(result['pid'])).toBe(false);
});

test('nobody waiting for it, a process is ended; while a stream is open somebody does', async () => {
  const world = await open({ process: { idleSeconds: 60 } });
  const [idle, listening] = [await world.begin(), await world.begin()];
  const pid = (await ask(world, idle, 'count')).result['pid'];
  const stream = await openStream(world, listening);
  world.passSeconds(59);
  expect((await ask(world, idle, 'count')).status).toBe(200);
  world.passSeconds(61);
  await expect.poll(() => isRunning(pid)).toBe(false);
  expect((await ask(world, idle, 'count')).text).toBe('unknown_session');
  expect((await ask(world, listening, 'count')).status).toBe(200);
  stream.answer.destroy();
});

const pidOf = async (world: StdioWorld, session: Session) =>
  (await ask(world, session, 'count')).result['pid'];

test('A56: a process ends with the sign-in that it was started for, and one at work with its work', async () => {
  const world = await open();
  const signIns = ['one', 'two', 'three'];
  const [leaver = {}, other = {}, worker = {}] = await Promise.all(
    signIns.map((signIn) => world.begin('anna', '2025-11-25', signIn)),
  );
  const [idle, others, working] = await Promise.all(
    [leaver, other, worker].map((each) => pidOf(world, each)),
  );
  const held = ask(world, worker, 'hold', {}, 4);
  await expect.poll(async () => (await ask(world, worker, 'heard')).text).toContain('hold');
  for (const signIn of ['one', 'three']) world.revoked.add(signIn);
  world.passSeconds(1);
  await expect.poll(() => isRunning(idle)).toBe(false);
  expect((await ask(world, leaver, 'count')).text).toBe('unknown_session');
  expect(isRunning(working), 'what runs was allowed when it came').toBe(true);
  await ask(world, worker, 'release', {}, 8);
  expect((await held).status).toBe(200);
  world.passSeconds(1);
  await expect.poll(() => isRunning(working)).toBe(false);
  expect(isRunning(others)).toBe(true);
});

test('A56: what several sign-ins of a person share ends with the last of them; what all people share, with none', async () => {
  const modern = (signIn: string) => ({
    'x-test-sign-in': signIn,
    'mcp-protocol-version': '2026-07-28',
    'mcp-method': 'count',
  });
  const body = request('count', 1, { _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' } });
  const count = async (world: StdioWorld, signIn: string) =>
    ((await (await world.post(body, modern(signIn))).json()) as { result: { pid: number } }).result.pid;
  const [own, shared] = [await open(), await open({ process: { mode: 'shared' } })];
  const pids = [await count(own, 'one'), await count(shared, 'one')];
  expect(await count(own, 'two'), 'the same person').toBe(pids[0]);
  for (const world of [own, shared]) {
    world.revoked.add('one');
    world.passSeconds(2);
  }
  expect(await count(own, 'two')).toBe(pids[0]);
  for (const world of [own, shared]) {
    world.revoked.add('two');
    world.passSeconds(2);
  }
  await expect.poll(() => isRunning(pids[0])).toBe(false);
  expect(await count(shared, 'three')).toBe(pids[1]);
});

test('there is a bound on processes: an idle one of the same person makes room, one in use does not', async () => {
  const world = await open({ process: { maxProcesses: 2 } });
  const [first, second] = [await world.begin(), await world.begin()];
  const third = await world.begin();
  expect((await ask(world, first, 'count')).text, 'the one unused for longest').toBe('unknown_session');
  const held = [second, third].map((session) => ask(world, session, 'hold', {}, 4));
  await expect.poll(async () => (await ask(world, third, 'heard')).text).toContain('hold');
  for (const person of ['anna', 'ben']) {
    const refused = await world.post(request('initialize'), { 'x-test-person': person });
    expect(await refused.text(), person).toBe('busy');
  }
  for (const session of [second, third]) await ask(world, session, 'release', {}, 8);
  await Promise.all(held);
});

test('closing ends every process, also one that does not want to', async () => {
  const world = await startStdioWorld({ graceMs: 100 });
  const session = await world.begin();
  const { result } = await ask(world, session, 'count');
  await ask(world, session, 'stubborn');
  await world.close();
  expect(isRunning(result['pid'])).toBe(false);
});

test('a lost connection is no cancellation: the server works on, and its answer is for nobody', async () => {
  const world = await open();
  const session = await world.begin();
  const leaving = await openStream(world, session, request('log-and-hold', 4, { text: 'x' }));
  await expect.poll(() => leaving.messages()).toHaveLength(1);
  leaving.answer.destroy();
  await expect.poll(() => world.ends).toContain('client_gone');
  await ask(world, session, 'release', {}, 5);
  expect((await ask(world, session, 'heard')).result['methods']).not.toContain('notifications/cancelled');
});

test('A54: in the era without sessions it is one: the server is told at once', async () => {
  const world = await open();
  const _meta = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' };
  const modern = { 'mcp-protocol-version': '2026-07-28' };
  const leaving = await openStream(world, modern, request('log-and-hold', 4, { text: 'x', _meta }));
  await expect.poll(() => leaving.messages()).toHaveLength(1);
  leaving.answer.destroy();
  const heard = async () => (await ask(world, modern, 'heard', { _meta })).result['methods'];
  await expect.poll(heard).toContain('notifications/cancelled');
});

test('who cancels gets no answer, and the stream ends', async () => {
  const world = await open();
  const session = await world.begin();
  const held = ask(world, session, 'hold', {}, 4);
  await expect.poll(async () => (await ask(world, session, 'heard')).text).toContain('hold');
  await world.post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 4 } }, session);
  expect(await held).toMatchObject({ status: 200, isStream: true, messages: [] });
});

test('a call that gets no word in time is given up, and the server is told', async () => {
  const world = await open({ firstByteMs: 1000 });
  // The process must have started within that time too.
  let session: Session = {};
  await expect
    .poll(async () => {
      session = await world.begin();
      return session['mcp-session-id'];
    })
    .not.toBe('');
  expect((await ask(world, session, 'hold', {}, 4)).text).toBe('timeout');
  expect((await ask(world, session, 'heard')).result['methods']).toContain('notifications/cancelled');
});

test('A54: a call that is silent for long becomes a stream with comments', async () => {
  const world = await open();
  const session = await world.begin();
  const opening = openStream(world, session, request('hold', 4));
  await expect.poll(async () => (await ask(world, session, 'heard')).text).toContain('hold');
  world.passSeconds(15);
  const held = await opening;
  expect(held.answer.headers['content-type']).toBe('text/event-stream');
  world.passSeconds(15);
  await expect.poll(() => held.received.text).toBe(': keep-alive\n\n');
  await ask(world, session, 'release', {}, 5);
  await expect.poll(() => held.messages()).toMatchObject([{ id: 4, result: { released: true } }]);
});

test('a client that does not read stops its process, and nobody else', async () => {
  const world = await open();
  const [one, other] = [await world.begin(), await world.begin('ben')];
  const headers = { 'content-type': 'application/json', ...one };
  const slow = await rawRequest(world.url, { method: 'GET', headers });
  const messages = 1000;
  await ask(world, one, 'flood', { messages, length: 64 * 1024 });
  const written = () =>
    world.logged.flatMap(({ text }) => /written (\d+)/.exec(String(text))?.[1] ?? []).map(Number);
  let before = -1;
  const stands = () => {
    const isStill = before === written().length;
    before = written().length;
    return isStill && before > 0;
  };
  await expect.poll(stands, { interval: 300, timeout: 10_000 }).toBe(true);
  expect(Math.max(...written())).toBeLessThan(messages / 2);
  expect((await ask(world, other, 'count')).status).toBe(200);
  const received = { count: 0 };
  slow.on('data', (chunk: Buffer) => {
    for (const byte of chunk) if (byte === 0x0a) received.count += 1;
  });
  const linesOfAnEvent = 3;
  await expect.poll(() => received.count, { timeout: 10_000 }).toBe(messages * linesOfAnEvent);
  slow.destroy();
});

test('a batch of 2025-03-26 is answered as one', async () => {
  const world = await open();
  const session = await world.begin('anna', '2025-03-26');
  const answer = await world.post(
    [request('count', 1), { jsonrpc: '2.0', method: 'noted' }, request('echo', 2)],
    session,
  );
  expect(await answer.json()).toMatchObject([
    { id: 1, result: { calls: 1 } },
    { id: 2, result: {} },
  ]);
  const one = await world.post([request('count', 3)], session);
  expect(await one.json()).toMatchObject([{ id: 3 }]);
});

test('an id that is open already is not taken twice', async () => {
  const world = await open();
  const session = await world.begin();
  const held = ask(world, session, 'hold', {}, 4);
  await expect.poll(async () => (await ask(world, session, 'heard')).text).toContain('hold');
  expect((await ask(world, session, 'count', {}, 4)).messages).toMatchObject([
    { id: 4, error: { code: -32600 } },
  ]);
  await ask(world, session, 'release', {}, 5);
  expect((await held).messages).toMatchObject([{ id: 4, result: { released: true } }]);
});

test('a server that refuses to begin has no session', async () => {
  const world = await open();
  const answer = await world.post(request('initialize', 1, { refuse: true }));
  expect(await answer.json()).toMatchObject({ error: { code: -32602 } });
  const session = { 'mcp-session-id': answer.headers.get('mcp-session-id') ?? '' };
  expect((await ask(world, session, 'count')).text).toBe('unknown_session');
});

test('A24: a list comes as its person may see it', async () => {
  const rewriteMessage = (message: unknown) => ({ ...(message as object), result: { tools: [] } });
  const world = await open({ request: { rewriteMessage } });
  expect((await ask(world, await world.begin(), 'count')).messages).toMatchObject([
    { id: 1, result: { tools: [] } },
  ]);
});
