/** Microsoft Graph, judged by Microsoft's own client with the middleware it comes with. */
import tls from 'node:tls';
import { ClientSecretCredential } from '@azure/identity';
import { ConfidentialClientApplication } from '@azure/msal-node';
import {
  BatchRequestContent,
  BatchResponseContent,
  Client,
  GraphError,
  PageIterator,
} from '@microsoft/microsoft-graph-client';
import {
  AUTOMATION_CLIENT_ID,
  AUTOMATION_CLIENT_SECRET,
  CONTOSO_TENANT_ID,
  createEmulator,
  type Emulator,
  GATEWAY_CLIENT_ID,
  GATEWAY_CLIENT_SECRET,
} from '@valetkey/entra-emulator';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

const OTTO = '10000000-0000-4000-8000-000000000006';
const REDIRECT = 'http://localhost/auth/callback';
const trustedBefore = tls.getCACertificates('default');
let emulator: Emulator;

beforeAll(async () => {
  emulator = await createEmulator();
  tls.setDefaultCACertificates([...trustedBefore, emulator.caCertificatePem]);
});
beforeEach(() => emulator.control.reset());
afterAll(async () => {
  tls.setDefaultCACertificates(trustedBefore);
  await emulator.close();
});

/** @param getAccessToken how this client's middleware gets a token, each time */
function createGraph(getAccessToken: () => Promise<string>): Client {
  return Client.initWithMiddleware({
    authProvider: { getAccessToken },
    baseUrl: emulator.httpsOrigin,
    // Without it the client leaves Authorization out for any host that is not Graph's.
    customHosts: new Set(['localhost']),
  });
}

function daemon(): Client {
  const credential = new ClientSecretCredential(
    CONTOSO_TENANT_ID,
    AUTOMATION_CLIENT_ID,
    AUTOMATION_CLIENT_SECRET,
    {
      authorityHost: emulator.authorityHost,
      disableInstanceDiscovery: true,
    },
  );
  return createGraph(async () => (await credential.getToken('https://graph.microsoft.com/.default')).token);
}

/** A person signed in by MSAL. With `CP1` the client understands continuous access evaluation. */
async function signIn(
  username: string,
  scopes: readonly string[],
  clientCapabilities: readonly string[] = [],
): Promise<string> {
  const client = new ConfidentialClientApplication({
    auth: {
      clientId: GATEWAY_CLIENT_ID,
      clientSecret: GATEWAY_CLIENT_SECRET,
      authority: `${emulator.authorityHost}/${CONTOSO_TENANT_ID}`,
      knownAuthorities: [new URL(emulator.authorityHost).host],
      clientCapabilities: [...clientCapabilities],
    },
  });
  const request = { scopes: [...scopes], redirectUri: REDIRECT };
  const url = await client.getAuthCodeUrl({ ...request, responseMode: 'query' });
  const page = await fetch(url);
  const cookie = page.headers
    .getSetCookie()
    .map((line) => line.split(';')[0])
    .join('; ');
  const html = await page.text();
  const action = /action="([^"]+)"/.exec(html)?.[1] ?? '';
  const ctx = /name="ctx" value="([^"]+)"/.exec(html)?.[1] ?? '';
  const sent = await fetch(new URL(action, url), {
    method: 'POST',
    redirect: 'manual',
    headers: { cookie },
    body: new URLSearchParams({ ctx, account: username }),
  });
  const code = new URL(sent.headers.get('location') ?? '').searchParams.get('code') ?? '';
  return (await client.acquireTokenByCode({ ...request, code })).accessToken;
}

async function signedIn(
  username: string,
  scopes: readonly string[],
  capabilities: readonly string[] = [],
): Promise<Client> {
  const token = await signIn(username, scopes, capabilities);
  return createGraph(async () => token);
}

const statuses = () =>
  emulator.control
    .requestLog()
    .filter((entry) => entry.path.startsWith('/v1.0'))
    .map((entry) => entry.status);

test('judge @microsoft/microsoft-graph-client 3: the person and what is selected of them', async () => {
  const graph = await signedIn('rita@contoso.example', ['User.Read']);
  expect(await graph.api('/me').select(['displayName', 'mail']).get()).toEqual({
    '@odata.context': 'https://graph.microsoft.com/v1.0/$metadata#users(displayName,mail)/$entity',
    displayName: 'Rita Reader',
    mail: 'rita@contoso.example',
  });
  const refused = await graph
    .api('/users')
    .get()
    .catch((problem: unknown) => problem);
  expect(refused).toBeInstanceOf(GraphError);
  expect(refused).toMatchObject({
    statusCode: 403,
    code: 'Authorization_RequestDenied',
    requestId: expect.any(String),
  });
});

