import { expect, test } from 'vitest';
import { normalizeClientMetadata } from './client-metadata.ts';

const options = { privateUse: new Set<string>(), defaultAuthMethod: 'client_secret_basic' };
const loopback = 'http://127.0.0.1:33418/';

function normalize(input: Record<string, unknown>) {
  const result = normalizeClientMetadata({ redirect_uris: [loopback], ...input }, options);
  if (!result.ok) throw new Error(result.error.description);
  return result.value.metadata;
}

test('A31: what VS Code sends is kept as far as we support it; the device_code grant is dropped', () => {
  const metadata = normalize({
    client_name: 'Visual Studio Code',
    client_uri: 'https://code.visualstudio.com',
    grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
    response_types: ['code'],
    redirect_uris: [
      'https://insiders.vscode.dev/redirect',
      'https://vscode.dev/redirect',
      'http://127.0.0.1/',
      loopback,
    ],
    token_endpoint_auth_method: 'none',
    application_type: 'web',
  });
  expect(metadata).toMatchObject({
    client_name: 'Visual Studio Code',
    grant_types: ['authorization_code', 'refresh_token'],
    application_type: 'native',
    token_endpoint_auth_method: 'none',
  });
  expect(metadata['redirect_uris']).toHaveLength(4);
});

test('a registration without an authentication method means client_secret_basic (RFC 7591 §2)', () => {
  expect(normalize({})['token_endpoint_auth_method']).toBe('client_secret_basic');
});

test('D23: what a client sends of secrets, scopes and unknown members is not kept', () => {
  const metadata = normalize({
    client_secret: 'chosen-by-client',
    scope: 'admin',
    __proto__: null,
    evil: true,
  });
  expect(Object.keys(metadata).toSorted()).toEqual([
    'application_type',
    'grant_types',
    'redirect_uris',
    'response_types',
    'token_endpoint_auth_method',
  ]);
});

test('a website that is no web address is dropped', () => {
  expect(normalize({ client_uri: 'javascript:alert(1)', logo_uri: 'data:x' })).not.toHaveProperty(
    'client_uri',
  );
});

test.each([
  [{ redirect_uris: undefined }, 'invalid_redirect_uri'],
  [{ redirect_uris: [] }, 'invalid_redirect_uri'],
  [{ redirect_uris: 'https://a.example/cb' }, 'invalid_redirect_uri'],
  [{ redirect_uris: ['javascript:alert(1)'] }, 'invalid_redirect_uri'],
  [{ redirect_uris: Array(21).fill(loopback) }, 'invalid_redirect_uri'],
  [{ token_endpoint_auth_method: 'tls_client_auth' }, 'invalid_client_metadata'],
  [{ token_endpoint_auth_method: 7 }, 'invalid_client_metadata'],
  [{ client_name: { toString: 'x' } }, 'invalid_client_metadata'],
])('D54: %j is refused as %s', (input, error) => {
  const result = normalizeClientMetadata({ redirect_uris: [loopback], ...input }, options);
  expect(result).toMatchObject({ ok: false, error: { error } });
});
