/**
 * The options of a server that guards itself (`@valetkey/express`): the sections of the gateway's file in the same
 * words, and one MCP endpoint in place of the backends.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { err, ok, type Result } from '@valetkey/core/base/result';
import type { BackendRules } from '@valetkey/core/policy/rules';
import * as z from 'zod';
import { buildEntraApp, buildFront, buildServer } from './build.ts';
import { text } from './checked-text.ts';
import type { EntraApp, EntraCredential, FrontConfig, ProtectedResource, ServerConfig } from './config.ts';
import { listCrossFaults } from './cross-rules.ts';
import { type ConfigFault, complain } from './fault.ts';
import { checkFederatedToken } from './load.ts';
import {
  type Resolved,
  resolvePath,
  resolveReferences,
  type Sections,
  type Surroundings,
} from './references.ts';
import { buildRules, listRuleFaults } from './rules.ts';
import { rulesShape } from './rules-schema.ts';
import { configSchema } from './schema.ts';
import { buildScopes, listScopeNames, scopesSchema } from './scopes.ts';
import { hideSecrets } from './secrets-in-code.ts';
import { listShapeFaults } from './shape-faults.ts';
import { keepSound, type Sound, wholeList } from './sound-parts.ts';
import { checkBackendPath } from './url-rules.ts';
import { checkRole } from './word-rules.ts';

/** For audit records, and for the scope that is there when none is named: `mcp.use`. */
const name = 'mcp';
const shared = configSchema.shape;
const path = text(checkBackendPath);

const entraDirect = z.strictObject({
  audience: z
    .array(z.string().min(1).max(255))
    .min(1)
    .optional()
    .describe(
      'Accepted `aud`: ids or App ID URIs of the API. Default: entra.clientId and the endpoint itself.',
    ),
  applications: z
    .enum(['deny', 'allow'])
    .default('deny')
    .describe('Tokens of applications without a person behind them, with their app roles.'),
  only: z
    .boolean()
    .default(false)
    .describe('No authorization server of our own, although there is a credential.'),
});

const ownServerSchema = z.strictObject({
  publicUrl: shared.publicUrl,
  allowedHosts: shared.allowedHosts,
  allowedOrigins: shared.allowedOrigins,
  trustedProxies: shared.trustedProxies,
  entra: shared.entra.extend({
    credential: shared.entra.shape.credential.optional(),
  }),
  store: shared.store,
  keys: shared.keys,
  clients: shared.clients,
  lifetimes: shared.lifetimes,
  streams: shared.streams,
  leaver: shared.leaver,
  limits: shared.limits,
  audit: shared.audit,
  path: path.default('/mcp').describe('Path of the MCP endpoint.'),
  title: z.string().min(1).max(200).default('this MCP server').describe('For people, on the consent page.'),
  scopes: scopesSchema,
  roles: z
    .array(text(checkRole))
    .min(1)
    .optional()
    .describe('At least one of these app roles is needed to use the server at all: short for enter.anyRole.'),
  ...rulesShape,
  legacySse: z
    .union([z.boolean(), z.strictObject({ sse: path.default('/sse'), message: path.default('/message') })])
    .default(false)
    .describe('The HTTP+SSE pair of 2024-11-05 beside the endpoint.'),
  entraDirect: z
    .union([z.boolean(), entraDirect])
    .default(false)
    .describe("Entra's own access tokens for this API are accepted."),
});

/** What can be written. */
export type OwnServerOptions = z.input<typeof ownServerSchema>;
type Own = z.output<typeof ownServerSchema>;

/** Complete: every default filled in, every reference resolved. */
export interface OwnServerConfig extends FrontConfig {
  /** The MCP endpoint. */
  readonly resource: ProtectedResource;
  /** The app registration, whichever way its people come in. */
  readonly app: EntraApp;
  /** Present: our own authorization server, with all that it needs. */
  readonly server?: ServerConfig;
  /** Present: Entra is an authorization server here, beside ours or alone. */
  readonly direct?: EntraDirectConfig;
  readonly legacySse?: { readonly resource: ProtectedResource; readonly messagePath: string };
}

export interface EntraDirectConfig extends EntraApp {
  /** With it an Entra token can be exchanged for one of another API. */
  readonly credential?: EntraCredential;
  readonly audience: readonly string[];
  readonly allowsApplications: boolean;
}

export interface OwnServerSurroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where relative paths start. Default: the working directory. */
  readonly baseDirectory?: string;
}

