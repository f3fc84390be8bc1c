/**
 * Room `config`: the one configuration, parsed and complete. Every default is filled in, every reference
 * (`env:`, `file:`) resolved, so nobody behind it looks at the environment.
 */
import type { Secret } from '@valetkey/core/base/secret';
import type { BackendRules } from '@valetkey/core/policy/rules';

/** The whole gateway. */
export interface Config extends ServerConfig {
  readonly listen: { readonly host: string; readonly port: number };
  readonly backends: readonly AnyBackendConfig[];
  /** Undefined: nothing is measured, and nothing of OpenTelemetry is loaded. */
  readonly telemetry?: TelemetryConfig;
  /** Undefined: there is none. */
  readonly accessLog?: AccessLogConfig;
}

export interface TelemetryConfig {
  /** `service.name` of the resource. */
  readonly serviceName: string;
  readonly metrics: {
    /** A listener of its own; port 0: any free one. */
    readonly prometheus?: { readonly host: string; readonly port: number };
    readonly otlp?: OtlpConfig & { readonly intervalSeconds: number };
  };
  readonly traces?: {
    readonly otlp: OtlpConfig;
    /** From 0 to 1: the part of requests that is traced. */
    readonly sampleRatio: number;
    /** The caller's `traceparent` decides instead, where there is one. */
    readonly parentBased: boolean;
    /** How long finished spans wait for others. */
    readonly delayMs: number;
  };
}

/** Headers, compression, time-out and certificates come from the `OTEL_EXPORTER_OTLP_*` variables. */
export interface OtlpConfig {
  /** Base address; undefined: by `OTEL_EXPORTER_OTLP_ENDPOINT` or its default. */
  readonly endpoint?: string;
}

/** No `file`: standard output. */
export interface AccessLogConfig {
  readonly file?: string;
}

/** What every server needs, also one that issues nothing itself. */
export interface FrontConfig {
  /** Public origin, without a trailing slash: the issuer, byte for byte. `https`, or `http` on loopback only. */
  readonly publicUrl: string;
  /** CIDR ranges of proxies whose `X-Forwarded-For` is believed. */
  readonly trustedProxies: readonly string[];
  /** Values of `Host` accepted beside that of `publicUrl`, for a proxy that does not pass the original on. */
  readonly allowedHosts: readonly string[];
  /** Web origins whose pages may call the MCP endpoints; `any`: all, since a bearer token is needed anyway. */
  readonly allowedOrigins: 'any' | readonly string[];
  readonly limits: Limits;
  readonly audit: AuditConfig;
}

/** What signs people in and knows their tokens again, whatever is served behind it. */
export interface ServerConfig extends FrontConfig {
  readonly entra: EntraConfig;
  readonly store: StoreConfig;
  readonly keys: KeysConfig;
  readonly clients: ClientsConfig;
  readonly lifetimes: Lifetimes;
  readonly streams: {
    /** Cut an event stream when the access token it was opened with expires. */
    readonly cutAtExpiry: boolean;
    /** A comment is sent on an event stream that has been silent for this long; 0: never. */
    readonly keepAliveSeconds: number;
  };
  readonly leaver: LeaverConfig;
}

export interface EntraConfig extends EntraApp {
  readonly credential: EntraCredential;
}

/** An app registration, as far as it is no secret. */
export interface EntraApp {
  readonly cloud: CloudConfig;
  /** Tenant ids (GUID). More than one: a multi-tenant app, limited to these. */
  readonly tenants: readonly string[];
  readonly clientId: string;
  /** Scopes asked at sign-in beside `openid profile offline_access`. */
  readonly scopes: readonly string[];
  /** PEM file of an additional trusted CA for the authority: the emulator's, or a corporate proxy's. */
  readonly caFile?: string;
}

export interface CloudConfig {
  readonly name: 'public' | 'usgov' | 'china' | 'custom';
  /** Origin of the authority, such as `https://login.microsoftonline.com`. */
  readonly authorityHost: string;
  /** Origin of Microsoft Graph. */
  readonly graphHost: string;
  /** Audience of federated credentials. */
  readonly tokenExchangeAudience: string;
  /**
   * Origin at which browsers reach the authority's sign-in page, where it differs from `authorityHost`: the
   * emulator serves it over plain http too, so that no browser has to trust its certificate.
   */
  readonly browserAuthorityHost?: string;
}

export type EntraCredential =
  | { readonly kind: 'secret'; readonly secret: Secret }
  | { readonly kind: 'certificate'; readonly certificatePem: string; readonly privateKeyPem: Secret }
  | { readonly kind: 'managedIdentity'; readonly clientId: string }
  | { readonly kind: 'workloadIdentity'; readonly tokenFile: string };

