/** `valetkey policy explain` where a rule goes by what the server says of its tools: it says what the gateway does. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runCommand } from '../support/command.ts';
import { callMcp, obtainTokens } from '../support/oauth-client.ts';
import { type Product, snippetsBackend, startProduct } from '../support/product.ts';

let product: Product;
let token: string;

beforeAll(async () => {
  product = await startProduct({
    backends: (upstream) => ({
      snippets: {
        ...snippetsBackend(upstream),
        tools: { '*': { readOnlyUnless: { anyRole: ['Snippets.Admin'] } } },
      },
    }),
  });
  token = (await obtainTokens(product, product.people.reader)).accessToken;
});
afterAll(() => product.close());

async function explain(...args: string[]) {
  const words = ['run', '--silent', 'valetkey', '--', 'policy', 'explain', '--config', product.configFile];
  const { code, stdout } = await runCommand('npm', [...words, ...args], { env: product.env });
  return { code, stdout };
}

const isCalled = async (name: string) =>
  (await callMcp(product.mcpUrl, token, 'tools/call', { name, arguments: {} })).status === 200;

/** Both give what they say of the two tools, one that only reads and one that writes. */
const tools = ['get_snippet', 'save_snippet'];
const asked = async () => {
  const { username } = product.people.reader;
  const told = tools.map(async (tool) => (await explain('--as', username, '--tool', tool)).code === 0);
  return { told: await Promise.all(told), done: await Promise.all(tools.map(isCalled)) };
};

test('A24: for a person who is signed in, it goes by what the gateway has heard', async () => {
  expect(await asked()).toEqual({ told: [false, false], done: [false, false] });
  const unheard = await explain('--as', product.people.reader.username, '--tool', 'get_snippet');
  expect(unheard.stdout).toContain('list the tools first');
  await (await callMcp(product.mcpUrl, token, 'tools/list')).text();
  expect(await asked()).toEqual({ told: [true, false], done: [true, false] });
  const writing = await explain('--as', product.people.reader.username, '--tool', 'save_snippet');
  expect(writing.stdout).toContain(
    'tool save_snippet (rule *) needs the role Snippets.Admin, since the server',
  );
});

test('A24: for somebody made up it claims nothing about the server, and tells of no other tools', async () => {
  const one = await explain('--roles', 'Snippets.Reader', '--tool', 'get_snippet');
  expect(one.code).toBe(2);
  expect(one.stdout).toMatch(/if it only reads .*, unless the server says that the tool only reads\n/);
  const { code, stdout } = await explain('--roles', 'Snippets.Reader');
  expect(code).toBe(0);
  expect(stdout).toMatch(/^tool \* +if it only reads +tool \* needs the role Snippets\.Admin, unless/m);
  expect(stdout).not.toMatch(/since the server|any other tool/);
});
