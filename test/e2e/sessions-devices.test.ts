/**
 * A client that is known by its metadata document has one id on all devices of everybody who uses it: what one device does,
 * or loses, is no other's matter.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type DocumentHost, startDocumentHost } from '../support/document-host.ts';
import {
  callMcp,
  obtainTokens,
  postForm,
  redirectUri,
  refresh,
  type Tokens,
} from '../support/oauth-client.ts';
import { type Replicas, startReplicas } from '../support/replicas.ts';

let documents: DocumentHost;
let product: Replicas;
let clientId: string;
beforeAll(async () => {
  documents = await startDocumentHost();
  clientId = documents.publish('/client.json', {
    client_name: 'On many devices',
    redirect_uris: [redirectUri],
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
  });
  product = await startReplicas({
    config: { clients: documents.clientsConfig, lifetimes: { refreshReplaySeconds: 0 } },
  });
});
afterAll(async () => {
  await product.close();
  await documents.close();
});

const signIn = (person: string) => obtainTokens(product, product.person(person), { clientId });
const call = async ({ accessToken }: Tokens) =>
  (await callMcp(product.mcpUrl, accessToken, 'tools/list')).status;
const refused = (device: Tokens) => expect.poll(() => call(device), { timeout: 2_000 }).toBe(401);
async function renew(device: Tokens): Promise<Tokens> {
  const { status, body } = await refresh(product, clientId, device.refreshToken);
  expect(status, JSON.stringify(body)).toBe(200);
  const { access_token, refresh_token } = body;
  return { clientId, accessToken: String(access_token), refreshToken: String(refresh_token) };
}

test('A18 A56: devices that share a client id keep sessions of their own', async () => {
  const [laptop, phone, tablet, other] = [
    await signIn('reader'),
    await signIn('reader'),
    await signIn('reader'),
    await signIn('writer'),
  ];
  expect(new Set([laptop, phone, tablet, other].map(({ clientId: id }) => id))).toEqual(new Set([clientId]));

  // One signs out.
  await postForm(`${product.url}/revoke`, { token: laptop.refreshToken, client_id: clientId });
  await refused(laptop);
  // Of another one the refresh token was copied: its family ends.
  const renewed = await renew(phone);
  expect((await refresh(product, clientId, phone.refreshToken)).body['error']).toBe('invalid_grant');
  await refused(renewed);

  // The third one, and the other person, notice nothing of it, and go on.
  for (const device of [tablet, other]) {
    expect(await call(device)).toBe(200);
    expect(await call(await renew(await renew(device)))).toBe(200);
  }
  const left = await product.administer(({ sessions }) => sessions.list({ client: clientId }));
  expect(left.map(({ displayName }) => displayName?.split(' ')[0]).toSorted()).toEqual(['Rita', 'Walt']);
});
