/** The judge: Microsoft's own library against the emulator, over https with the local CA. */
import { createHash, generateKeyPairSync } from 'node:crypto';
import tls from 'node:tls';
import {
  ConfidentialClientApplication,
  CryptoProvider,
  InteractionRequiredAuthError,
  PublicClientApplication,
  ServerError,
} from '@azure/msal-node';
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createBrowser, readRedirect } from './browser.suite.ts';
import { createSelfSigned } from './certificates.ts';
import {
  CONTOSO_TENANT_ID as TENANT,
  createEmulator,
  DESKTOP_CLIENT_ID,
  type Emulator,
  GATEWAY_CLIENT_ID,
  GATEWAY_CLIENT_SECRET,
  GATEWAY_IDENTITY_PRINCIPAL_ID,
  SNIPPETS_API_URI,
} from './emulator.ts';

const REDIRECT = 'http://localhost:3999/auth/callback';
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

function createClient(credential: Record<string, unknown> = { clientSecret: GATEWAY_CLIENT_SECRET }) {
  const authority = `${emulator.authorityHost}/${TENANT}`;
  const knownAuthorities = [new URL(emulator.authorityHost).host];
  return new ConfidentialClientApplication({
    auth: { clientId: GATEWAY_CLIENT_ID, authority, knownAuthorities, ...credential },
  });
}

async function signIn(client: ConfidentialClientApplication, username: string, scopes = ['User.Read']) {
  const { verifier, challenge } = await new CryptoProvider().generatePkceCodes();
  const url = await client.getAuthCodeUrl({
    scopes,
    redirectUri: REDIRECT,
    state: 'the-state',
    nonce: 'the-nonce',
    codeChallenge: challenge,
    codeChallengeMethod: 'S256',
    responseMode: 'query',
  });
  const redirect = readRedirect(await createBrowser().signIn(url, username));
  expect(redirect.searchParams.get('state')).toBe('the-state');
  const code = redirect.searchParams.get('code') ?? '';
  return client.acquireTokenByCode({
    code,
    scopes,
    redirectUri: REDIRECT,
    codeVerifier: verifier,
    nonce: 'the-nonce',
  });
}

test('MSAL signs a reader in by code, and its id token verifies against the published keys', async () => {
  const result = await signIn(createClient(), 'rita@contoso.example');
  const keys = createRemoteJWKSet(new URL(`${emulator.httpsOrigin}/${TENANT}/discovery/v2.0/keys`));
  const { payload } = await jwtVerify(result.idToken, keys, {
    issuer: `${emulator.httpsOrigin}/${TENANT}/v2.0`,
    audience: GATEWAY_CLIENT_ID,
  });
  expect(payload).toMatchObject({
    nonce: 'the-nonce',
    tid: TENANT,
    oid: '10000000-0000-4000-8000-000000000001',
    name: 'Rita Reader',
    preferred_username: 'rita@contoso.example',
    roles: ['Snippets.Reader'],
    ver: '2.0',
  });
  expect(result.account?.homeAccountId).toBe(`10000000-0000-4000-8000-000000000001.${TENANT}`);
});

test('the token reads the person from Graph, and is no JWT for anybody else', async () => {
  const { accessToken } = await signIn(createClient(), 'rita@contoso.example');
  const me = await fetch(`${emulator.httpsOrigin}/v1.0/me?$select=displayName,mail`, {
    headers: { authorization: `Bearer ${accessToken}` },
  });
  expect(await me.json()).toEqual({
    '@odata.context': 'https://graph.microsoft.com/v1.0/$metadata#users(displayName,mail)/$entity',
    displayName: 'Rita Reader',
    mail: 'rita@contoso.example',
  });
  const keys = createRemoteJWKSet(new URL(`${emulator.httpsOrigin}/${TENANT}/discovery/v2.0/keys`));
  await expect(jwtVerify(accessToken, keys)).rejects.toThrow('signature verification failed');
  expect(decodeJwt(accessToken)).toMatchObject({
    ver: '1.0',
    aud: 'https://graph.microsoft.com',
    scp: 'User.Read openid profile',
  });
});

test('silent hits the cache, and forceRefresh uses the refresh token', async () => {
  const client = createClient();
  const { account, accessToken } = await signIn(client, 'walt@contoso.example');
  if (account === null) throw new Error('no account');
  const cached = await client.acquireTokenSilent({ account, scopes: ['User.Read'] });
  expect([cached.fromCache, cached.accessToken]).toEqual([true, accessToken]);
  const fresh = await client.acquireTokenSilent({ account, scopes: ['User.Read'], forceRefresh: true });
  expect(fresh.fromCache).toBe(false);
  expect(fresh.accessToken).not.toBe(accessToken);
  const other = await client.acquireTokenSilent({ account, scopes: [`${SNIPPETS_API_URI}/snippets.use`] });
  expect(decodeJwt(other.accessToken)).toMatchObject({ ver: '2.0', scp: 'snippets.use' });
});

