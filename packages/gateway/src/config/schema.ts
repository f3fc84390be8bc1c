/**
 * The schema of the configuration file: shape, defaults and every rule that looks at one value. Rules between
 * values stand in `cross-rules.ts`. The JSON Schema for editors comes from here too.
 */
import * as z from 'zod';
import { text } from './checked-text.ts';
import { credentialSchema } from './backend-credential.ts';
import { listNamed, oneOf } from './one-of.ts';
import { kindShape } from './backend-kind.ts';
import { bounds, defaults } from './defaults.ts';
import { resilienceShape } from './resilience.ts';
import { rulesShape } from './rules-schema.ts';
import { scopesSchema } from './scopes.ts';
import { keysSchema, leaverSchema, lifetimesSchema, streamsSchema } from './sessions.ts';
import { accessLogSchema, telemetrySchema } from './telemetry.ts';
import {
  checkBackendPath,
  checkHostHeader,
  checkOrigin,
  checkRedirectUri,
  hostHeaderPattern,
} from './url-rules.ts';
import {
  checkBackendName,
  checkCidr,
  checkGuid,
  checkReference,
  checkStorePrefix,
  checkStoreUrl,
  checkTenant,
} from './word-rules.ts';

function whole(bound: { readonly min: number; readonly max: number }) {
  return z.int().min(bound.min).max(bound.max);
}

const notEmpty = z.string().min(1).max(200);
export const path = z.string().min(1).describe('Path of a file, relative to the configuration file.');
const reference = text(checkReference).describe(
  'Where the secret stands: env:NAME or file:./path. Never the secret.',
);
export const guid = text(checkGuid);
const redirectUri = text(checkRedirectUri);

const rateLimit = (standard: { readonly requests: number; readonly windowSeconds: number }) =>
  z
    .strictObject({
      requests: whole(bounds.requests).default(standard.requests),
      windowSeconds: whole(bounds.windowSeconds).default(standard.windowSeconds),
    })
    .describe('How many requests one address may send in a window.')
    .prefault({});

const credentialKinds = ['managedIdentity', 'workloadIdentity', 'certificate', 'secret'] as const;

const entraCredential = z
  .strictObject({
    managedIdentity: z
      .strictObject({ clientId: guid.describe('Client id of the user-assigned managed identity.') })
      .optional()
      .describe('Federated credential from a managed identity: no secret anywhere. Prefer it on Azure.'),
    workloadIdentity: z
      .strictObject({
        tokenFile: path.optional().describe('Default: the environment variable AZURE_FEDERATED_TOKEN_FILE.'),
      })
      .optional()
      .describe('Federated credential from a token file, as Kubernetes projects it.'),
    certificate: z
      .strictObject({ certificateFile: path, privateKeyFile: path })
      .optional()
      .describe('PEM files.'),
    secret: reference.optional(),
  })
  .refine((credential) => listNamed(credential, credentialKinds).length === 1, oneOf(credentialKinds))
  .describe('How the gateway proves itself to Entra: exactly one kind.');

const origin = text(checkOrigin);

export const cloud = z
  .union([
    z.enum(['public', 'usgov', 'china']),
    z.strictObject({
      authorityHost: origin,
      browserAuthorityHost: origin
        .optional()
        .describe('Where browsers reach the sign-in page, where that differs from authorityHost.'),
      graphHost: origin,
      tokenExchangeAudience: notEmpty.default('api://AzureADTokenExchange'),
    }),
  ])
  .default('public')
  .describe('The Microsoft cloud, or the hosts of another one such as the emulator.');

const entra = z.strictObject({
  cloud,
  tenant: z
    .union([text(checkTenant), z.array(text(checkTenant)).min(1)])
    .describe('Id of the tenant whose people may sign in, or a list of them.'),
  clientId: guid.describe('Application (client) id of the app registration.'),
  credential: entraCredential,
  scopes: z
    .array(notEmpty)
    .default([])
    .describe('Asked at sign-in beside openid, profile and offline_access.'),
  caFile: path.optional().describe('PEM file of an additional CA to trust for Entra.'),
});

const clients = z.strictObject({
  dynamicRegistration: z.boolean().default(true).describe('Registration at /register (RFC 7591).'),
  metadataDocuments: z
    .strictObject({
      enabled: z.boolean().default(true),
      allowHosts: z
        .array(notEmpty)
        .default([])
        .describe('Host names whose documents are accepted; empty: any.'),
      allowLoopback: z.boolean().default(false).describe('Development only; needs a publicUrl on loopback.'),
      caFile: path.optional(),
    })
    .describe('Clients whose id is the URL of their metadata document.')
    .prefault({}),
  redirectUris: z
    .array(redirectUri)
    .default([])
    .describe('Private-use redirect URIs to accept, compared exactly.'),
  preRegistered: z
    .array(
      z.strictObject({
        clientId: notEmpty,
        name: notEmpty,
        redirectUris: z.array(redirectUri).min(1),
        secret: reference.optional().describe('Present: a confidential client.'),
      }),
    )
    .default([]),
});

