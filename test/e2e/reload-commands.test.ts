/** What a reload does to a backend that is a command: its processes end, each after the call that it is at work on. */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { callMcp, obtainTokens, readMessage } from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';

const fixture = fileURLToPath(
  new URL('../../packages/gateway/src/proxy/stdio/child-fixture.suite.ts', import.meta.url),
);
const backendsWith = (args: readonly string[]) => {
  const both = { command: [process.execPath, fixture], args, scopes: ['snippets.use'] };
  return {
    own: { ...both, path: '/own/mcp', mode: 'perSession' },
    shared: { ...both, path: '/shared/mcp', mode: 'shared' },
  };
};
const greeting = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 't', version: '1' } };

let product: Product;
beforeAll(async () => {
  product = await startProduct({ backends: () => backendsWith(['before']) });
});
afterAll(() => product.close());

async function begin(path: string) {
  const url = product.url + path;
  const { accessToken } = await obtainTokens(product, product.people.reader, { resource: url });
  const answer = await callMcp(url, accessToken, 'initialize', greeting);
  await answer.text();
  const session = { 'mcp-session-id': answer.headers.get('mcp-session-id') ?? '' };
  const send = (method: string) => callMcp(url, accessToken, method, {}, session);
  return {
    send,
    async echo() {
      const { result } = await readMessage(await send('echo'));
      return result as { pid: number; argv: string[] };
    },
    listen: () =>
      fetch(url, {
        headers: { ...session, authorization: `Bearer ${accessToken}`, accept: 'text/event-stream' },
      }),
    async answer(id: unknown): Promise<number> {
      const headers = {
        ...session,
        authorization: `Bearer ${accessToken}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
      };
      const body = JSON.stringify({ jsonrpc: '2.0', id, result: { roots: [] } });
      return (await fetch(url, { method: 'POST', headers, body })).status;
    },
  };
}

const isRunning = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

test('A57: a process per session ends after the call under way, which has its answer; its session is 404', async () => {
  await product.reload({ backends: backendsWith(['before']) });
  const client = await begin('/own/mcp');
  const { pid } = await client.echo();
  const asking = (await client.send('ask')).body?.getReader();
  let heard = '';
  const hearUntil = async (pattern: RegExp): Promise<string> => {
    for (;;) {
      const [, found] = pattern.exec(heard) ?? [];
      if (found !== undefined) return found;
      const { done, value } = (await asking?.read()) ?? { done: true };
      if (done) throw new Error(`over before ${pattern}: ${heard}`);
      heard += new TextDecoder().decode(value);
    }
  };
  const question = JSON.parse(await hearUntil(/data: (\{.*roots\/list.*\})\n/)) as { id: unknown };
  // What the call still waits for is on its way, and is not read before the reload is over.
  process.kill(pid, 'SIGSTOP');
  expect(await client.answer(question.id)).toBe(202);

  await product.reload({ backends: backendsWith(['after']) });
  expect((await client.send('echo')).status).toBe(404);
  expect(isRunning(pid)).toBe(true);
  process.kill(pid, 'SIGCONT');
  expect(await hearUntil(/("said")/)).toBeTruthy();
  await expect.poll(() => isRunning(pid), { timeout: 10_000 }).toBe(false);
  expect(await (await begin('/own/mcp')).echo()).toMatchObject({ argv: ['after'] });
});

test('A57: sessions of a shared command go on, with a new process', async () => {
  await product.reload({ backends: backendsWith(['before']) });
  const client = await begin('/shared/mcp');
  const before = await client.echo();
  expect(before.argv).toEqual(['before']);
  await product.reload({ backends: backendsWith(['after']) });
  expect(await client.echo()).toMatchObject({ argv: ['after'] });
  await expect.poll(() => isRunning(before.pid), { timeout: 10_000 }).toBe(false);
});

test('A57: an open stream of such a session is under way too: its process ends with it', async () => {
  await product.reload({ backends: backendsWith(['before']) });
  const client = await begin('/own/mcp');
  const { pid } = await client.echo();
  const stream = await client.listen();
  expect(stream.status).toBe(200);
  await product.reload({ backends: backendsWith(['after']) });
  expect((await client.send('echo')).status).toBe(404);
  expect(await (await begin('/own/mcp')).echo(), 'meanwhile others work with a new one').toMatchObject({
    argv: ['after'],
  });
  expect(isRunning(pid)).toBe(true);
  await stream.body?.cancel();
  await expect.poll(() => isRunning(pid), { timeout: 10_000 }).toBe(false);
});