test('a revoked session and a demanded second factor reach MSAL as the errors it knows', async () => {
  const client = createClient();
  const { account } = await signIn(client, 'walt@contoso.example');
  if (account === null) throw new Error('no account');
  const silent = () => client.acquireTokenSilent({ account, scopes: ['User.Read'], forceRefresh: true });
  emulator.control.setFault(
    { username: 'walt@contoso.example', endpoint: 'token' },
    { kind: 'aadsts', code: 50076, claims: '{"access_token":{}}' },
    1,
  );
  const demanded = await silent().catch((problem: unknown) => problem);
  expect(demanded).toBeInstanceOf(InteractionRequiredAuthError);
  expect(demanded).toMatchObject({ claims: '{"access_token":{}}' });
  emulator.control.revokeSessions('walt@contoso.example');
  const revoked = await silent().catch((problem: unknown) => problem);
  expect(revoked).toBeInstanceOf(ServerError);
  expect(revoked).toMatchObject({ errorCode: 'invalid_grant' });
  expect(String(revoked)).toContain('AADSTS50173');
});

test('client credentials with a secret: app roles, and no scope', async () => {
  const result = await createClient().acquireTokenByClientCredential({
    scopes: [`${SNIPPETS_API_URI}/.default`],
  });
  const claims = decodeJwt(result?.accessToken ?? '');
  expect(claims).toMatchObject({
    roles: ['Snippets.Service'],
    azpacr: '1',
    idtyp: 'app',
    azp: GATEWAY_CLIENT_ID,
  });
  expect(claims.sub).toBe(claims['oid']);
  expect(claims['scp']).toBeUndefined();
});

test('client credentials with a certificate: PS256 and x5t#S256', async () => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const pem = createSelfSigned('gateway', { publicKey, privateKey }, Date.now());
  const raw = Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64');
  const clientCertificate = {
    thumbprintSha256: createHash('sha256').update(raw).digest('hex'),
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }),
  };
  const client = createClient({ clientCertificate });
  const scopes = [`${SNIPPETS_API_URI}/.default`];
  await expect(client.acquireTokenByClientCredential({ scopes })).rejects.toThrow('AADSTS700027');
  emulator.control.addCertificate(GATEWAY_CLIENT_ID, pem);
  const result = await client.acquireTokenByClientCredential({ scopes });
  expect(decodeJwt(result?.accessToken ?? '')).toMatchObject({ azpacr: '2' });
});

test('client credentials with a federated assertion of a managed identity', async () => {
  const assertionOf = (principalId: string) =>
    createClient({
      clientAssertion: () =>
        emulator.control.createManagedIdentityToken(principalId, 'api://AzureADTokenExchange'),
    }).acquireTokenByClientCredential({ scopes: [`${SNIPPETS_API_URI}/.default`] });
  const result = await assertionOf(GATEWAY_IDENTITY_PRINCIPAL_ID);
  expect(decodeJwt(result?.accessToken ?? '')).toMatchObject({ azpacr: '2' });
  await expect(assertionOf('00000000-0000-4000-8000-000000000000')).rejects.toThrow('AADSTS700213');
});

test('MSAL in MCP mode: the exact App ID URI as resource works, at code and at refresh; a trailing slash is AADSTS9010010', async () => {
  const client = new PublicClientApplication({
    auth: {
      clientId: DESKTOP_CLIENT_ID,
      authority: `${emulator.authorityHost}/${TENANT}`,
      knownAuthorities: [new URL(emulator.authorityHost).host],
      isMcp: true,
    },
  });
  const { verifier, challenge } = await new CryptoProvider().generatePkceCodes();
  const asked = { scopes: [`${SNIPPETS_API_URI}/snippets.use`], redirectUri: 'http://localhost:3998' };
  const urlFor = (resource: string) =>
    client.getAuthCodeUrl({
      ...asked,
      resource,
      codeChallenge: challenge,
      codeChallengeMethod: 'S256',
      responseMode: 'query',
    });

  const slashed = readRedirect(await createBrowser().get(await urlFor(`${SNIPPETS_API_URI}/`)));
  expect(slashed.searchParams.get('error')).toBe('invalid_target');
  expect(slashed.searchParams.get('error_description')).toContain('AADSTS9010010');

  const resource = SNIPPETS_API_URI;
  const redirect = readRedirect(await createBrowser().signIn(await urlFor(resource), 'rita@contoso.example'));
  const code = redirect.searchParams.get('code') ?? '';
  const result = await client.acquireTokenByCode({ ...asked, code, resource, codeVerifier: verifier });
  expect(decodeJwt(result.accessToken)).toMatchObject({ scp: 'snippets.use', roles: ['Snippets.Reader'] });
  if (result.account === null) throw new Error('no account');
  const fresh = await client.acquireTokenSilent({
    scopes: asked.scopes,
    account: result.account,
    resource,
    forceRefresh: true,
  });
  expect(fresh.fromCache).toBe(false);
  const sent = emulator.control.requestLog().at(-1)?.form;
  expect(sent).toMatchObject({ grant_type: 'refresh_token', resource });
});
