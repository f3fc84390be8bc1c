/** Stops: an authorization request that makes the gateway send a browser, or a code, where no client registered. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { authorizeRequest, registerClient } from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';
import { allow, codeOf, goToConsent, signInAtEntra } from '../support/sign-in-steps.ts';

const web = 'https://client.example/oauth/callback';
const otherWeb = 'https://other.example/oauth/callback';

const program = 'http://127.0.0.1:33418/callback';

let product: Product;
let clientId: string;
let nativeId: string;
/** The document that the client serves now. */
const document = { redirect_uris: [web] };

beforeAll(async () => {
  product = await startProduct({
    gateway: {
      fetchFromStranger: async (url) => {
        if (url.endsWith('/gone.json') && document.redirect_uris.length === 0) throw new Error('gone');
        return Response.json({ client_id: url, client_name: 'Document', ...document });
      },
    },
  });
  clientId = await registerClient(product, { redirect_uris: [web] });
  nativeId = await registerClient(product, { redirect_uris: [program] });
  await registerClient(product, { redirect_uris: [otherWeb] });
});
afterAll(() => product.close());

async function ask(overrides: Record<string, string | undefined>, more = ''): Promise<Response> {
  const { url } = authorizeRequest(product, clientId, { redirect_uri: web, ...overrides });
  return fetch(url + more, { redirect: 'manual', headers: { accept: 'text/html' } });
}

