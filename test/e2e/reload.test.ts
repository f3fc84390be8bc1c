/** A new configuration takes effect without a restart: no connection drops, and a bad file changes nothing. */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { type CanaryBackend, startCanaryBackend } from '../support/canary-backend.ts';
import { openEventStream } from '../support/event-stream.ts';
import { type KillableGateway, prepareGateway } from '../support/gateway-process.ts';
import { callMcp, obtainTokens, readMessage } from '../support/oauth-client.ts';
import { peopleOf, snippetsBackend } from '../support/product.ts';

let backend: CanaryBackend;
let gateway: KillableGateway;
let token: string;
beforeAll(async () => {
  backend = await startCanaryBackend();
  gateway = await prepareGateway(backend.url);
  await gateway.start();
  token = (await obtainTokens(gateway, peopleOf(gateway.emulator).reader)).accessToken;
});
afterAll(async () => {
  await gateway.close();
  await backend.close();
});

const configFile = () => join(gateway.directory, 'valetkey.yaml');

async function changeConfig(change: (config: Record<string, unknown>) => void): Promise<void> {
  const config = parse(await readFile(configFile(), 'utf8')) as Record<string, unknown>;
  change(config);
  await writeWhole(stringify(config));
}

/** As an editor or a deployment does it: the file is never half written. */
async function writeWhole(text: string): Promise<void> {
  await writeFile(`${configFile()}.new`, text);
  await rename(`${configFile()}.new`, configFile());
}

/** The process says what became of a reload. */
async function untilSaid(text: string, from: number): Promise<void> {
  await expect.poll(() => gateway.said().slice(from), { timeout: 10_000 }).toContain(text);
}

const statusOf = async (path: string) => {
  const answer = await callMcp(gateway.url + path, token, 'tools/list');
  await answer.arrayBuffer();
  return answer.status;
};

test('a changed file brings a backend, with its metadata, and drops nothing', async () => {
  const stream = await openEventStream(gateway.mcpUrl, token);
  expect(await statusOf('/other/mcp')).toBe(404);
  const from = gateway.said().length;
  await changeConfig((config) => {
    const backends = config['backends'] as Record<string, unknown>;
    backends['other'] = { ...snippetsBackend(backend.url), path: '/other/mcp' };
  });
  await untilSaid('configuration reloaded', from);
  expect(gateway.said().slice(from)).toContain('"backends":["other"],"removed":[]');
  // A token for one backend is none for the other (A20), so the new one asks for its own.
  expect(await statusOf('/other/mcp')).toBe(401);
  const metadata = await fetch(`${gateway.url}/.well-known/oauth-protected-resource/other/mcp`);
  expect(metadata.status).toBe(200);
  expect(await statusOf('/snippets/mcp')).toBe(200);
  expect(stream.isOpen()).toBe(true);
  stream.close();
  const other = await obtainTokens(
    { ...gateway, mcpUrl: `${gateway.url}/other/mcp` },
    peopleOf(gateway.emulator).writer,
  );
  const answer = await callMcp(`${gateway.url}/other/mcp`, other.accessToken, 'tools/list');
  expect(answer.status).toBe(200);
});

test('a bad file keeps what is in effect, and the log says all that is wrong', async () => {
  const good = await readFile(configFile(), 'utf8');
  const from = gateway.said().length;
  await writeWhole(
    good.replace('/snippets/mcp', 'snippets').replace('secret: env:CLIENT_SECRET', 'secret: hunter2'),
  );
  await untilSaid('not reloaded', from);
  const said = gateway.said().slice(from);
  expect(said).toContain('backends.snippets.path');
  expect(said).toContain('entra.credential.secret');
  expect(said).not.toContain('hunter2');
  expect(await statusOf('/snippets/mcp')).toBe(200);
  const after = gateway.said().length;
  await writeWhole(good);
  await untilSaid('configuration reloaded', after);
});

