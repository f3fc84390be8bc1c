/**
 * Stops: a request that makes the gateway start a program of the caller's: by an endpoint that tries a server out, by a
 * server's configuration in a body, by a tool call that names a command. A program is started only where the
 * configuration has one, and only that.
 */
import type { ChildProcess } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type CanaryBackend, startCanaryBackend } from '../support/canary-backend.ts';
import { callMcp, obtainTokens, readMessage } from '../support/oauth-client.ts';
import { type Product, snippetsBackend, startProduct } from '../support/product.ts';
import { send } from '../support/raw-http.ts';

/** Answers each message with what it was started as. */
const server = `
  require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
    const { id } = JSON.parse(line);
    const result = { argv: process.argv.slice(1), env: Object.keys(process.env), cwd: process.cwd() };
    if (id !== undefined) console.log(JSON.stringify({ jsonrpc: '2.0', id, result }));
  });
`;
const command = [process.execPath, '-e', server, 'first', 'second word'];

let product: Product;
let canary: CanaryBackend;
let token: string;
let stdioToken: string;
/** Node tells of each process that this one starts, and the gateway is in this one. */
const started: ChildProcess[] = [];
const note = (message: unknown) => void started.push((message as { process: ChildProcess }).process);

beforeAll(async () => {
  canary = await startCanaryBackend();
  product = await startProduct({
    backends: () => ({
      snippets: snippetsBackend(canary.url),
      local: { path: '/local/mcp', command, scopes: { use: 'Use it' }, mode: 'shared' },
    }),
  });
  const { writer } = product.people;
  ({ accessToken: token } = await obtainTokens(product, writer));
  const resource = `${product.url}/local/mcp`;
  ({ accessToken: stdioToken } = await obtainTokens(product, writer, { resource, scope: 'use' }));
  subscribe('child_process', note);
});
afterAll(async () => {
  unsubscribe('child_process', note);
  await product.close();
  await canary.close();
});
beforeEach(() => void started.splice(0));

const proofOf = () => join(product.directory, 'proof');

/** A server's configuration, in every spelling that a product of this kind has taken one in. */
function configurations(): object[] {
  const stdio = { transport: 'stdio', command: 'touch', args: [proofOf()], env: { LD_PRELOAD: '/tmp/x.so' } };
  return [
    stdio,
    { ...stdio, command: ['touch', proofOf()] },
    { name: 'x', server_name: 'x', mcp_info: stdio, ...stdio },
    { mcpServers: { x: stdio } },
    { mcp_servers: { x: stdio } },
    { backends: { x: { path: '/x/mcp', ...stdio } } },
    { config: stdio, connection: stdio, params: stdio },
    { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'hello_mcp', ...stdio, _meta: stdio } },
    { jsonrpc: '2.0', id: 1, method: 'initialize', params: { protocolVersion: '2025-11-25', ...stdio } },
    { client_name: 'x', redirect_uris: ['https://client.example/cb'], software_statement: 'x', ...stdio },
  ];
}

const paths = [
  '/mcp-rest/test/connection',
  '/mcp-rest/test/tools/list',
  '/v1/mcp/server',
  '/v1/mcp/tools',
  '/admin/backends',
  '/api/mcp/test',
  '/config',
  '/register',
  '/token',
  '/revoke',
  '/authorize',
  '/consent/x',
  '/snippets/mcp',
  '/local/mcp/x',
];

test('CVE-2026-42271 CVE-2026-30623: no body at any address starts a program, whoever sends it', async () => {
  for (const path of paths) {
    for (const body of configurations()) {
      for (const authorization of [[], ['Authorization', `Bearer ${token}`]]) {
        for (const method of ['POST', 'PUT']) {
          const headers = ['Content-Type', 'application/json', 'Origin', product.url, ...authorization];
          const { status } = await send(product.url, { method, path, headers, body: JSON.stringify(body) });
          expect(status, `${method} ${path}`).toBeLessThan(500);
        }
      }
    }
  }
  expect(started).toEqual([]);
  expect(existsSync(proofOf())).toBe(false);
});

test('CVE-2026-30623: a backend that is a command is started as it is configured, whatever a caller says', async () => {
  const hostile = {
    command: 'touch',
    args: [proofOf()],
    env: { NODE_OPTIONS: '--require=/tmp/x.js' },
    cwd: '/',
  };
  const headers = {
    'x-command': 'touch',
    'x-env-node-options': '--require=/tmp/x.js',
    'mcp-param-command': 'touch',
    'mcp-session-id': `; touch ${proofOf()}`,
  };
  const refused = await callMcp(
    `${product.url}/local/mcp?command=touch`,
    stdioToken,
    'ping',
    hostile,
    headers,
  );
  expect(refused.status).toBe(404);
  const { 'mcp-session-id': _left, ...others } = headers;
  for (const method of ['initialize', 'tools/call']) {
    const params = {
      name: `$(touch ${proofOf()})`,
      protocolVersion: '2025-11-25',
      ...hostile,
      _meta: hostile,
    };
    const clientInfo = { name: '`touch x`', version: '1' };
    const answer = await callMcp(
      `${product.url}/local/mcp?command=touch`,
      stdioToken,
      method,
      { ...params, clientInfo, capabilities: {} },
      others,
    );
    const { result } = (await readMessage(answer)) as {
      result?: { argv: string[]; env: string[]; cwd: string };
    };
    if (result === undefined) continue;
    expect(result.argv).toEqual(['first', 'second word']);
    expect(result.cwd).not.toBe('/');
    expect(result.env.filter((name) => /NODE_OPTIONS|LD_PRELOAD|SECRET|FUNCTION_KEY/.test(name))).toEqual([]);
  }
  expect(started.length).toBeGreaterThan(0);
  for (const { spawnargs } of started) expect(spawnargs).toEqual(command);
  expect(existsSync(proofOf())).toBe(false);
});
