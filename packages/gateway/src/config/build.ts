/** From the file as written to the configuration as used: defaults that depend on other values, references, paths. */
import { Secret } from '@valetkey/core/base/secret';
import type {
  AuditConfig,
  AnyBackendConfig,
  CircuitConfig,
  ClientsConfig,
  CloudConfig,
  Config,
  EntraApp,
  EntraCredential,
  FrontConfig,
  ProcessConfig,
  ServerConfig,
} from './config.ts';
import { buildBackendCredential, withCredentialScopes } from './backend-credential.ts';
import { buildLegacySse } from './backend-kind.ts';
import { clouds, defaults } from './defaults.ts';
import { buildProcess } from './process-config.ts';
import { type Resolved, resolvePath, type Surroundings } from './references.ts';
import { buildResilience } from './resilience.ts';
import { buildRules } from './rules.ts';
import type { BackendFile, ConfigFile } from './schema.ts';
import { buildScopes } from './scopes.ts';
import { buildKeys } from './sessions.ts';
import { buildStore } from './store.ts';
import { buildAccessLog, buildTelemetry } from './telemetry.ts';
import { readPart } from './unread.ts';
import { isLoopbackUrl } from './url-rules.ts';

/** @param file free of faults; @param resolved with every reference of the sections that are to be used. */
export function buildConfig(file: ConfigFile, resolved: Resolved, surroundings: Surroundings): Config {
  return {
    ...buildServer(file, resolved, surroundings),
    listen: buildListen(file),
    ...buildSeeing(file, surroundings),
    backends: Object.entries(file.backends).map(([name, backend]) =>
      buildBackend(name, backend, file.publicUrl, { resolved, surroundings }),
    ),
  };
}

function buildSeeing(file: ConfigFile, surroundings: Surroundings): Pick<Config, 'telemetry' | 'accessLog'> {
  const telemetry = buildTelemetry(file.telemetry, surroundings.env);
  const accessLog = buildAccessLog(file.accessLog, surroundings);
  return {
    ...(telemetry === undefined ? {} : { telemetry }),
    ...(accessLog === undefined ? {} : { accessLog }),
  };
}

/** All that does not depend on what is served behind it: also of a server that guards itself (`own-server.ts`). */
export function buildServer(
  file: Omit<ConfigFile, 'listen' | 'backends' | 'telemetry' | 'accessLog'>,
  resolved: Resolved,
  surroundings: Surroundings,
): ServerConfig {
  const at = (path: string) => resolvePath(path, surroundings);
  return {
    ...buildFront(file, at),
    entra: {
      ...buildEntraApp(file.entra, surroundings),
      credential: readPart(resolved, ['entra', 'entra.credential'], () =>
        buildCredential(file.entra.credential, resolved, surroundings),
      ),
    },
    store: readPart(resolved, ['store', 'store'], () => buildStore(file.store, resolved, surroundings)),
    keys: readPart(resolved, ['keys', 'keys'], () => buildKeys(file.keys, resolved, surroundings)),
    clients: readPart(resolved, ['clients', 'clients'], () => buildClients(file.clients, resolved, at)),
    lifetimes: file.lifetimes,
    streams: file.streams,
    leaver: file.leaver,
  };
}

/** What a server needs that issues nothing itself. */
export function buildFront(file: FrontFile, at: (path: string) => string): FrontConfig {
  return {
    publicUrl: file.publicUrl,
    trustedProxies: file.trustedProxies.map(withPrefix),
    allowedHosts: file.allowedHosts,
    allowedOrigins: file.allowedOrigins,
    limits: file.limits,
    audit: buildAudit(file.audit, at),
  };
}

type FrontFile = Pick<
  ConfigFile,
  'publicUrl' | 'trustedProxies' | 'allowedHosts' | 'allowedOrigins' | 'limits' | 'audit'
>;

/** On loopback the gateway is its own front door, so it listens where `publicUrl` points. */
function buildListen({ publicUrl, listen }: ConfigFile): Config['listen'] {
  const url = new URL(publicUrl);
  const loopback = isLoopbackUrl(publicUrl) && url.port !== '';
  const ownHost = url.hostname === 'localhost' ? defaults.listenHost : url.hostname.replaceAll(/[[\]]/g, '');
  return {
    host: listen.host ?? (loopback ? ownHost : defaults.listenHost),
    port: listen.port ?? (loopback ? Number(url.port) : defaults.listenPort),
  };
}

