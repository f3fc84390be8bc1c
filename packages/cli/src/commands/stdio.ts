import { randomUUID } from 'node:crypto';
import type { Writable } from 'node:stream';
import { jsonRpcCodes, jsonRpcError } from '@valetkey/core/mcp/errors';
import { parseJsonRpcBody } from '@valetkey/core/mcp/json-rpc';
import { readLines } from '@valetkey/core/mcp/line-reader';
import { createPolicy } from '@valetkey/core/policy/decide';
import { createAudit } from '@valetkey/gateway/audit/audit';
import type { Audit } from '@valetkey/gateway/audit/event';
import { createFileSink, createStreamSink } from '@valetkey/gateway/audit/sinks';
import { loadStdioConfig, type StdioConfig } from '@valetkey/gateway/config/stdio-config';
import { type SignIn, SignInFailed, signIn } from '@valetkey/local';
import { parseOptions } from '../command-line.ts';
import { describeFault } from '../read-config.ts';
import { createEnvironment, findCaller } from '../stdio/caller.ts';
import { createGroupFinder } from '../stdio/groups.ts';
import { createGatekeeper, type Gatekeeper } from '../stdio/gatekeeper.ts';
import { startServer, type WrappedServer } from '../stdio/wrapped-server.ts';
import { UsageFault } from '../usage-fault.ts';
import { createWorld } from '../world.ts';

const maxEarly = 100;

/** `valetkey stdio`: a stdio MCP server with sign-in, policy and audit before it. Ends as the server ends. */
export async function stdio(args: string[]): Promise<number> {
  const at = args.indexOf('--');
  const [own, command] = at < 0 ? [args, []] : [args.slice(0, at), args.slice(at + 1)];
  const { config: file } = parseOptions(own, { config: { type: 'string' } });
  if (file === undefined || command.length === 0)
    throw new UsageFault('stdio needs --config FILE -- COMMAND');
  const loaded = loadStdioConfig(file);
  if (!loaded.ok) {
    process.stderr.write(`${file}:\n${loaded.error.map(describeFault).join('')}`);
    return 1;
  }
  const config = loaded.value;
  const auth = signIn({ ...config.entra, ...config.signIn });
  const audit = openAudit(config);
  try {
    return await relay({ config, auth, audit }, command);
  } catch (fault) {
    if (!(fault instanceof SignInFailed)) throw fault;
    process.stderr.write(`valetkey: ${fault.message}\n`);
    return 1;
  } finally {
    await audit.close();
  }
}

interface Parts {
  readonly config: StdioConfig;
  readonly auth: SignIn;
  readonly audit: Audit;
}

function openAudit({ audit }: StdioConfig): Audit {
  const { clock, log } = createWorld('warn');
  const surroundings = { clock, log };
  const sinks = [
    ...(audit.stderr ? [createStreamSink(process.stderr, surroundings)] : []),
    ...(audit.file === undefined ? [] : [createFileSink(audit.file, surroundings)]),
  ];
  return createAudit({ sinks, clock, log });
}

async function relay(parts: Parts, command: readonly string[]): Promise<number> {
  const { config, auth } = parts;
  const { maxMessageBytes } = config.server;
  const stopping = new AbortController();
  const outlet = createOutlet();
  const gatekeeper = createJudge(parts, outlet);
  const stop = () => {
    stopping.abort();
    auth.cancelPrompt();
    outlet.server?.stop();
  };
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, stop);
  // The client has gone without a word: nobody is left to answer.
  process.stdout.on('error', stop);
  void readClient(gatekeeper, outlet, maxMessageBytes).then(stop, stop);
  try {
    const env = await createEnvironment(auth, config, process.env, stopping.signal);
    const server = await startServer(command, env);
    outlet.open(server);
    if (stopping.signal.aborted) server.stop();
    await readServer(gatekeeper, server, maxMessageBytes);
    return await server.ended;
  } finally {
    auth.cancelPrompt();
    gatekeeper.close();
    process.stdin.destroy();
  }
}

