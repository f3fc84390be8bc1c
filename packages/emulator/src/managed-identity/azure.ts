/** What a process that runs in Azure finds around it, as environment variables and addresses that the SDKs read. */
import { findVault } from '../key-vault/key-vault.ts';
import type { Realm } from '../realm.ts';
import { APP_SERVICE_PATH } from './managed-identity.ts';
import {
  clusterIssuer,
  createServiceAccountToken,
  type ServiceAccount,
  type WorkloadIdentityOptions,
  writeWorkloadIdentityToken,
} from './workload-identity.ts';

export interface Azure {
  /** `IDENTITY_ENDPOINT` and `IDENTITY_HEADER`, as App Service and Functions set them. */
  appServiceEnvironment(): Readonly<Record<'IDENTITY_ENDPOINT' | 'IDENTITY_HEADER', string>>;
  /** Where the instance metadata service is, for SDKs that look elsewhere than 169.254.169.254. */
  imdsEnvironment(): Readonly<Record<'AZURE_POD_IDENTITY_AUTHORITY_HOST', string>>;
  /** Issuer of the service-account tokens; a federated credential of a seed writes `{cluster}` for it. */
  readonly clusterIssuer: string;
  /** A token as Kubernetes projects it. Default: the account the default seed's gateway app trusts. */
  createServiceAccountToken(account?: ServiceAccount): Promise<string>;
  /**
   * Writes that token where a pod finds it.
   *
   * @returns `AZURE_FEDERATED_TOKEN_FILE` and its companions, as the workload-identity webhook sets them
   */
  writeWorkloadIdentityToken(
    directory: string,
    options: WorkloadIdentityOptions,
  ): Promise<Readonly<Record<string, string>>>;
  /** Absent when the seed has no vault. The SDK needs `disableChallengeResourceVerification` for a name that is not Azure's. */
  readonly vaultUrl: string | undefined;
}

export function describeAzure(realm: Realm): Azure {
  return {
    appServiceEnvironment: () => ({
      IDENTITY_ENDPOINT: realm.httpOrigin + APP_SERVICE_PATH,
      IDENTITY_HEADER: realm.identityHeader,
    }),
    imdsEnvironment: () => ({ AZURE_POD_IDENTITY_AUTHORITY_HOST: realm.httpOrigin }),
    clusterIssuer: clusterIssuer(realm),
    createServiceAccountToken: (account) => createServiceAccountToken(realm, account),
    writeWorkloadIdentityToken: (directory, options) => writeWorkloadIdentityToken(realm, directory, options),
    vaultUrl: findVault(realm) === undefined ? undefined : realm.httpsOrigin,
  };
}
