import type { AccountInfo } from '@azure/msal-node';

/** Somebody who is signed in here. */
export interface Account {
  /** Chooses it: `switchAccount(homeAccountId)`. */
  readonly homeAccountId: string;
  readonly tenantId: string;
  readonly objectId: string;
  /** For people to read, as in a menu; not for logs. */
  readonly username: string;
  /** The one in use. */
  readonly isChosen: boolean;
}

/** Stands where a chosen account would: after a sign-out nobody is taken because nobody else is left. */
export const mustChoose = '';

export function describeAccount(account: AccountInfo, chosen: string | undefined): Account {
  return {
    homeAccountId: account.homeAccountId,
    tenantId: account.tenantId,
    objectId: account.localAccountId,
    username: account.username,
    isChosen: account.homeAccountId === chosen,
  };
}

/** The account to use: the chosen one, else the only one. Of several it is nobody's business to guess (D8). */
export function findAccount(
  accounts: readonly AccountInfo[],
  chosen: string | undefined,
): AccountInfo | undefined {
  if (chosen === mustChoose) return undefined;
  const found = accounts.find((account) => account.homeAccountId === chosen);
  return found ?? (accounts.length === 1 ? accounts[0] : undefined);
}
