/** For tests: a stdio server of the older era with one method for each thing that can happen on a pipe. Runs as a process. */
import { createInterface } from 'node:readline';

type Message = {
  id?: unknown;
  method?: string;
  params?: Record<string, unknown>;
  result?: unknown;
  error?: unknown;
};

const write = (message: object) =>
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
const state = {
  calls: 0,
  askedBy: undefined as unknown,
  written: 0,
  held: [] as unknown[],
  heard: [] as string[],
};

const greeting = (params: Message['params']) => ({
  protocolVersion: params?.['protocolVersion'],
  capabilities: { tools: { listChanged: true }, resources: { subscribe: true }, logging: {} },
  serverInfo: { name: 'fixture', version: '1' },
});

const works: Record<string, (message: Message) => unknown> = {
  initialize: ({ params, id }) => {
    if (params?.['refuse'] === true) return void write({ id, error: { code: -32602, message: 'no' } });
    return greeting(params);
  },
  'log-and-hold': ({ params, id }) => {
    write({ method: 'notifications/message', params: { level: 'info', data: params?.['text'] } });
    state.held.push(id);
  },
  ping: () => ({}),
  /** Everything it was asked with, and where it runs. */
  echo: ({ params, id }) => ({
    params,
    id,
    pid: process.pid,
    cwd: process.cwd(),
    env: process.env,
    argv: process.argv.slice(2),
  }),
  count: () => ({ calls: ++state.calls, pid: process.pid }),
  heard: () => ({ methods: state.heard }),
  crash: () => process.exit(7),
  /** Its answer comes with the next `release`. */
  hold: ({ id }) => void state.held.push(id),
  release: () => {
    for (const id of state.held.splice(0)) write({ id, result: { released: true } });
    return {};
  },
  progress: ({ params }) => {
    const { progressToken } = (params?.['_meta'] ?? {}) as { progressToken?: unknown };
    write({ method: 'notifications/progress', params: { progressToken, progress: 1 } });
    return { done: true };
  },
  log: ({ params }) => {
    write({ method: 'notifications/message', params: { level: 'info', data: params?.['text'] } });
    return {};
  },
  announce: () => {
    write({ method: 'notifications/tools/list_changed' });
    return {};
  },
  /** Asks its client, and answers with what it says. */
  ask: ({ id }) => void write({ id: `asked-${String(id)}`, method: 'roots/list' }),
  /** As a server that gives its questions ids of its own. */
  'ask-unnamed': ({ id }) => {
    state.askedBy = id;
    write({ id: 'unnamed', method: 'roots/list' });
  },
  'announce-much': ({ params }) => {
    void flood(
      Number(params?.['messages']),
      'x'.repeat(Number(params?.['length'])),
      'notifications/tools/list_changed',
    );
    return {};
  },
  long: ({ params }) => process.stdout.write(`${'x'.repeat(Number(params?.['length']))}\n`) && undefined,
  greet: () => process.stdout.write('Welcome!\n') && {},
  complain: ({ params }) => process.stderr.write(`${String(params?.['text'])}\n`) && {},
  fill: ({ params }) => ({ text: 'x'.repeat(Number(params?.['length'])) }),
  /** Writes so many messages as fast as they are read. */
  flood: ({ params }) => {
    void flood(Number(params?.['messages']), 'x'.repeat(Number(params?.['length'])));
    return {};
  },
  deaf: () => void process.stdin.pause(),
  stubborn: () => {
    process.on('SIGTERM', () => {});
    setInterval(() => {}, 1000);
    return {};
  },
  numbers: () =>
    process.stdout.write(`{"jsonrpc":"2.0","id":"n","result":{"order":9007199254740993,"price":1.0}}\n`) &&
    undefined,
};

async function flood(messages: number, data: string, method = 'notifications/message'): Promise<void> {
  // After the answer to what started it.
  await new Promise((resolve) => setImmediate(resolve));
  for (state.written = 0; state.written < messages; state.written += 1) {
    if (state.written % 25 === 0) process.stderr.write(`written ${state.written}\n`);
    if (write({ method, params: { level: 'info', data } })) continue;
    await new Promise((resolve) => process.stdout.once('drain', resolve));
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const message = JSON.parse(line) as Message;
  if (message.method === undefined) {
    const asked = /^asked-(.*)$/.exec(String(message.id))?.[1];
    if (message.id === 'unnamed')
      write({ id: state.askedBy, result: { said: message.result ?? message.error } });
    if (asked !== undefined) write({ id: Number(asked), result: { said: message.result ?? message.error } });
    continue;
  }
  state.heard.push(message.method);
  if (message.method === 'announce-later') write({ method: 'notifications/tools/list_changed' });
  if (message.id === undefined) continue;
  const work = works[message.method];
  if (work === undefined) write({ id: message.id, error: { code: -32601, message: 'Method not found' } });
  else {
    const result = work(message);
    if (result !== undefined) write({ id: message.id, result });
  }
}