/** @returns the options, complete; or every fault at once, none of which repeats a secret. */
export function loadOwnServer(
  options: unknown,
  { env, baseDirectory = '.' }: OwnServerSurroundings,
): Result<OwnServerConfig, ConfigFault[]> {
  const hidden = hideSecrets(options);
  const surroundings: Surroundings = {
    baseDirectory: resolve(baseDirectory),
    env: { ...env, ...hidden.env },
    readFile: (file) => readFileSync(file, 'utf8'),
  };
  const shape = ownServerSchema.safeParse(hidden.options);
  const own: Sound<Own> = shape.success ? shape.data : (keepSound(ownServerSchema, hidden.options) ?? {});
  const sections = sectionsOf(own);
  const resolved = resolveReferences(sections, surroundings);
  const faults = [
    ...(shape.success ? [] : listShapeFaults(shape.error, ownServerSchema)),
    ...checkCredential(hidden.options),
    ...resolved.faults,
    ...checkFederatedToken(sections, surroundings),
    ...listCrossFaults(sections, resolved),
    ...listOwnFaults(own),
  ];
  if (!shape.success || faults.length > 0) return err(faults);
  return ok(build(shape.data, resolved, surroundings));
}

/** Those that a file has too, as it has them: there, a credential is a must. */
function sectionsOf(own: Sound<Own>): Sections {
  const { entra, ...rest } = own;
  const withCredential =
    entra === undefined ? {} : { entra: { ...entra, credential: entra.credential ?? {} } };
  return { ...rest, ...withCredential };
}

function listOwnFaults(own: Sound<Own>): ConfigFault[] {
  const tenant = own.entra?.tenant;
  const known = {
    scopes: listScopeNames(name, own),
    tenants: tenant === undefined ? undefined : wholeList([tenant].flat()),
  };
  return [...listRuleFaults(own, [], known), ...checkPaths(own)];
}

/** Looked at as it was written, so that it is found beside what else is wrong with `entra`. */
function checkCredential(options: unknown): ConfigFault[] {
  const { entra, entraDirect: direct = false } = (options ?? {}) as {
    readonly entra?: { readonly credential?: unknown } | null;
    readonly entraDirect?: unknown;
  };
  if (entra?.credential !== undefined || direct !== false) return [];
  return [
    {
      path: 'entra.credential',
      ...complain('is missing', 'Write how this server proves itself to Entra, or set entraDirect'),
    },
  ];
}

function checkPaths({ path: endpoint, legacySse }: Sound<Own>): ConfigFault[] {
  if (typeof legacySse !== 'object') return [];
  const paths = [endpoint, legacySse.sse, legacySse.message].flatMap((each) => each?.toLowerCase() ?? []);
  if (new Set(paths).size === paths.length) return [];
  return [{ path: 'legacySse', ...complain('shares a path', 'Give each of the three a path of its own') }];
}

function build(own: Own, resolved: Resolved, surroundings: Surroundings): OwnServerConfig {
  const { entra, entraDirect: direct } = own;
  const { credential } = entra;
  const server =
    credential === undefined
      ? undefined
      : buildServer({ ...own, entra: { ...entra, credential } }, resolved, surroundings);
  const { audience, applications, only } = typeof direct === 'boolean' ? plainDirect : direct;
  const resource = buildResource(own, own.path);
  const legacySse = own.legacySse === true ? { sse: '/sse', message: '/message' } : own.legacySse;
  return {
    ...buildFront(own, (file) => resolvePath(file, surroundings)),
    resource,
    app: buildEntraApp(entra, surroundings),
    ...(server === undefined || (direct !== false && only) ? {} : { server }),
    ...(legacySse === false
      ? {}
      : {
          legacySse: {
            resource: buildResource(own, legacySse.sse),
            messagePath: legacySse.message,
          },
        }),
    ...(direct === false
      ? {}
      : {
          direct: {
            ...buildEntraApp(entra, surroundings),
            ...(server === undefined ? {} : { credential: server.entra.credential }),
            audience: audience ?? [entra.clientId, resource.resource],
            allowsApplications: applications === 'allow',
          },
        }),
  };
}

const plainDirect = { audience: undefined, applications: 'deny', only: false } as const;

function buildResource(own: Own, at: string): ProtectedResource {
  const { publicUrl, title, scopes, roles } = own;
  const enter = roles === undefined ? own.enter : { ...own.enter, anyRole: roles };
  return {
    // One policy and one name in the audit for both ways in.
    name,
    path: at,
    resource: publicUrl + at,
    title,
    scopes: buildScopes(name, scopes, title),
    rules: buildRules({ ...own, enter }),
  };
}

/**
 * Rules that stand in code beside their tools, in the words of the configuration.
 * @returns every fault: a rule that was misspelled would leave its tool open.
 */
export function parseToolRules(
  tools: unknown,
  { scopes }: Pick<ProtectedResource, 'scopes'>,
): Result<BackendRules['tools'], ConfigFault[]> {
  const shape = toolRules.safeParse({ tools });
  if (!shape.success) return err(listShapeFaults(shape.error, toolRules));
  const file = allRules.parse({ tools });
  const faults = listRuleFaults(file, [], { scopes: scopes.map((scope) => scope.name) });
  return faults.length > 0 ? err(faults) : ok(buildRules(file).tools);
}

const allRules = z.object(rulesShape);
const toolRules = z.strictObject({ tools: rulesShape.tools });
