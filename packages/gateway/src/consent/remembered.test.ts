import { expect, test } from 'vitest';
import type { Consent } from '../session/session.ts';
import { mayUseRememberedConsent } from './remembered.ts';

const request = {
  person: 'tenant/anna',
  clientId: 'client-1',
  redirectUri: 'http://127.0.0.1:33418/',
  resource: 'https://mcp.contoso.com/snippets/mcp',
  scopes: ['snippets.read'],
};
const consent: Consent = {
  ...request,
  scopes: ['snippets.read', 'snippets.write'],
  outcome: 'allowed',
  decidedAtSeconds: 1000,
  expiresAtSeconds: 2000,
};
const honest = { secFetchSite: 'none', consent, nowSeconds: 1999, request };

test.each([
  ['opened by an application', honest],
  ['from our own page', { ...honest, secFetchSite: 'same-origin' }],
  ['exactly the same scopes', { ...honest, request: { ...request, scopes: consent.scopes } }],
])('A40 A42: %s needs no second question', (_, input) => {
  expect(mayUseRememberedConsent(input)).toBe(true);
});

test.each([
  ['a cross-site navigation', { secFetchSite: 'cross-site' }],
  ['a same-site navigation', { secFetchSite: 'same-site' }],
  ['a browser that does not say', { secFetchSite: undefined }],
  ['an unknown value', { secFetchSite: 'None' }],
])('A42 D69 GHSA-6x8h-498w-gv8c: %s is asked again', (_, change) => {
  expect(mayUseRememberedConsent({ ...honest, ...change })).toBe(false);
});

test.each([
  ['no consent', { consent: undefined }],
  ['an expired one', { nowSeconds: 2000 }],
  ['a denial', { consent: { ...consent, outcome: 'denied' as const } }],
  ['one more scope', { request: { ...request, scopes: ['snippets.read', 'snippets.admin'] } }],
  ['another client', { request: { ...request, clientId: 'client-2' } }],
  ['another redirect', { request: { ...request, redirectUri: 'http://127.0.0.1:33418/x' } }],
  ['another resource', { request: { ...request, resource: 'https://mcp.contoso.com/other/mcp' } }],
  ['another person', { request: { ...request, person: 'tenant/bela' } }],
])('A40 D51: %s is asked again', (_, change) => {
  expect(mayUseRememberedConsent({ ...honest, ...change })).toBe(false);
});
