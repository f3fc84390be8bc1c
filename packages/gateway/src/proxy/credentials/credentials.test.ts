import { err, ok } from '@valetkey/core/base/result';
import { Secret } from '@valetkey/core/base/secret';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { afterEach, expect, test } from 'vitest';
import type { BackendCredentialConfig } from '../../config/config.ts';
import type { EntraRefusal, PersonTokens, TokenOptions } from '../../entra/entra.ts';
import type { ManagedIdentity } from '../../entra/managed-identity.ts';
import type { StepUp } from '../../session/step-ups.ts';
import { StoreUnavailable } from '../../store/driver.ts';
import { anna, createSigningJwk, publicUrl, silentLog } from '../front-and-back.suite.ts';
import { createIdentitySigner } from '../identity.ts';
import type { Shown } from './backend-credential.ts';
import { createManagedIdentityCredential } from './managed-identity.ts';
import { openCredential } from './open-credential.ts';
import { createPersonTokenCredential } from './person-token.ts';

const clock = { nowMs: () => Date.now() };
const identity = createIdentitySigner({ issuer: publicUrl, signingJwk: createSigningJwk(), clock });
const resource = `${publicUrl}/payroll/mcp`;
const scopes = ['api://payroll/payroll.read'];
const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

const tokenOf = (text: string) =>
  ok({ accessToken: new Secret(text), expiresAtSeconds: Math.floor(Date.now() / 1000) + 3600 });

/** Room `entra` where a test says what it answers; each later token is another one. */
function openPerson(answer?: (options: TokenOptions) => EntraRefusal | undefined) {
  const asked: TokenOptions[] = [];
  const demanded: [string, StepUp, string][] = [];
  const tokens: Pick<PersonTokens, 'tokenFor'> = {
    tokenFor(_sessionId, _scopes, options = {}) {
      const refusal = answer?.(options);
      asked.push(options);
      return refusal === undefined ? tokenOf(`token-${asked.length}`) : err(refusal);
    },
  };
  const credential = createPersonTokenCredential({
    backend: 'payroll',
    scopes,
    flow: 'refresh',
    tokens,
    demandSignIn: async (...demand) => void demanded.push(demand),
    log: silentLog,
  });
  return { credential, asked, demanded };
}

const faultOf = (shown: Shown) => (shown.ok ? undefined : shown.error);

test.each<[BackendCredentialConfig | undefined, Record<string, string>]>([
  [undefined, {}],
  [{ kind: 'header', header: 'x-api-key', value: new Secret('key') }, { 'x-api-key': 'key' }],
])('A52: %j is shown without a promise, and there is no other', async (config, headers) => {
  const tokens = openPerson();
  const credential = openCredential(
    { name: 'payroll', resource, ...(config === undefined ? {} : { credential: config }) },
    {
      tokens: { tokenFor: () => tokenOf('t') },
      identity,
      demandSignIn: async () => {},
      clock,
      log: silentLog,
    },
  );
  closers.push(() => credential.close());
  expect(credential.headersFor(anna)).toEqual(ok(headers));
  expect(credential.headerNames).toEqual(Object.keys(headers));
  expect(faultOf(await credential.renewed(anna, headers, undefined))).toBe('credential_refused');
  expect(tokens.demanded).toEqual([]);
});

test.each([
  ['authorization', 'Bearer '],
  ['x-caller', ''],
])('the identity as %s verifies with the published keys, for this backend only', async (header, prefix) => {
  const credential = openCredential(
    { name: 'payroll', resource, credential: { kind: 'identityJwt', header } },
    {
      tokens: { tokenFor: () => tokenOf('t') },
      identity,
      demandSignIn: async () => {},
      clock,
      log: silentLog,
    },
  );
  const shown = await credential.headersFor(anna);
  const value = shown.ok ? (shown.value[header] ?? '') : '';
  expect(value.startsWith(prefix)).toBe(true);
  const keys = createLocalJWKSet({ keys: [{ ...identity.publicJwk, kty: 'EC' }] });
  const verified = await jwtVerify(value.slice(prefix.length), keys, {
    audience: resource,
    issuer: publicUrl,
  });
  expect(verified.payload['oid']).toBe('anna');
  expect(credential.headerNames).toEqual([header]);
});

