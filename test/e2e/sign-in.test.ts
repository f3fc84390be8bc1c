import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { decide, enterAtEntra, launchChromium, openPersonsPage, pickAtEntra } from '../support/chromium.ts';
import { type DocumentHost, startDocumentHost } from '../support/document-host.ts';
import { type LoopbackCallback, openLoopbackCallback } from '../support/loopback-callback.ts';
import { type Person, type Product, startProduct } from '../support/product.ts';
import {
  type ClientMemory,
  clientName,
  type Connected,
  connectSdkClient,
  type SdkKind,
} from '../support/sdk-client.ts';

let browser: Browser;
let documents: DocumentHost;
let product: Product;
const callbacks: LoopbackCallback[] = [];

beforeAll(async () => {
  [browser, documents] = await Promise.all([launchChromium(), startDocumentHost()]);
  product = await startProduct({
    config: { clients: documents.clientsConfig },
  });
});

afterAll(async () => {
  await Promise.all([browser.close(), documents.close(), product.close()]);
  await Promise.all(callbacks.map((callback) => callback.close()));
});

async function openCallback(): Promise<LoopbackCallback> {
  const callback = await openLoopbackCallback();
  callbacks.push(callback);
  return callback;
}

const hello = { structuredContent: { message: 'Hello I am MCPTool!' } };

type Registration = 'DCR' | 'CIMD';

/** One installation of a client on one person's machine. */
interface Installation {
  readonly kind: SdkKind;
  readonly memory: ClientMemory;
  readonly page: Page;
  readonly callback: LoopbackCallback;
  readonly metadataUrl?: string;
}

async function install(kind: SdkKind, registration: Registration): Promise<Installation> {
  const [page, callback] = await Promise.all([openPersonsPage(browser), openCallback()]);
  const common = { kind, memory: {}, page, callback };
  if (registration === 'DCR') return common;
  const metadataUrl = documents.publish(`/${kind.replace(' ', '-')}/${crypto.randomUUID()}.json`, {
    client_name: clientName,
    // Without a port, as Claude Code and Codex write it: the port is chosen when the client starts.
    redirect_uris: ['http://127.0.0.1/callback'],
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
  });
  return { ...common, metadataUrl };
}

function connect(
  installation: Installation,
  signIn: (page: Page, url: URL) => Promise<void>,
): Promise<Connected> {
  const { page } = installation;
  return connectSdkClient({
    ...installation,
    mcpUrl: product.mcpUrl,
    signIn: (url) => signIn(page, url),
    // A moved clock is the resource server's alone: the tokens that follow the refusal are of the real time.
    onAnswer(line) {
      if (line === 'POST /snippets/mcp 401') product.time.aheadMs = 0;
    },
  });
}

/** The way of a person who reads the consent page, allows, and types a password at Entra. */
function signInAs(person: Person) {
  return async (page: Page, url: URL): Promise<void> => {
    await page.goto(url.href);
    await decide(page, 'allow');
    await enterAtEntra(page, person);
    await page.locator('#done').waitFor();
  };
}

const kinds: readonly SdkKind[] = ['v2 legacy', 'v2 modern', 'v1'];
const matrix = kinds.flatMap((kind) => (['DCR', 'CIMD'] as const).map((by) => [kind, by] as const));

test.each(matrix)(
  'A12 A18 A33 A34 A37 A39 A42 A51 A55 A59 D5 D21 D50 D63: SDK %s, %s: from the first 401 to tool calls, a refresh, and a second sign-in',
  async (kind, registration) => {
    const installation = await install(kind, registration);
    const first = await connect(installation, async (page, url) => {
      await page.goto(url.href);
      await expectConsentPage(page, installation);
      await decide(page, 'allow', { remember: true });
      await page.waitForURL(`${product.emulator.httpOrigin}/**`);
      await pickAtEntra(page, product.people.writer);
      await page.locator('#done').waitFor();
    });
    expectDiscovery(first.wire, installation);
    await useEveryTool(first, installation);
    await expectRefresh(first, installation);
    await first.client.close();

    // The tokens are gone, as after a sign-out in the client; its registration stays on disk.
    const { client: stored } = installation.memory;
    delete installation.memory.tokens;
    const second = await connect(installation, async (page, url) => {
      // Remembered consent, and Entra knows the browser: nobody has to press anything.
      await page.goto(url.href);
      await page.locator('#done').waitFor();
    });
    expect(second.wire.filter((line) => line.includes('/register'))).toEqual([]);
    expect(installation.memory.client).toEqual(stored);
    expect(await second.client.listTools()).toContain('hello_mcp');
    await second.client.close();
    await installation.page.context().close();
  },
);

async function expectConsentPage(page: Page, { callback, metadataUrl }: Installation): Promise<void> {
  const text = await page.innerText('main');
  expect(text).toContain(`Allow ${clientName} to use Snippets?`);
  expect(text).toContain('Use your text snippets: read them, and save them if your role lets you');
  expect(text).toContain(metadataUrl === undefined ? 'Not verified' : 'Verified: localhost');
  expect(await page.innerText('#redirect-host')).toContain(new URL(callback.url).host);
}