export type StoreConfig = SqliteStoreConfig | RedisStoreConfig | PostgresStoreConfig;

export interface SqliteStoreConfig {
  readonly driver: 'sqlite';
  /** `:memory:` for a store that ends with the process. */
  readonly path: string;
}

export interface RedisStoreConfig extends StoreServerConfig {
  readonly driver: 'redis';
  readonly topology: 'single' | 'sentinel' | 'cluster';
  /** One server; or some of the sentinels, or some nodes of the cluster, from which the others are found. */
  readonly hosts: readonly { readonly host: string; readonly port: number }[];
  /** The name that the sentinels watch; with `topology: sentinel` only. */
  readonly masterName?: string;
  readonly sentinelPassword?: Secret;
  readonly database: number;
  /** First part of every key, between braces: the hash tag that keeps all of them in one slot. */
  readonly prefix: string;
}

export interface PostgresStoreConfig extends StoreServerConfig {
  readonly driver: 'postgres';
  readonly host: string;
  readonly port: number;
  readonly database: string;
}

interface StoreServerConfig {
  readonly username?: string;
  readonly password?: Secret;
  /** Encrypted, with the server's certificate and name checked; false: plain. */
  readonly tls: boolean;
  /** PEM of an additional CA to trust. */
  readonly caPem?: string;
}

export interface ClientsConfig {
  /** RFC 7591 registration at `/register`. */
  readonly dynamicRegistration: boolean;
  readonly metadataDocuments: {
    readonly enabled: boolean;
    /** Host names whose documents are accepted; empty: any host. */
    readonly allowHosts: readonly string[];
    /** Development only: documents on loopback and plain addresses. Refused unless `publicUrl` is loopback. */
    readonly allowLoopback: boolean;
    readonly caFile?: string;
  };
  /** Private-use redirect URIs accepted beside those that ship with the product, compared exactly. */
  readonly redirectUris: readonly string[];
  readonly preRegistered: readonly PreRegisteredClient[];
}

export interface PreRegisteredClient {
  readonly clientId: string;
  readonly name: string;
  readonly redirectUris: readonly string[];
  /** Present: a confidential client (`client_secret_basic` and `client_secret_post`). */
  readonly secret?: Secret;
}

/** Where the key ring is kept. */
export type KeysConfig =
  | { readonly kind: 'file'; readonly file: string }
  | { readonly kind: 'environment'; readonly variable: string; readonly json: Secret }
  | {
      readonly kind: 'keyVault';
      readonly file: string;
      /** `https://VAULT/keys/NAME`, with a version or without. */
      readonly keyUrl: string;
      /** Client id of a managed identity; undefined: the credential of `entra`. */
      readonly managedIdentity?: string;
    };

export interface LeaverConfig {
  /** How soon a person whom Entra lets in no more loses access; 0: at the next refresh only. */
  readonly checkSeconds: number;
  /** Follow Microsoft Graph `users/delta` too. */
  readonly graph: boolean;
}

export interface AuditConfig {
  readonly stdout: boolean;
  readonly file?: string;
  /** What happens while records cannot be written and the queue is full. Default: `drop`. */
  readonly onOverflow?: 'drop' | 'refuse';
  /** Of each sink; undefined: those of `line-sink.ts`. */
  readonly maxQueuedRecords?: number;
  readonly maxQueuedBytes?: number;
}

/** All in seconds. */
export interface Lifetimes {
  readonly accessTokenSeconds: number;
  /** Sliding: from the last refresh. */
  readonly refreshTokenSeconds: number;
  /** Absolute: from the sign-in. */
  readonly sessionSeconds: number;
  /** How long the same refresh, sent again, gets the same answer; 0: not at all. */
  readonly refreshReplaySeconds: number;
  /** From the last token of a dynamically registered client; 0: kept. */
  readonly registrationSeconds: number;
  /** How long tokens are honoured while the store cannot be asked about revocations. */
  readonly storeOutageSeconds: number;
  readonly authorizationCodeSeconds: number;
  /** From `/authorize` to the end of the callback. */
  readonly signInSeconds: number;
  readonly consentSeconds: number;
  /** How long a Deny is remembered; 0: not at all. */
  readonly denialSeconds: number;
}

export interface RateLimit {
  readonly requests: number;
  readonly windowSeconds: number;
}

