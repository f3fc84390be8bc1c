import { expect, test } from 'vitest';
import { authorityUrl, discoveryUrl, findTenantId, isGuid } from './authority.ts';
import { parseEntraClaims } from './claims.ts';
import { cloudNames, findCloud } from './cloud.ts';
import { checkIssuer } from './issuer.ts';

const tid = '8f5c0000-0000-4000-8000-0123456789ab';
const otherTid = '9f5c0000-0000-4000-8000-0123456789ab';
const oid = '0a1b2c3d-0000-4000-8000-0123456789ab';
const host = 'https://login.microsoftonline.com';

test.each([
  [
    'public',
    'https://login.microsoftonline.com',
    'https://graph.microsoft.com',
    'api://AzureADTokenExchange',
  ],
  [
    'usgov',
    'https://login.microsoftonline.us',
    'https://graph.microsoft.us',
    'api://AzureADTokenExchangeUSGov',
  ],
  [
    'china',
    'https://login.partner.microsoftonline.cn',
    'https://microsoftgraph.chinacloudapi.cn',
    'api://AzureADTokenExchangeChina',
  ],
])('A29: cloud %s derives its addresses', (name, authorityHost, graphHost, tokenExchangeAudience) => {
  expect(findCloud(name)).toEqual({ name, authorityHost, graphHost, tokenExchangeAudience });
  expect(cloudNames).toContain(name);
});

test.each(['constructor', '__proto__', 'Public', ''])('%j is no cloud', (name) => {
  expect(findCloud(name)).toBeUndefined();
});

test('authority and discovery of a tenant', () => {
  expect(authorityUrl(host, tid.toUpperCase())).toBe(`${host}/${tid}`);
  expect(discoveryUrl(host, tid)).toBe(`${host}/${tid}/v2.0/.well-known/openid-configuration`);
});

test.each(['common', 'organizations', 'contoso.com', '', '../evil', `${tid}/x`, `${tid}\n`, `{${tid}}`])(
  '%j is no tenant id',
  (text) => {
    expect(isGuid(text)).toBe(false);
    expect(findTenantId(text)).toBeUndefined();
    expect(() => authorityUrl(host, text)).toThrow(RangeError);
  },
);

test.each([
  ['the issuer of an allowed tenant', `${host}/${tid}/v2.0`, tid, [otherTid, tid], undefined],
  ['an allow-list in upper case', `${host}/${tid}/v2.0`, tid, [tid.toUpperCase()], undefined],
  ['another tenant', `${host}/${otherTid}/v2.0`, otherTid, [tid], 'tenant-not-allowed'],
  ['nobody allowed', `${host}/${tid}/v2.0`, tid, [], 'tenant-not-allowed'],
  ['iss of another tenant', `${host}/${otherTid}/v2.0`, tid, [tid, otherTid], 'issuer-mismatch'],
  ['a v1 issuer', `https://sts.windows.net/${tid}/`, tid, [tid], 'issuer-mismatch'],
  ['a trailing slash', `${host}/${tid}/v2.0/`, tid, [tid], 'issuer-mismatch'],
  ['another cloud', `https://login.microsoftonline.us/${tid}/v2.0`, tid, [tid], 'issuer-mismatch'],
  ['the template', `${host}/{tenantid}/v2.0`, tid, [tid], 'issuer-mismatch'],
  ['upper case', `${host}/${tid.toUpperCase()}/v2.0`, tid.toUpperCase(), [tid], 'tenant-malformed'],
  ['no tenant', `${host}/common/v2.0`, 'common', ['common'], 'tenant-malformed'],
])('D1: checkIssuer: %s', (_name, iss, tenant, allowed, refusal) => {
  const result = checkIssuer(iss, tenant, host, allowed);
  expect(result).toEqual(refusal === undefined ? { ok: true, value: tenant } : { ok: false, error: refusal });
});

test('A24: the claims of a person', () => {
  const claims = {
    tid,
    oid,
    name: 'Ada',
    preferred_username: 'ada@contoso.com',
    roles: ['Snippets.Reader', 'Snippets.Reader'],
    groups: [otherTid],
    acrs: ['c1'],
    azp: 'client',
    scp: 'a b',
    sid: 's',
    nonce: 'n',
    email: 'ada@contoso.com',
  };
  expect(parseEntraClaims(claims)).toEqual({
    ok: true,
    value: {
      tenantId: tid,
      objectId: oid,
      displayName: 'Ada',
      username: 'ada@contoso.com',
      roles: ['Snippets.Reader'],
      groups: [otherTid],
      hasGroupOverage: false,
      scopes: ['a', 'b'],
      isAppOnly: false,
      isAgent: false,
      authenticationContexts: ['c1'],
      authorizedParty: 'client',
      entraSessionId: 's',
      nonce: 'n',
    },
  });
});

test('absent claims are absent, not undefined', () => {
  const parsed = parseEntraClaims({ tid: tid.toUpperCase(), oid });
  expect(parsed).toMatchObject({ ok: true, value: { tenantId: tid, roles: [], groups: [], scopes: [] } });
  expect(parsed.ok && Object.hasOwn(parsed.value, 'displayName')).toBe(false);
});

test.each([
  ['group overage', { _claim_names: { groups: 'src1' } }, { hasGroupOverage: true, groups: [] }],
  ['group overage, implicit flow', { hasgroups: true, groups: ['x'] }, { hasGroupOverage: true, groups: [] }],
  ['other distributed claims', { _claim_names: { roles: 'src1' } }, { hasGroupOverage: false }],
  ['an application', { idtyp: 'app' }, { isAppOnly: true }],
  ['a user token', { idtyp: 'user' }, { isAppOnly: false }],
  ['an agent', { xms_act_fct: '9 11' }, { isAgent: true }],
  ['an agent in a list', { xms_act_fct: [11] }, { isAgent: true }],
  ['no agent', { xms_act_fct: '111' }, { isAgent: false }],
  ['one authentication context', { acrs: 'c2' }, { authenticationContexts: ['c2'] }],
])('claims: %s', (_name, extra, expected) => {
  expect(parseEntraClaims({ tid, oid, ...extra })).toMatchObject({ ok: true, value: expected });
});

test.each<[string, unknown, RegExp]>([
  ['nothing', null, /object/],
  ['a list', [], /object/],
  ['no tenant', { oid }, /tid/],
  ['no person', { tid }, /oid/],
  ['an email as oid', { tid, oid: 'ada@contoso.com' }, /oid/],
  ['roles as text', { tid, oid, roles: 'Admin' }, /roles/],
  ['roles with a number', { tid, oid, roles: [1] }, /roles/],
  ['groups as an object', { tid, oid, groups: {} }, /groups/],
  ['a name that is no text', { tid, oid, name: 1 }, /name/],
  ['inherited claims', Object.create({ tid, oid }), /tid/],
])('A24: claims are refused: %s', (_name, claims, message) => {
  const parsed = parseEntraClaims(claims);
  expect(parsed.ok ? '' : parsed.error).toMatch(message);
});