test('what only a restart can change is refused as a whole, by SIGHUP too', async () => {
  const good = await readFile(configFile(), 'utf8');
  const from = gateway.said().length;
  await writeWhole(good.replace('/snippets/mcp', '/moved/mcp').replace('keys.json', 'others.json'));
  await untilSaid('not reloaded', from);
  expect(gateway.said().slice(from)).toContain('Restart the gateway');
  expect(await statusOf('/moved/mcp')).toBe(404);
  expect(await statusOf('/snippets/mcp')).toBe(200);
  const after = gateway.said().length;
  gateway.signal('SIGHUP');
  await untilSaid('Restart the gateway', after);
  await writeWhole(good);
  await untilSaid('configuration reloaded', after);
});

test('A56 A57: rules that shut a person out cut the stream that they hold open, and the calls end as they began', async () => {
  const good = await readFile(configFile(), 'utf8');
  const stream = await openEventStream(gateway.mcpUrl, token);
  const from = gateway.said().length;
  const calls = Array.from({ length: 20 }, () => statusOf('/snippets/mcp'));
  await changeConfig((config) => {
    const backends = config['backends'] as Record<string, Record<string, unknown>>;
    backends['snippets'] = { ...backends['snippets'], enter: { anyRole: ['Snippets.Writer'] } };
  });
  expect(new Set(await Promise.all(calls))).toEqual(new Set([200]));
  await untilSaid('configuration reloaded', from);
  await stream.ended;
  expect(await statusOf('/snippets/mcp')).toBe(403);
  const after = gateway.said().length;
  await writeWhole(good);
  await untilSaid('configuration reloaded', after);
  expect(await statusOf('/snippets/mcp')).toBe(200);
});

test('rules and title of a command change while its process and the session in it go on', async () => {
  const fixture = new URL('../../packages/gateway/src/proxy/stdio/child-fixture.suite.ts', import.meta.url);
  const local = {
    path: '/local/mcp',
    command: [process.execPath, fileURLToPath(fixture)],
    title: 'Before',
    scopes: ['snippets.use'],
  };
  const put = async (described: object) => {
    const from = gateway.said().length;
    await changeConfig((config) => {
      (config['backends'] as Record<string, unknown>)['local'] = described;
    });
    await untilSaid('configuration reloaded', from);
    return gateway.said().slice(from);
  };
  await put(local);
  const mcpUrl = `${gateway.url}${local.path}`;
  const { accessToken } = await obtainTokens({ ...gateway, mcpUrl }, peopleOf(gateway.emulator).reader);
  const params = {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 't', version: '1' },
  };
  const greeting = await callMcp(mcpUrl, accessToken, 'initialize', params);
  await greeting.text();
  const session = { 'mcp-session-id': greeting.headers.get('mcp-session-id') ?? '' };
  const count = async () => {
    const { result } = await readMessage(await callMcp(mcpUrl, accessToken, 'count', {}, session));
    return result as { readonly pid: number; readonly calls: number };
  };
  const first = await count();
  const call = { name: 'erase', arguments: {} };
  expect((await callMcp(mcpUrl, accessToken, 'tools/call', call, session)).status).toBe(200);

  const said = await put({ ...local, title: 'After', tools: { erase: { anyRole: ['Snippets.Writer'] } } });
  expect(said, 'nothing was opened anew').toContain('"backends":[]');
  expect(await count()).toEqual({ ...first, calls: first.calls + 1 });
  expect((await callMcp(mcpUrl, accessToken, 'tools/call', call, session)).status).toBe(403);
  const metadata = await fetch(`${gateway.url}/.well-known/oauth-protected-resource/local/mcp`);
  expect(await metadata.json()).toMatchObject({ resource_name: 'After' });

  await put({ ...local, idleSeconds: 3600 });
  const answer = await callMcp(mcpUrl, accessToken, 'count', {}, session);
  await answer.text();
  expect(answer.status, 'another way to it is another process').toBe(404);
});

test('a backend that is taken out answers 404, and its streams end', async () => {
  const stream = await openEventStream(gateway.mcpUrl, token);
  const from = gateway.said().length;
  await changeConfig((config) => {
    const { snippets: _gone, ...others } = config['backends'] as Record<string, unknown>;
    config['backends'] = others;
  });
  await untilSaid('configuration reloaded', from);
  expect(gateway.said().slice(from)).toContain('"removed":["snippets"]');
  await stream.ended;
  expect(await statusOf('/snippets/mcp')).toBe(404);
});
