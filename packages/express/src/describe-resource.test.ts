import { expect, test } from 'vitest';
import { loadOwnServer } from '@valetkey/gateway/config/own-server';
import { describeResource } from './describe-resource.ts';

const tenant = '5c8a1d2e-0f3b-4c6d-9e7f-102938475610';
const issuer = `https://login.microsoftonline.com/${tenant}/v2.0`;
const publicUrl = 'https://mcp.contoso.com';
const credential = { secret: 'a-secret' };

function describe(more: object, withCredential: boolean): Record<string, unknown> {
  const entra = {
    tenant,
    clientId: '31b2c4d6-1a2b-4c3d-8e5f-a1b2c3d4e5f6',
    ...(withCredential ? { credential } : {}),
  };
  const loaded = loadOwnServer({ publicUrl, entra, scopes: ['mcp.use'], ...more }, { env: {} });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
  return describeResource(loaded.value)(loaded.value.resource);
}

test('alone we are the authorization server', () => {
  expect(describe({}, true)).toMatchObject({
    resource: `${publicUrl}/mcp`,
    authorization_servers: [publicUrl],
    scopes_supported: ['mcp.use'],
  });
});

test('beside Entra we come first', () => {
  expect(describe({ entraDirect: true }, true)).toMatchObject({
    authorization_servers: [publicUrl, issuer],
    scopes_supported: ['mcp.use'],
  });
});

test.each([
  ['without a credential', { entraDirect: true }, false],
  ['because it is said so', { entraDirect: { only: true } }, true],
])('Entra alone, %s: its issuer, and scopes that carry the name of the API', (_why, more, withCredential) => {
  expect(describe(more, withCredential)).toMatchObject({
    authorization_servers: [issuer],
    scopes_supported: [`${publicUrl}/mcp/mcp.use`],
  });
});
