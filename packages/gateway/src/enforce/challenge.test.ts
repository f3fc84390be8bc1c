import { expect, test } from 'vitest';
import { createChallenge, resourceMetadataUrl } from './challenge.ts';

const metadata = resourceMetadataUrl('https://mcp.contoso.test', '/snippets/mcp');

test('D55: the metadata URL is the path-inserted form of RFC 9728', () => {
  expect(metadata).toBe('https://mcp.contoso.test/.well-known/oauth-protected-resource/snippets/mcp');
});

test('A12 D55: without a token the challenge names no error', () => {
  expect(createChallenge({ scopes: ['snippets.use'], resourceMetadataUrl: metadata })).toBe(
    `Bearer resource_metadata="${metadata}", scope="snippets.use"`,
  );
});

test('A13: a bad token is invalid_token', () => {
  expect(createChallenge({ error: 'invalid_token', scopes: [], resourceMetadataUrl: metadata })).toBe(
    `Bearer error="invalid_token", resource_metadata="${metadata}"`,
  );
});

test('A14: all scopes of the operation stand in one challenge', () => {
  const challenge = createChallenge({
    error: 'insufficient_scope',
    scopes: ['snippets.use', 'snippets.write'],
    resourceMetadataUrl: metadata,
  });
  expect(challenge).toBe(
    `Bearer error="insufficient_scope", resource_metadata="${metadata}", scope="snippets.use snippets.write"`,
  );
});

test('a value cannot leave its quotes or its line', () => {
  const challenge = createChallenge({
    error: 'invalid_token',
    errorDescription: 'a", evil="1\\\r\nSet-Cookie: a=b\u00e9',
    scopes: [],
    resourceMetadataUrl: metadata,
  });
  expect(challenge).toBe(
    `Bearer error="invalid_token", error_description="a?, evil=?1???Set-Cookie: a=b?", resource_metadata="${metadata}"`,
  );
});