async function expectPage(response: Response): Promise<void> {
  expect(response.headers.get('location')).toBeNull();
  expect(response.headers.get('refresh')).toBeNull();
  expect(response.status).toBe(400);
  expect(response.headers.getSetCookie()).toEqual([]);
  const page = await response.text();
  expect(page).toContain('This sign-in cannot go on');
  expect(page).not.toMatch(/href="(?!\/)|http-equiv="refresh"|<script/i);
}

test('the control: the request as it should be leads to the consent page', async () => {
  expect((await ask({})).headers.get('location')).toMatch(/^\/consent\//);
});

test.each([
  ['no client_id', { client_id: undefined }],
  ['an empty client_id', { client_id: '' }],
  ['an unknown client_id', { client_id: 'unknown' }],
  ['a client_id in capitals', { client_id: 'CLIENT' }],
  ['a client_id with a wildcard', { client_id: '*' }],
  ['a client_id with a NUL', { client_id: 'a\0b' }],
  ['a client_id of a record of ours', { client_id: '__proto__' }],
  ['no redirect_uri', { redirect_uri: undefined }],
  ['an empty redirect_uri', { redirect_uri: '' }],
])('A36 A45 D40 D67: %s gets a page', async (_what, overrides) => {
  await expectPage(await ask(overrides));
});

const variations: [what: string, redirectUri: string][] = [
  ['foreign', 'https://evil.example/'],
  ["another client's own", otherWeb],
  ['a prefix of the registered one', 'https://client.example/oauth'],
  ['with a suffix', `${web}/more`],
  ['with a trailing slash', `${web}/`],
  ['with a query', `${web}?next=https://evil.example`],
  ['with a fragment', `${web}#x`],
  ['in another case', 'https://client.example/OAuth/Callback'],
  ['with its host in capitals', 'https://CLIENT.example/oauth/callback'],
  ['with the port spelled out', 'https://client.example:443/oauth/callback'],
  ['with another port', 'https://client.example:8443/oauth/callback'],
  ['with user information', 'https://client.example@evil.example/oauth/callback'],
  ['with our host as user', 'https://user:pass@client.example/oauth/callback'],
  ['over http', 'http://client.example/oauth/callback'],
  ['with dot segments', 'https://client.example/oauth/../oauth/callback'],
  ['with encoded dots', 'https://client.example/oauth/%2e%2e/oauth/callback'],
  ['with an encoded slash', 'https://client.example/oauth%2fcallback'],
  ['with a backslash', 'https://evil.example\\@client.example/oauth/callback'],
  ['on a host that starts the same', 'https://client.example.evil.example/oauth/callback'],
  ['on a host that ends the same', 'https://evilclient.example/oauth/callback'],
  ['without a scheme', '//client.example/oauth/callback'],
  ['with blanks around it', ` ${web} `],
  ['with a line break', `${web}\r\nLocation: https://evil.example`],
  ['a script', 'javascript:alert(1)//https://client.example/oauth/callback'],
  ['data', 'data:text/html,https://client.example/oauth/callback'],
  ['at the gateway itself', 'http://localhost/auth/callback'],
  ['a pattern', 'https://*'],
  ['a trailing dot in the host', 'https://client.example./oauth/callback'],
  ['unicode that folds to the same', 'https://client.example/oauth/ﬀcallback'],
];

test.each(variations)('A36 A45 CVE-2025-4143: a redirect %s gets a page', async (_what, redirectUri) => {
  await expectPage(await ask({ redirect_uri: redirectUri }));
});

test.each([
  ['another path', 'http://127.0.0.1:33418/other'],
  ['another loopback name', 'http://localhost:33418/callback'],
  ['IPv6 for IPv4', 'http://[::1]:33418/callback'],
  ['a decimal address', 'http://2130706433:33418/callback'],
  ['https', 'https://127.0.0.1:33418/callback'],
  ['a host with the loopback address in front', 'http://127.0.0.1.evil.example:33418/callback'],
  ['a user that looks like the address', 'http://127.0.0.1:33418@evil.example/callback'],
  ['a port that is none', 'http://127.0.0.1:99999/callback'],
])(
  'A36 A45: a loopback client may vary its port, and nothing else: %s gets a page',
  async (_what, redirectUri) => {
    await expectPage(await ask({ client_id: nativeId, redirect_uri: redirectUri }));
  },
);

test.each([
  ['redirect_uri', `&redirect_uri=${encodeURIComponent('https://evil.example/')}`],
  ['redirect_uri, both the same', `&redirect_uri=${encodeURIComponent(web)}`],
  ['client_id', '&client_id=other'],
  ['redirect_uri as a list', `&redirect_uri[]=${encodeURIComponent('https://evil.example/')}&redirect_uri=x`],
])('A36: %s twice gets a page', async (_what, more) => {
  await expectPage(await ask({}, more));
});

const faults: [what: string, overrides: Record<string, string | undefined>][] = [
  ['no response_type', { response_type: undefined }],
  ['an implicit response_type', { response_type: 'token' }],
  ['a hybrid response_type', { response_type: 'code id_token' }],
  ['no challenge', { code_challenge: undefined }],
  ['an empty challenge', { code_challenge: '' }],
  ['a short challenge', { code_challenge: 'abc' }],
  ['the plain method', { code_challenge_method: 'plain' }],
  ['no method, which means plain', { code_challenge_method: undefined }],
  ['a foreign resource', { resource: 'https://elsewhere.example/mcp' }],
  ['an unknown response_mode', { response_mode: 'web_message' }],
  ['a request object', { request: 'eyJhbGciOiJub25lIn0.e30.' }],
  ['a request_uri', { request_uri: 'https://evil.example/request' }],
  ['prompt=none', { prompt: 'none' }],
];

test.each(faults)(
  'A36 D35: %s goes back to the registered program with an error, and no further',
  async (_what, overrides) => {
    const { url } = authorizeRequest(product, nativeId, { redirect_uri: program, ...overrides });
    const response = await fetch(url, { redirect: 'manual', headers: { accept: 'text/html' } });
    const location = response.headers.get('location') ?? '';
    expect([302, 303]).toContain(response.status);
    expect(location.startsWith(`${program}?`) || location.startsWith(`${program}#`)).toBe(true);
    const answer = new URLSearchParams(new URL(location).search || new URL(location).hash.slice(1));
    expect(answer.get('error')).toMatch(/^[a-z_]+$/);
    expect(answer.get('iss')).toBe(product.url);
    expect(answer.get('code')).toBeNull();
  },
);

test.each(faults)(
  'A36 D24: %s sends nobody to the website of a client that nobody has checked',
  async (_what, overrides) => {
    const response = await ask(overrides);
    expect(response.status).toBe(400);
    expect(response.headers.get('location')).toBeNull();
    const page = await response.text();
    expect(page).toContain('This sign-in cannot go on');
    expect(page).not.toMatch(/http-equiv="refresh"|<form|<script/i);
    // The one link is to the address that was registered, for whoever knows it.
    for (const [, href = ''] of page.matchAll(/href="(https?:[^"]*)"/g))
      expect(href.startsWith(`${web}?`) || href.startsWith(`${web}#`)).toBe(true);
  },
);

test('A45: with two things wrong the redirect is judged first', async () => {
  await expectPage(await ask({ redirect_uri: 'https://evil.example/', response_type: 'token' }));
  await expectPage(await ask({ redirect_uri: 'https://evil.example/', code_challenge: undefined }));
  await expectPage(await ask({ redirect_uri: 'https://evil.example/', prompt: 'none' }));
});

test('D19 D44: of two registered redirects the requested one gets the code', async () => {
  const two = await registerClient(product, { redirect_uris: [otherWeb, web] });
  const at = await goToConsent(product, { clientId: two, overrides: { redirect_uri: web } });
  const back = await signInAtEntra(product, at.browser, (await allow(at)).location, product.people.reader);
  const left = await at.browser.follow(back, [product.url]);
  expect(left.location?.startsWith(`${web}?code=`)).toBe(true);
});

test.each([
  ['lists the redirect no more', 'https://client.example/changed.json', [otherWeb]],
  ['is gone', 'https://client.example/gone.json', []],
])(
  'CVE-2025-4143: a document that %s when the person comes back from Entra gets no code',
  async (_what, id, later) => {
    document.redirect_uris = [web];
    const at = await goToConsent(product, { clientId: id, overrides: { redirect_uri: web } });
    expect(at.page.text).toContain('name="decision"');
    const back = await signInAtEntra(product, at.browser, (await allow(at)).location, product.people.reader);
    document.redirect_uris = later;
    await forgetDocuments();
    const answer = await at.browser.follow(back, [product.url]);
    expect(answer.status).toBe(400);
    expect(answer.location).toBeUndefined();
    expect(codeOf(answer)).toBeUndefined();
  },
);

/** oidc-provider keeps up to two hundred documents, those used last. */
async function forgetDocuments(): Promise<void> {
  const kept = document.redirect_uris;
  document.redirect_uris = [web];
  await Promise.all(
    Array.from({ length: 210 }, (_each, index) =>
      ask({ client_id: `https://client.example/other-${index}.json` }),
    ),
  );
  document.redirect_uris = kept;
}