function buildAudit({ file, ...audit }: ConfigFile['audit'], at: (path: string) => string): AuditConfig {
  return file === undefined ? audit : { ...audit, file: at(file) };
}

function withPrefix(range: string): string {
  if (range.includes('/')) return range;
  return range.includes(':') ? `${range}/128` : `${range}/32`;
}

export function buildEntraApp(
  entra: Omit<ConfigFile['entra'], 'credential'>,
  surroundings: Surroundings,
): EntraApp {
  return {
    cloud: buildCloud(entra.cloud),
    tenants: [...new Set([entra.tenant].flat())],
    clientId: entra.clientId,
    scopes: entra.scopes,
    ...(entra.caFile === undefined ? {} : { caFile: resolvePath(entra.caFile, surroundings) }),
  };
}

function buildCloud(cloud: ConfigFile['entra']['cloud']): CloudConfig {
  if (typeof cloud === 'string') return { name: cloud, ...clouds[cloud] };
  const { browserAuthorityHost, ...hosts } = cloud;
  return {
    name: 'custom',
    ...hosts,
    ...(browserAuthorityHost === undefined ? {} : { browserAuthorityHost }),
  };
}

function buildCredential(
  credential: ConfigFile['entra']['credential'],
  resolved: Resolved,
  surroundings: Surroundings,
): EntraCredential {
  if (credential.managedIdentity !== undefined) {
    return { kind: 'managedIdentity', clientId: credential.managedIdentity.clientId };
  }
  if (credential.workloadIdentity !== undefined) {
    const tokenFile = credential.workloadIdentity.tokenFile ?? surroundings.env[federatedTokenVariable] ?? '';
    return { kind: 'workloadIdentity', tokenFile: resolvePath(tokenFile, surroundings) };
  }
  if (credential.certificate !== undefined) {
    return {
      kind: 'certificate',
      certificatePem: need(resolved, 'entra.credential.certificate.certificateFile'),
      privateKeyPem: new Secret(need(resolved, 'entra.credential.certificate.privateKeyFile')),
    };
  }
  return { kind: 'secret', secret: new Secret(need(resolved, 'entra.credential.secret')) };
}

/** Set by the Azure workload identity webhook in every pod that uses it. */
export const federatedTokenVariable = 'AZURE_FEDERATED_TOKEN_FILE';

function buildClients(
  clients: ConfigFile['clients'],
  resolved: Resolved,
  at: (path: string) => string,
): ClientsConfig {
  const { caFile, ...documents } = clients.metadataDocuments;
  return {
    dynamicRegistration: clients.dynamicRegistration,
    metadataDocuments: {
      ...documents,
      allowHosts: documents.allowHosts.map((host) => host.toLowerCase()),
      ...(caFile === undefined ? {} : { caFile: at(caFile) }),
    },
    redirectUris: clients.redirectUris,
    preRegistered: clients.preRegistered.map(({ secret, ...client }, index) => ({
      ...client,
      ...(secret === undefined
        ? {}
        : { secret: new Secret(need(resolved, `clients.preRegistered[${index}].secret`)) }),
    })),
  };
}

function buildBackend(
  name: string,
  backend: BackendFile,
  publicUrl: string,
  { resolved, surroundings }: { resolved: Resolved; surroundings: Surroundings },
): AnyBackendConfig {
  const { title = name } = backend;
  const credential = buildBackendCredential(name, backend.credential, resolved);
  const { health, ...resilience } = buildResilience(backend);
  const common = {
    name,
    path: backend.path,
    resource: publicUrl + backend.path,
    title,
    scopes: withCredentialScopes(buildScopes(name, backend.scopes, title), credential),
    rules: buildRules(backend),
    ...resilience,
    ...buildLegacySse(backend),
  };
  const process = buildProcess(name, backend, resolved, surroundings);
  if (process !== undefined) return { ...common, process, circuit: circuitOf(process, common.circuit) };
  return {
    ...common,
    upstream: backend.upstream ?? '',
    ...(backend.transport === 'sse' ? { transport: 'sse' as const } : {}),
    ...(credential === undefined ? {} : { credential }),
    ...(health === undefined ? {} : { health }),
  };
}

/** A process for each session has its own troubles, and one person's must not shut all others out. */
function circuitOf({ mode }: ProcessConfig, circuit: CircuitConfig): CircuitConfig {
  return mode === 'shared' ? circuit : { ...circuit, failures: 0 };
}

function need({ values }: Resolved, path: string): string {
  const value = values.get(path);
  if (value === undefined) throw new TypeError(`unresolved reference at ${path}`);
  return value;
}