test('a managed identity: its token, and another one after a 401, or none', async () => {
  let current = 'first';
  const managed: ManagedIdentity = {
    tokenFor: (_resource, rejected) => {
      if (rejected?.reveal() === 'first') current = 'second';
      return tokenOf(current);
    },
    close: async () => {},
  };
  const credential = createManagedIdentityCredential({
    backend: 'payroll',
    resource: 'api://payroll',
    identity: managed,
    log: silentLog,
  });
  const shown = credential.headersFor(anna);
  expect(shown).toEqual(ok({ authorization: 'Bearer first' }));
  const other = await credential.renewed(anna, { authorization: 'Bearer first' }, undefined);
  expect(other).toEqual(ok({ authorization: 'Bearer second' }));
  const none = await credential.renewed(anna, { authorization: 'Bearer second' }, undefined);
  expect(faultOf(none)).toBe('credential_refused');
});

test('the person’s own token: at hand without a promise, another one after a 401, with the claims it names', async () => {
  const { credential, asked, demanded } = openPerson();
  expect(credential.headersFor(anna)).toEqual(ok({ authorization: 'Bearer token-1' }));
  expect(credential.headersFor(undefined), 'nobody is calling').toEqual(ok({}));
  const claims = '{"access_token":{"nbf":{"essential":true,"value":"1700000000"}}}';
  const challenge = `Bearer realm="", error="insufficient_claims", claims="${Buffer.from(claims).toString('base64')}"`;
  const other = await credential.renewed(anna, { authorization: 'Bearer token-1' }, challenge);
  expect(other).toEqual(ok({ authorization: 'Bearer token-2' }));
  expect(asked[1]).toMatchObject({ claims });
  expect(asked[1]?.rejected?.reveal()).toBe('token-1');
  expect(demanded).toEqual([]);
});

test('Entra wants the person: the session ends, and the next sign-in carries scopes and claims', async () => {
  const claims = '{"access_token":{"capolids":{"essential":true,"values":["p1"]}}}';
  const { credential, demanded } = openPerson(() => ({
    kind: 'interaction',
    code: 50076,
    description: 'a second factor is needed',
    claims,
  }));
  const shown = await credential.headersFor(anna);
  expect(faultOf(shown)).toEqual({ kind: 'sign_in_again', reason: 'AADSTS50076' });
  expect(demanded).toEqual([[anna.sessionId, { scopes, claims }, 'AADSTS50076']]);
});

test('a store that does not answer is the store’s fault, and signs nobody out', async () => {
  const credential = createPersonTokenCredential({
    backend: 'payroll',
    scopes,
    flow: 'refresh',
    tokens: { tokenFor: () => Promise.reject(new StoreUnavailable('away')) },
    demandSignIn: () => Promise.reject(new Error('not to be asked')),
    log: silentLog,
  });
  expect(faultOf(await credential.headersFor(anna))).toBe('store_unavailable');
});

test.each<[EntraRefusal, unknown]>([
  [
    { kind: 'declined', code: 53003, description: 'blocked by Conditional Access' },
    { kind: 'not_entitled', reason: 'AADSTS53003', description: 'blocked by Conditional Access' },
  ],
  [{ kind: 'operator', code: 500011, description: 'unknown resource' }, 'no_credential'],
  [{ kind: 'invalid', description: 'not valid' }, 'no_credential'],
  [
    { kind: 'unavailable', description: 'later', retryAfterSeconds: 17 },
    { kind: 'credential_unavailable', retryAfterSeconds: 17 },
  ],
  [
    { kind: 'unavailable', description: 'later' },
    { kind: 'credential_unavailable', retryAfterSeconds: 5 },
  ],
])('Entra says $kind: nobody is signed out for it', async (refusal, fault) => {
  const { credential, demanded } = openPerson(() => refusal);
  expect(faultOf(await credential.headersFor(anna))).toEqual(fault);
  expect(demanded).toEqual([]);
});