function expectDiscovery(wire: readonly string[], { memory, metadataUrl }: Installation): void {
  expect(wire[0]).toBe('POST /snippets/mcp 401');
  expect(wire.filter((line) => line.includes('.well-known')).slice(0, 2)).toEqual([
    'GET /.well-known/oauth-protected-resource/snippets/mcp 200',
    'GET /.well-known/oauth-authorization-server 200',
  ]);
  const registrations = wire.filter((line) => line.startsWith('POST /register'));
  expect(registrations).toEqual(metadataUrl === undefined ? ['POST /register 201'] : []);
  if (metadataUrl === undefined) return;
  expect(documents.requests).toContain(new URL(metadataUrl).pathname);
  expect(memory.client?.client_id).toBe(metadataUrl);
}

async function useEveryTool({ client }: Connected, { kind, metadataUrl }: Installation): Promise<void> {
  expect(await client.listTools()).toEqual(['get_snippet', 'hello_mcp', 'save_snippet']);
  expect(await client.callTool('hello_mcp')).toMatchObject(hello);
  const snippetname = `${kind.replace(' ', '-')}-${metadataUrl === undefined ? 'dcr' : 'cimd'}`;
  await client.callTool('save_snippet', { snippetname, snippet: 'kept by Walt' });
  expect(await client.callTool('get_snippet', { snippetname })).toMatchObject({
    structuredContent: { snippet: 'kept by Walt' },
  });
}

/** Lets the access token expire: the client refreshes by itself, and nobody is asked. */
async function expectRefresh({ client, wire, signIns }: Connected, { kind, memory }: Installation) {
  // The standing GET of the older era must be over, or it would ask for a refresh of its own at the same time.
  if (kind !== 'v2 modern') await expect.poll(() => wire).toContain('GET /snippets/mcp 405');
  const before = { ...memory.tokens };
  const tokenRequests = () => wire.filter((line) => line.startsWith('POST /token'));
  expect(tokenRequests()).toEqual(['POST /token 200']);
  product.time.aheadMs = (product.config.lifetimes.accessTokenSeconds + 60) * 1000;

  expect(await client.callTool('hello_mcp')).toMatchObject(hello);
  expect(tokenRequests()).toEqual(['POST /token 200', 'POST /token 200']);
  expect(memory.tokens?.access_token).not.toBe(before.access_token);
  expect(memory.tokens?.refresh_token).not.toBe(before.refresh_token);
  expect(signIns()).toBe(1);
}

test.each(kinds)(
  'A24: SDK %s: a reader does not see save_snippet; calling it names the missing role and does not loop',
  async (kind) => {
    const installation = await install(kind, 'DCR');
    const { client, wire, signIns } = await connect(installation, signInAs(product.people.reader));
    expect(await client.listTools()).toEqual(['get_snippet', 'hello_mcp']);
    const before = wire.length;

    const refused = client.callTool('save_snippet', { snippetname: 'x', snippet: 'y' });
    await expect(refused).rejects.toThrow('Snippets.Writer');
    const posted = wire.slice(before).filter((line) => line.startsWith('POST'));
    expect(posted, 'one call, one refusal').toEqual(['POST /snippets/mcp 403']);
    expect(signIns()).toBe(1);
    expect(await client.callTool('hello_mcp'), 'and the connection goes on').toMatchObject(hello);
    await client.close();
    await installation.page.context().close();
  },
);

test.each(kinds)(
  'A18 A55: SDK %s: tools called at once when the token has expired all succeed, and nobody signs in again',
  async (kind) => {
    const installation = await install(kind, 'DCR');
    const { client, wire, signIns } = await connect(installation, signInAs(product.people.reader));
    if (kind !== 'v2 modern') await expect.poll(() => wire).toContain('GET /snippets/mcp 405');
    // Entra takes its time, so that the refreshes of all calls are under way together.
    product.emulator.control.setFault({ endpoint: 'token' }, { kind: 'latency', latencyMs: 300 }, 1);
    product.time.aheadMs = (product.config.lifetimes.accessTokenSeconds + 60) * 1000;
    const calls = await Promise.all([1, 2, 3].map(() => client.callTool('hello_mcp')));
    for (const called of calls) expect(called).toMatchObject(hello);
    expect(signIns()).toBe(1);
    await client.close();
    await installation.page.context().close();
  },
);

test('A21 A59 D14 D42: two people at once each see only their own snippets', async () => {
  const [mine, theirs] = await Promise.all([install('v2 modern', 'CIMD'), install('v2 legacy', 'DCR')]);
  const [walt, ada] = await Promise.all([
    connect(mine, signInAs(product.people.writer)),
    connect(theirs, signInAs(product.people.admin)),
  ]);
  const snippetname = 'diary';
  await Promise.all([
    walt.client.callTool('save_snippet', { snippetname, snippet: 'of Walt' }),
    ada.client.callTool('save_snippet', { snippetname, snippet: 'of Ada' }),
  ]);
  const rounds = Array.from({ length: 10 }, () =>
    Promise.all([
      walt.client.callTool('get_snippet', { snippetname }),
      ada.client.callTool('get_snippet', { snippetname }),
    ]),
  );
  for (const [ofWalt, ofAda] of await Promise.all(rounds)) {
    expect(ofWalt).toMatchObject({ structuredContent: { snippet: 'of Walt' } });
    expect(ofAda).toMatchObject({ structuredContent: { snippet: 'of Ada' } });
  }
  await ada.client.callTool('save_snippet', { snippetname: 'only-of-ada', snippet: 'hers' });
  expect(await walt.client.callTool('get_snippet', { snippetname: 'only-of-ada' })).toMatchObject({
    isError: true,
  });
  await Promise.all([walt.client.close(), ada.client.close()]);
});