function createJudge({ config, auth, audit }: Parts, outlet: Outlet): Gatekeeper {
  const findGroups = createGroupFinder(auth, config.server.rules);
  return createGatekeeper({
    policy: createPolicy(config.server.rules),
    findCaller: (signal) => findCaller(auth, config, findGroups, signal),
    backend: config.server.name,
    toClient: (message) => writeLine(process.stdout, message),
    toServer: outlet.send,
    record: (event) => audit.record(event),
    newId: randomUUID,
    nowMs: Date.now,
  });
}

/** The way to the server: what is sent before it runs, while its person signs in, waits. */
interface Outlet {
  readonly server: WrappedServer | undefined;
  open(server: WrappedServer): void;
  send(message: unknown): void;
  drained(): Promise<void>;
}

function createOutlet(): Outlet {
  const opened = Promise.withResolvers<WrappedServer>();
  const early: unknown[] = [];
  const state: { server?: WrappedServer } = {};
  return {
    get server() {
      return state.server;
    },
    open(server) {
      state.server = server;
      for (const message of early.splice(0)) writeLine(server.stdin, message);
      opened.resolve(server);
    },
    send(message) {
      if (state.server === undefined) early.push(message);
      else writeLine(state.server.stdin, message);
    },
    async drained() {
      if (state.server !== undefined) return drained(state.server.stdin);
      // A client that talks on before it has an answer is not read further than this.
      if (early.length >= maxEarly) await opened.promise;
    },
  };
}

/** Each message is judged by itself: one that waits for its person holds nobody else up. */
async function readClient(gatekeeper: Gatekeeper, outlet: Outlet, maxBytes: number): Promise<void> {
  for await (const line of readLines(process.stdin, maxBytes)) {
    if (line.kind === 'too-long') {
      writeLine(
        process.stdout,
        jsonRpcError(null, jsonRpcCodes.invalidRequest, `a message has at most ${maxBytes} bytes`),
      );
      continue;
    }
    const body = parseJsonRpcBody(line.bytes);
    if (!body.ok) {
      const { id, code, message, data } = body.error;
      writeLine(process.stdout, jsonRpcError(id, code, message, data));
      continue;
    }
    for (const message of body.value.messages)
      void gatekeeper.fromClient(message).catch((fault: unknown) => fail(outlet.server, fault));
    await outlet.drained();
  }
}

async function readServer(gatekeeper: Gatekeeper, server: WrappedServer, maxBytes: number): Promise<void> {
  for await (const line of readLines(server.stdout, maxBytes)) {
    const body = line.kind === 'line' ? parseJsonRpcBody(line.bytes) : undefined;
    if (body === undefined)
      return fail(server, new Error(`the server wrote a message of more than ${maxBytes} bytes`));
    // A greeting, a stack trace: not for the client, whose stdin speaks JSON-RPC only.
    if (!body.ok)
      process.stderr.write(
        'valetkey: the server wrote a line to stdout that is no message; it is left out\n',
      );
    else for (const message of body.value.messages) gatekeeper.fromServer(message);
    await drained(process.stdout);
  }
}

function fail(server: WrappedServer | undefined, fault: unknown): void {
  process.stderr.write(`valetkey: ${fault instanceof Error ? fault.message : 'a fault'}\n`);
  server?.stdout.resume();
  server?.signal('SIGTERM');
  server?.stop();
}

function writeLine(stream: Writable, message: unknown): void {
  if (stream.writable) stream.write(`${JSON.stringify(message)}\n`);
}

/** Reads on only when what was written has left: a reader that is slow must not fill our memory. */
async function drained(stream: Writable & { readonly writableNeedDrain: boolean }): Promise<void> {
  if (!stream.writableNeedDrain) return;
  await new Promise<void>((resolve) => {
    stream.once('drain', resolve);
    stream.once('close', resolve);
    stream.once('error', () => resolve());
  });
}