export interface Limits {
  readonly register: RateLimit;
  readonly authorize: RateLimit;
  readonly consent: RateLimit;
  readonly token: RateLimit;
  /** Largest MCP request body, in bytes. */
  readonly mcpBodyBytes: number;
  /** Time for a request's headers and body to arrive. */
  readonly requestTimeoutMs: number;
}

export interface ResourceScope {
  readonly name: string;
  /** A plain sentence. */
  readonly description: string;
  /** Scopes of Entra's that the server needs for it: asked at the sign-in of whoever asks for this one. */
  readonly entra?: readonly string[];
}

/** What access tokens are made for: one MCP endpoint, with its scopes and rules. */
export interface ProtectedResource {
  /** The key in the configuration file: `snippets`. */
  readonly name: string;
  /** Path of the MCP endpoint at the gateway: `/snippets/mcp`. */
  readonly path: string;
  /** The protected resource identifier (RFC 8707, RFC 9728): `publicUrl` + `path`. */
  readonly resource: string;
  readonly title: string;
  /** Scopes of this resource with a plain sentence each for the consent page. */
  readonly scopes: readonly ResourceScope[];
  readonly rules: BackendRules;
}

export type BackendCredentialConfig =
  /** A fixed secret. `header` in small letters. */
  | { readonly kind: 'header'; readonly header: string; readonly value: Secret }
  /** A bearer token of the gateway's managed identity for `resource`. */
  | { readonly kind: 'managedIdentity'; readonly resource: string; readonly clientId?: string }
  /** The person's own token for the API that `scopes` belong to. */
  | {
      readonly kind: 'entra';
      readonly scopes: readonly string[];
      readonly flow: 'refresh' | 'onBehalfOf';
    }
  /** The signed identity; `header` in small letters, with `authorization` as a bearer token. */
  | { readonly kind: 'identityJwt'; readonly header: string };

/** A protected resource that is served behind the gateway. */
export type AnyBackendConfig = BackendConfig | StdioBackendConfig;

interface BehindTheGateway extends ProtectedResource {
  readonly timeouts: BackendTimeouts;
  readonly capacity: BackendCapacity;
  readonly circuit: CircuitConfig;
  /** Addresses for clients of revision 2024-11-05; undefined: none. */
  readonly legacySse?: LegacySseConfig;
}

/** Served by another server. */
export interface BackendConfig extends BehindTheGateway {
  /** The backend's own MCP endpoint. */
  readonly upstream: string;
  /** `sse`: the HTTP+SSE of revision 2024-11-05, and `upstream` is where its stream opens. Undefined: Streamable HTTP. */
  readonly transport?: 'sse';
  /** How the gateway proves itself there; undefined: not at all. */
  readonly credential?: BackendCredentialConfig;
  readonly health?: HealthConfig;
  readonly process?: undefined;
}

/** Served by a command on this machine. */
export interface StdioBackendConfig extends BehindTheGateway {
  readonly process: ProcessConfig;
  readonly upstream?: undefined;
  readonly credential?: undefined;
  readonly health?: undefined;
}

export interface ProcessConfig {
  /** A name to be looked for in PATH, or an absolute path. No shell reads it. */
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** The whole environment is these two. */
  readonly inherited: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, Secret>>;
  readonly mode: 'perSession' | 'shared';
  /** How it is told who is calling. */
  readonly identity: 'meta' | 'environment' | 'none';
  readonly idleSeconds: number;
  readonly maxProcesses: number;
  readonly maxMessageBytes: number;
}

/** Paths at the gateway. */
export interface LegacySseConfig {
  /** Where the stream opens; may be that of the backend itself. */
  readonly sse: string;
  /** Where messages are sent. */
  readonly message: string;
}

export interface BackendTimeouts {
  readonly connectMs: number;
  /** From the request to the first byte of the answer. */
  readonly firstByteMs: number;
  /** Longest silence within an answer that is no event stream; undefined: any. */
  readonly idleMs?: number;
}

/** Of one gateway process. Undefined: any number. */
export interface BackendCapacity {
  /** Requests under way, open streams apart. */
  readonly maxConcurrent?: number;
  /** Requests that wait for one of those to end. */
  readonly maxQueued: number;
  readonly queueMs: number;
  /** Open streams: GET, `subscriptions/listen`. */
  readonly maxStreams?: number;
}

export interface CircuitConfig {
  /** Requests in a row without an answer; 0: it never opens. */
  readonly failures: number;
  readonly openSeconds: number;
}

export interface HealthConfig {
  /** At the server of `upstream`; undefined: an MCP ping at `upstream` itself. */
  readonly path?: string;
  readonly intervalSeconds: number;
}
