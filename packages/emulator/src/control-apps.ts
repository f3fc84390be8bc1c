/** What the control plane does to apps: redirect URIs, credentials, and who may use them. */
import { requireUser } from './control-users.ts';
import type { App, Directory } from './directory.ts';
import type { Realm } from './realm.ts';
import { checkRegistrable } from './redirect-uri.ts';
import type { AppSeed, FederatedCredential, Platform } from './seed.ts';

export interface AppControl {
  /** Registers a redirect URI; default platform `web`. @throws TypeError for one the portal would refuse */
  addRedirectUri(clientId: string, uri: string, platform?: Platform): void;
  removeRedirectUri(clientId: string, uri: string): void;
  /** Adds a client secret; `expiresAtMs` in milliseconds since the epoch, default never. */
  addSecret(clientId: string, value: string, expiresAtMs?: number): void;
  removeSecret(clientId: string, value: string): void;
  /** Registers a PEM certificate for client assertions. */
  addCertificate(clientId: string, certificatePem: string): void;
  removeCertificate(clientId: string, certificatePem: string): void;
  addFederatedCredential(clientId: string, credential: FederatedCredential): void;
  /** Removes those with this issuer and subject. */
  removeFederatedCredential(clientId: string, issuer: string, subject: string): void;
  /** The person's roles on this one app; `[]` is the default access assignment. */
  assignRoles(clientId: string, username: string, roles: readonly string[]): void;
  /** The person is not assigned to the app any more: AADSTS50105 where it asks for an assignment. */
  unassign(clientId: string, username: string): void;
}

export function createAppControl(realm: Realm): AppControl {
  const app = (clientId: string) => requireApp(realm.directory, clientId);
  return {
    addRedirectUri(clientId, uri, platform = 'web') {
      checkRegistrable(uri);
      app(clientId).redirectUris.push({ uri, platform });
    },
    removeRedirectUri: (clientId, uri) => removeAll(app(clientId).redirectUris, (each) => each.uri === uri),
    addSecret(clientId, value, expiresAtMs) {
      if (value === '') throw new TypeError('An empty text is no client secret');
      const added = expiresAtMs === undefined ? { value } : { value, expiresAtMs };
      changeApp(realm.directory, clientId, (seed) => ({ secrets: [...(seed.secrets ?? []), added] }));
    },
    removeSecret: (clientId, value) =>
      changeApp(realm.directory, clientId, (seed) => ({
        secrets: (seed.secrets ?? []).filter((each) => each.value !== value),
      })),
    addCertificate: (clientId, certificatePem) => void app(clientId).certificates.push(certificatePem),
    removeCertificate: (clientId, certificatePem) =>
      removeAll(app(clientId).certificates, (each) => each === certificatePem),
    addFederatedCredential: (clientId, credential) =>
      void app(clientId).federatedCredentials.push(credential),
    removeFederatedCredential: (clientId, issuer, subject) =>
      removeAll(
        app(clientId).federatedCredentials,
        (each) => each.issuer === issuer && each.subject === subject,
      ),
    assignRoles(clientId, username, roles) {
      const { seed } = app(clientId);
      const unknown = roles.find((role) => !seed.appRoles?.some((each) => each.value === role));
      if (unknown !== undefined) throw new RangeError(`${seed.displayName} has no role '${unknown}'`);
      requireUser(realm.directory, username).roles.set(seed.clientId, roles);
    },
    unassign(clientId, username) {
      requireUser(realm.directory, username).roles.delete(app(clientId).seed.clientId);
    },
  };
}

/** @throws RangeError when nothing is there to remove: a misspelt name must not pass for done */
function removeAll<T>(from: T[], isUnwanted: (item: T) => boolean): void {
  const kept = from.filter((item) => !isUnwanted(item));
  if (kept.length === from.length) throw new RangeError('The app has none like that');
  from.splice(0, from.length, ...kept);
}

/** Replaces seeded facts of one app, in every tenant that knows it. The seed itself is never written to. */
function changeApp(
  directory: Directory,
  clientId: string,
  change: (seed: AppSeed) => Partial<AppSeed>,
): void {
  const wanted = requireApp(directory, clientId).seed.clientId;
  const faces = directory.tenants
    .flatMap((tenant) => tenant.apps)
    .filter((each) => each.seed.clientId === wanted);
  for (const face of faces) (face as { seed: AppSeed }).seed = { ...face.seed, ...change(face.seed) };
}

function requireApp(directory: Directory, clientId: string): App {
  const app = directory.tenants
    .flatMap((tenant) => tenant.apps)
    .find((each) => each.seed.clientId === clientId.toLowerCase());
  if (app === undefined) throw new RangeError(`No app '${clientId}'`);
  return app;
}
