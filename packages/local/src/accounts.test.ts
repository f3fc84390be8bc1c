import type { AccountInfo } from '@azure/msal-node';
import { expect, test } from 'vitest';
import { findAccount, mustChoose } from './accounts.ts';

const account = (homeAccountId: string): AccountInfo => ({
  homeAccountId,
  environment: '',
  tenantId: 't',
  username: homeAccountId,
  localAccountId: homeAccountId,
});
const [rita, walt] = [account('rita'), account('walt')];

test.each([
  ['nobody', [], undefined, undefined],
  ['the only one', [rita], undefined, 'rita'],
  ['the chosen one', [rita, walt], 'walt', 'walt'],
  ['of several nobody', [rita, walt], undefined, undefined],
  ['of several none for one that has gone', [rita, walt], 'gus', undefined],
  ['after a sign-out nobody, though one is left', [rita], mustChoose, undefined],
])('D8: %s', (_name, accounts, chosen, expected) => {
  expect(findAccount(accounts, chosen)?.homeAccountId).toBe(expected);
});
