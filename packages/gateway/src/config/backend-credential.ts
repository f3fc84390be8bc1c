/** `credential` of a backend: how the gateway proves itself there, or who is calling. Exactly one kind. */
import * as z from 'zod';
import { text } from './checked-text.ts';
import type { BackendCredentialConfig, ResourceScope } from './config.ts';
import { type ConfigFault, describePath } from './fault.ts';
import { listNamed, oneOf } from './one-of.ts';
import type { Resolved } from './references.ts';
import type { Sound } from './sound-parts.ts';
import { secretOfBackend } from './unread.ts';
import {
  checkApiScope,
  checkCredentialHeader,
  checkGuid,
  checkIdentityHeader,
  checkReference,
  checkResourceName,
} from './word-rules.ts';

const kinds = ['header', 'managedIdentity', 'entra', 'identityJwt'] as const;

const headerShape = {
  header: text(checkCredentialHeader)
    .optional()
    .describe('A header with a fixed secret, such as x-functions-key.'),
  value: text(checkReference)
    .optional()
    .describe('Where its value stands: env:NAME or file:./path. Never the secret.'),
};

const managedIdentity = z
  .strictObject({
    resource: text(checkResourceName)
      .optional()
      .describe('App ID URI or client id of the API that the backend is registered as.'),
    scope: text(checkResourceName).optional().describe('The same written as a scope: <resource>/.default.'),
    clientId: text(checkGuid)
      .optional()
      .describe('Of a user-assigned identity. Default: the one of the machine or app itself.'),
  })
  .superRefine((identity, context) => {
    if ((identity.resource === undefined) !== (identity.scope === undefined)) return;
    complain(context, 'names not exactly one of resource and scope', 'Write one of them');
  })
  .describe('A bearer token of a managed identity: the backend sees the gateway, and no secret exists.');

const entra = z
  .strictObject({
    scopes: z.array(text(checkApiScope)).min(1).describe('Of one API, such as api://payroll/payroll.read.'),
    flow: z
      .enum(['refresh', 'onBehalfOf'])
      .default('refresh')
      .describe('How the token is had: with the refresh token of the sign-in, or on behalf of.'),
  })
  .describe("The person's own token for the API that the backend is registered as, as its bearer token.");

const identityJwt = z
  .strictObject({
    header: text(checkIdentityHeader)
      .default('authorization')
      .describe('`authorization`: as a bearer token. Another one: the JWT alone.'),
  })
  .describe('The signed identity of the caller, which X-Valetkey-Identity carries in any case.');

export const credentialSchema = z
  .union([
    z.literal('none'),
    z
      .strictObject({
        ...headerShape,
        managedIdentity: managedIdentity.optional(),
        entra: entra.optional(),
        identityJwt: identityJwt.optional(),
      })
      .refine((credential) => listNamed(credential, kinds).length === 1, oneOf(kinds))
      .superRefine((credential, context) => {
        if ((credential.header === undefined) !== (credential.value === undefined))
          complain(context, 'has only one of header and value', 'Write both, or another kind of credential');
      }),
  ])
  .default('none')
  .describe('How the gateway proves itself to the backend: exactly one kind. Default: none.');

type CredentialFile = z.output<typeof credentialSchema>;

function complain(context: z.RefinementCtx, message: string, remedy: string): void {
  context.addIssue({ code: 'custom', message, params: { remedy } });
}

/** The reference to its secret, where it has one. */
export function credentialReference(credential: Sound<CredentialFile> | undefined): string | undefined {
  return credential === 'none' ? undefined : credential?.value;
}

/** @param credential free of faults. */
export function buildBackendCredential(
  name: string,
  credential: CredentialFile,
  resolved: Resolved,
): BackendCredentialConfig | undefined {
  if (credential === 'none') return undefined;
  if (credential.managedIdentity !== undefined) {
    const { resource, scope, clientId } = credential.managedIdentity;
    return {
      kind: 'managedIdentity',
      resource: resource ?? scope?.replace(/\/\.default$/, '') ?? '',
      ...(clientId === undefined ? {} : { clientId }),
    };
  }
  if (credential.entra !== undefined) return { kind: 'entra', ...credential.entra };
  if (credential.identityJwt !== undefined) {
    return { kind: 'identityJwt', header: credential.identityJwt.header.toLowerCase() };
  }
  const { header = '' } = credential;
  const value = secretOfBackend(resolved, describePath(['backends', name, 'credential', 'value']));
  return { kind: 'header', header: header.toLowerCase(), value };
}

/** Whoever may use the backend consents, when they sign in, to what it is called with. */
export function withCredentialScopes(
  scopes: readonly ResourceScope[],
  credential: BackendCredentialConfig | undefined,
): readonly ResourceScope[] {
  if (credential?.kind !== 'entra') return scopes;
  return scopes.map((scope) => ({
    ...scope,
    entra: [...new Set([...(scope.entra ?? []), ...credential.scopes])],
  }));
}

/**
 * One token is for one API (Entra: AADSTS28000). `<resource>/.default` stands for all that is configured, and Entra
 * takes it beside no scope of another API (AADSTS70011), so at a sign-in that asks for more it would fail.
 */
export function checkCredentialScopes(
  name: string,
  credential: Sound<CredentialFile> | undefined,
  signInScopes: readonly unknown[],
): ConfigFault[] {
  if (credential === 'none') return [];
  const scopes = credential?.entra?.scopes?.filter((scope) => scope !== undefined) ?? [];
  const path = describePath(['backends', name, 'credential', 'entra', 'scopes']);
  const faults: ConfigFault[] = [];
  if (new Set(scopes.map(resourceOf)).size > 1) {
    faults.push({
      path,
      problem: 'are of several APIs',
      remedy: 'Name the scopes of one API: one token is for one',
    });
  }
  if (scopes.some((scope) => scope.endsWith('/.default')) && signInScopes.length + scopes.length > 1) {
    faults.push({
      path,
      problem: 'ask for .default beside other scopes, which Entra refuses at the sign-in',
      remedy: 'Name the scopes one by one, such as api://payroll/payroll.read',
    });
  }
  return faults;
}

/** A bare scope is one of Microsoft Graph's. */
function resourceOf(scope: string): string {
  return scope.slice(0, Math.max(0, scope.lastIndexOf('/')));
}