const limits = z.strictObject({
  register: rateLimit(defaults.register),
  authorize: rateLimit(defaults.authorize),
  consent: rateLimit(defaults.consent),
  token: rateLimit(defaults.token),
  mcpBodyBytes: whole(bounds.mcpBodyBytes).default(defaults.mcpBodyBytes),
  requestTimeoutMs: whole(bounds.requestTimeoutMs).default(defaults.requestTimeoutMs),
});

export const backendSchema = z.strictObject({
  path: text(checkBackendPath).describe('Path of the MCP endpoint at the gateway, such as /snippets/mcp.'),
  ...kindShape,
  title: notEmpty.optional().describe('For people, on the consent page. Default: the name of the backend.'),
  credential: credentialSchema,
  scopes: scopesSchema,
  ...rulesShape,
  ...resilienceShape,
});

export const configSchema = z.strictObject({
  publicUrl: origin.describe('Public origin of the gateway, without a trailing slash. It is the issuer.'),
  listen: z
    .strictObject({
      host: notEmpty.optional().describe(`Default: ${defaults.listenHost}.`),
      port: z
        .int()
        .min(0)
        .max(65_535)
        .optional()
        .describe(`Default: ${defaults.listenPort}; on loopback that of publicUrl.`),
    })
    .prefault({}),
  allowedHosts: z
    .array(text(checkHostHeader).meta({ pattern: hostHeaderPattern.source }))
    .default([])
    .describe('Values of the Host header to accept beside that of publicUrl: a proxy may send its own.'),
  allowedOrigins: z
    .union([z.literal('any'), z.array(text(checkOrigin))])
    .default('any')
    .describe(
      'Web origins whose pages may call MCP endpoints. On a loopback publicUrl, loopback pages only.',
    ),
  trustedProxies: z
    .array(text(checkCidr))
    .default([])
    .describe('Address ranges of proxies whose X-Forwarded-For is believed.'),
  entra,
  store: z
    .union([
      text(checkStoreUrl),
      z.strictObject({
        url: text(checkStoreUrl).describe('The address, as it would stand alone.'),
        username: notEmpty.optional().describe('Where it does not stand in the address.'),
        password: reference.optional(),
        sentinelPassword: reference.optional().describe('Where the sentinels ask for a password too.'),
        caFile: path.optional().describe('PEM file of an additional CA to trust for the store.'),
        prefix: text(checkStorePrefix)
          .optional()
          .describe(`First part of every Redis key. Default: ${defaults.redisPrefix}.`),
      }),
    ])
    .default(defaults.store)
    .describe(
      'Where state is kept: sqlite:./file, sqlite::memory:, redis:// or rediss://host:6379, ' +
        'redis+sentinel://host:26379,host:26379/name, redis+cluster://host:6379,host:6379, ' +
        'postgres://user@host:5432/database; or env:NAME or file:./path that holds such an address.',
    ),
  keys: keysSchema
    .describe(
      'The key ring that seals the store and signs tokens: a file, a variable, or a file wrapped by Key Vault.',
    )
    .prefault({}),
  clients: clients.prefault({}),
  lifetimes: lifetimesSchema.prefault({}),
  streams: streamsSchema.prefault({}),
  leaver: leaverSchema.prefault({}).describe('What happens when a person leaves, or loses a role.'),
  limits: limits.prefault({}),
  audit: z
    .strictObject({
      stdout: z.boolean().default(true).describe('One JSON line per record.'),
      file: path.optional().describe('A file to append the records to.'),
      onOverflow: z
        .enum(['drop', 'refuse'])
        .default('drop')
        .describe(
          'While records cannot be written and the queue is full: drop counts and announces what is lost; refuse answers 503 to all that would be recorded.',
        ),
      maxQueuedRecords: whole(bounds.maxQueuedRecords)
        .default(defaults.maxQueuedRecords)
        .describe('Records that wait in memory to be written.'),
      maxQueuedBytes: whole(bounds.maxQueuedBytes)
        .default(defaults.maxQueuedBytes)
        .describe('Their bytes at most.'),
    })
    .prefault({}),
  telemetry: telemetrySchema
    .prefault({})
    .describe('Metrics and traces by OpenTelemetry. Other OTEL_* variables are honoured as its SDK does.'),
  accessLog: accessLogSchema,
  backends: z
    .record(text(checkBackendName), backendSchema)
    .refine((map) => Object.keys(map).length > 0, {
      message: 'names no backend',
      params: { remedy: 'Add at least one: a name with path and upstream, or path and command' },
    })
    .describe('The MCP servers behind the gateway, by name.'),
});

export type ConfigFile = z.output<typeof configSchema>;
export type BackendFile = z.output<typeof backendSchema>;