test('judge @microsoft/microsoft-graph-client 3: pages of groups', async () => {
  const graph = await signedIn('otto@contoso.example', ['User.Read', 'GroupMember.Read.All']);
  const first = await graph
    .api('/me/transitiveMemberOf/microsoft.graph.group')
    .header('ConsistencyLevel', 'eventual')
    .count(true)
    .select('id')
    .top(99)
    .get();
  expect(first['@odata.count']).toBe(250);
  const ids: string[] = [];
  const pages = new PageIterator(graph, first, (group: { id: string }) => {
    ids.push(group.id);
    return true;
  });
  await pages.iterate();
  expect(new Set(ids).size).toBe(250);
  expect(statuses()).toEqual([200, 200, 200]);
});

test('judge @microsoft/microsoft-graph-client 3: throttling with Retry-After is waited out by its retry middleware', async () => {
  const graph = daemon();
  await graph.api(`/users/${OTTO}`).get();
  emulator.control.setFault({ endpoint: 'graph' }, { kind: 'throttle', retryAfterSeconds: 1 }, 1);
  emulator.control.setFault({ endpoint: 'graph' }, { kind: 'status', status: 503, retryAfterSeconds: 0 }, 1);
  const startedMs = performance.now();
  expect(await graph.api(`/users/${OTTO}`).get()).toMatchObject({ id: OTTO });
  expect(performance.now() - startedMs).toBeGreaterThan(950);
  expect(statuses()).toEqual([200, 429, 503, 200]);
});

test('judge @microsoft/microsoft-graph-client 3: a budget spent is throttling that ends by itself', async () => {
  const graph = daemon();
  emulator.control.setGraphBudget({ requests: 2, windowSeconds: 1 });
  for (const _ of [1, 2, 3])
    expect(await graph.api(`/users/${OTTO}`).select('id').get()).toMatchObject({ id: OTTO });
  expect(statuses()).toEqual([200, 200, 429, 200]);
});

test('judge @microsoft/microsoft-graph-client 3: a batch, with an item that is refused and one that depends on it', async () => {
  const graph = await signedIn('otto@contoso.example', ['User.Read']);
  const content = new BatchRequestContent([
    { id: '1', request: new Request('https://graph.microsoft.com/me?$select=id') },
    { id: '2', request: new Request('https://graph.microsoft.com/users?$top=1') },
    { id: '3', request: new Request('https://graph.microsoft.com/me') },
  ]);
  content.addDependency('2', '1');
  content.addDependency('3', '2');
  const answer = await graph.api('/$batch').post(await content.getContent());
  const responses = new BatchResponseContent(answer);
  const status = (id: string) => responses.getResponseById(id).status;
  expect([status('1'), status('2'), status('3')]).toEqual([200, 403, 424]);
  expect(await responses.getResponseById('1').json()).toMatchObject({ id: OTTO });
});

test('judge @microsoft/microsoft-graph-client 3: a leaver is disabled, their sessions revoked, and the change shows', async () => {
  const graph = daemon();
  const person = await signedIn('walt@contoso.example', ['User.Read'], ['CP1']);
  const walt = await person.api('/me').get();
  const before = await graph.api('/users/delta').select(['displayName', 'accountEnabled']).get();
  await graph.api(`/users/${walt.id}`).patch({ accountEnabled: false });
  expect(await graph.api(`/users/${walt.id}/revokeSignInSessions`).post({})).toMatchObject({ value: true });
  const after = await graph.api(before['@odata.deltaLink']).get();
  expect(after.value).toEqual([{ id: walt.id, displayName: 'Walt Writer', accountEnabled: false }]);
  const challenged = await person
    .api('/me')
    .get()
    .catch((problem: GraphError) => problem);
  expect(challenged).toMatchObject({ statusCode: 401, code: 'InvalidAuthenticationToken' });
  const header = challenged.headers?.get('www-authenticate') ?? '';
  const claims = /error="insufficient_claims", claims="([^"]+)"/.exec(header)?.[1] ?? '';
  expect(JSON.parse(Buffer.from(claims, 'base64').toString())).toEqual({
    access_token: { nbf: { essential: true, value: expect.stringMatching(/^\d{10}$/) } },
  });
});
