/**
 * Every room of the house: what it is for, and which other rooms it may import. A room is a folder or a file below
 * `src`; the longest name that fits a file decides. What is not listed here may not exist; see rooms.ts.
 */
export interface Room {
  readonly purpose: string;
  /** Names of rooms. Test files are free of this list: they put parts together that the product keeps apart. */
  readonly may: readonly string[] | 'anything';
  /** No I/O, no clock, no process: only the built-in modules of `pureBuiltins`. */
  readonly pure?: true;
}

const domain = ['core/base', 'core/crypto', 'core/entra', 'core/mcp', 'core/policy', 'core/graph'];
const contracts = ['gateway/world.ts', 'gateway/config', 'gateway/store', 'gateway/audit', 'gateway/http'];
const services = [...contracts, 'gateway/entra', 'gateway/session', 'gateway/telemetry'];
const edges = ['gateway/oauth', 'gateway/consent', 'gateway/enforce', 'gateway/proxy', 'gateway/admin'];
const joints = ['gateway/sign-in', 'gateway/mcp', 'gateway/mcp-endpoint.ts'];
const roots = ['gateway/services.ts', 'gateway/authority.ts', 'gateway/backends.ts'];

export const rooms: Readonly<Record<string, Room>> = {
  'core/base': {
    purpose: 'results, secrets, clock and randomness as values that are passed in',
    may: [],
    pure: true,
  },
  'core/crypto': {
    purpose: 'the sealing envelope and its key ring, token hashes, constant-time equality',
    may: ['core/base'],
    pure: true,
  },
  'core/entra': {
    purpose: 'what Entra ID means: clouds, issuers, tenants, the AADSTS catalogue',
    may: ['core/base'],
    pure: true,
  },
  'core/mcp': {
    purpose: 'a JSON-RPC message turned into the operation it asks for, and header against body',
    may: ['core/base'],
    pure: true,
  },
  'core/policy': {
    purpose: 'principal and operation to a decision with its reason',
    may: ['core/base', 'core/mcp'],
    pure: true,
  },
  'core/graph': {
    purpose: 'Microsoft Graph with patience: waiting, repeating, giving up',
    may: ['core/base', 'core/entra'],
    pure: true,
  },

  'gateway/world.ts': {
    purpose: 'what the gateway takes from outside: clock, randomness, log',
    may: ['core/base'],
  },
  'gateway/config': {
    purpose: 'the one schema: parsing, defaults, references, all faults at once',
    may: domain,
  },
  'gateway/store': {
    purpose: 'durable state: the driver contract, sealing above it, the drivers',
    may: [...domain, 'gateway/world.ts', 'gateway/config'],
  },
  'gateway/audit': {
    purpose: 'one record per decision, and where the records go',
    may: [...domain, 'gateway/world.ts', 'gateway/config', 'gateway/store'],
  },
  'gateway/http': {
    purpose: 'server, limits, cookies, headers, error pages; knows no OAuth',
    may: [...domain, 'gateway/world.ts', 'gateway/config', 'gateway/store', 'gateway/audit'],
  },
  'gateway/fast-path': {
    purpose:
      'calls of MCP clients read from bare sockets, and answered there, where they are of one narrow shape',
    may: [...domain, 'gateway/http'],
  },
  'gateway/entra': {
    purpose: 'the upstream leg: sign-in, redeeming, renewing; the only place that knows MSAL',
    may: [...domain, 'gateway/world.ts', 'gateway/config', 'gateway/store', 'gateway/audit'],
  },
  'gateway/keys': {
    purpose: 'where the key ring is kept, how a rotation is noticed, and the rotation itself',
    may: [...domain, ...contracts, 'gateway/entra'],
  },
  'gateway/session': {
    purpose: 'sessions, consents, sign-in transactions, revocation',
    may: [...domain, 'gateway/world.ts', 'gateway/config', 'gateway/store', 'gateway/audit', 'gateway/entra'],
  },

  'gateway/telemetry': {
    purpose: 'metrics, traces and the access log: told by the parts that do the work; knows no person',
    may: [...domain, ...contracts, 'gateway/entra'],
  },

  'gateway/oauth': {
    purpose: 'the authorization server: oidc-provider configured, client registration, client quirks',
    may: [...domain, ...services],
  },
  'gateway/consent': {
    purpose: 'the pages a person decides on, and their protections',
    may: [...domain, ...services],
  },
  'gateway/enforce': {
    purpose: 'bearer token to principal to decision, or the challenge',
    may: [...domain, ...services],
  },
  'gateway/proxy': {
    purpose: 'backends: header tables, credentials, streaming both ways',
    may: [...domain, ...services],
  },
  'gateway/admin': { purpose: 'the JSON API of the console', may: [...domain, ...services] },
  'gateway/sign-in': {
    purpose:
      'the way of a person from the authorization request to the redirect back: joins oauth, consent and entra',
    may: [...domain, ...services, 'gateway/oauth', 'gateway/consent'],
  },
  'gateway/mcp': {
    purpose: 'what is said, held and written of one MCP request on its way',
    may: [...domain, ...services, ...edges],
  },
  'gateway/mcp-endpoint.ts': {
    purpose: 'the way of one MCP request through enforce and proxy',
    may: [...domain, ...services, ...edges, 'gateway/mcp'],
  },
  'gateway/services.ts': {
    purpose: 'what every part of the gateway shares: opened once, kept over a reload',
    may: [...domain, ...services, ...edges, ...joints, 'gateway/keys'],
  },
  'gateway/authority.ts': {
    purpose: 'the authorization server of some protected resources, with the way of a person through it',
    may: [...domain, ...services, ...edges, ...joints, 'gateway/services.ts'],
  },
  'gateway/backends.ts': {
    purpose: 'one backend: its policy, the way to it, the MCP endpoint in front',
    may: [...domain, ...services, ...edges, ...joints, 'gateway/services.ts'],
  },
  'gateway/routes.ts': {
    purpose: 'every address of the gateway in one table',
    may: [...domain, ...services, ...edges, ...joints, ...roots],
  },
  'gateway/gateway.ts': {
    purpose: 'the composition root: puts services, authority, backends and routes together',
    may: [...domain, ...services, ...edges, ...joints, ...roots, 'gateway/routes.ts'],
  },

  local: {
    purpose: 'signs the person of this machine in for a stdio MCP server; the other place that knows MSAL',
    may: ['core/base', 'core/crypto', 'core/entra', 'core/graph'],
  },
  express: {
    purpose:
      "the gateway's rooms in an MCP server's own process: its doors, its guard, the tokens of its callers",
    may: [
      ...domain,
      ...services,
      'gateway/enforce',
      'gateway/oauth',
      'gateway/sign-in',
      ...roots,
      'gateway/routes.ts',
    ],
  },
  'gateway/administration.ts': {
    purpose: 'what an operator does to a store from the command line: sessions, consents, keys',
    may: [...domain, ...services, 'gateway/enforce', 'gateway/keys'],
  },

  emulator: { purpose: 'a local Entra ID; shares no code with the rest, so no misreading can hide', may: [] },
  cli: {
    purpose: 'the `valetkey` command: arguments in, the other packages out',
    may: [
      ...domain,
      'gateway/http',
      'gateway/fast-path',
      'gateway/gateway.ts',
      'gateway/administration.ts',
      'gateway/world.ts',
      'gateway/config',
      'gateway/audit',
      'gateway/store',
      'gateway/telemetry',
      'local',
      'emulator',
      'examples/snippets',
    ],
  },
  'examples/local-profile': {
    purpose: 'a stdio MCP server that shows its person their profile',
    may: ['core/graph', 'local'],
  },
  'examples/remote-express': {
    purpose: 'a remote MCP server on Express that shows each of its people their own profile',
    may: ['core/graph', 'express'],
  },
  'examples/entra-direct': {
    purpose: "a remote MCP server that takes Entra's own access tokens",
    may: ['express'],
  },
  'examples/terminal-client': { purpose: 'an MCP client for people at a terminal', may: [] },
  'examples/snippets': { purpose: 'an MCP server that keeps text per person and knows no OAuth', may: [] },
  tools: { purpose: 'the checks and generators of this repository', may: ['gateway/config', 'emulator'] },
  test: { purpose: 'the whole product: end to end, attacks, conformance, properties', may: 'anything' },
  bench: { purpose: 'the data plane beside a plain proxy', may: 'anything' },
};

/** Packages that have a home: everywhere else they are refused, tests of the same package excepted. */
export const homes: Readonly<Record<string, readonly string[]>> = {
  '@azure/msal-node': ['gateway/entra', 'local'],
  '@azure/msal-node-extensions': ['local'],
  '@napi-rs/keyring': ['local'],
  '@opentelemetry/api': ['gateway/telemetry'],
  '@opentelemetry/core': ['gateway/telemetry'],
  '@opentelemetry/resources': ['gateway/telemetry'],
  '@opentelemetry/sdk-metrics': ['gateway/telemetry'],
  '@opentelemetry/sdk-trace': ['gateway/telemetry'],
  '@opentelemetry/exporter-prometheus': ['gateway/telemetry'],
  '@opentelemetry/exporter-metrics-otlp-proto': ['gateway/telemetry'],
  '@opentelemetry/exporter-trace-otlp-proto': ['gateway/telemetry'],
  'oidc-provider': ['gateway/oauth'],
  'node:sqlite': ['gateway/store'],
  pg: ['gateway/store'],
  redis: ['gateway/store'],
  // All that leaves the gateway by HTTP: to Entra, to documents of strangers under guard, to configured backends.
  undici: ['gateway/entra', 'gateway/oauth', 'gateway/proxy'],
};

export const pureBuiltins: readonly string[] = ['node:crypto', 'node:buffer', 'node:util'];

/** The way of an MCP request, as docs/map.md tells it. */
export const wayOfARequest: readonly (readonly [room: string, step: string])[] = [
  [
    'gateway/routes.ts',
    'The route table gives the handler, the body limit, the CORS class and the rate limit.',
  ],
  [
    'gateway/http',
    'The request is parsed once. Behind this point nobody asks a raw header where it came from.',
  ],
  [
    'gateway/enforce',
    'The bearer token becomes a principal, or the answer is 401 with its challenge. No body is read before that.',
  ],
  ['core/mcp', 'The body becomes an operation; a header that says otherwise than the body is refused.'],
  [
    'core/policy',
    'Principal and operation become a decision. A refusal is a value with a reason, never an exception.',
  ],
  [
    'gateway/proxy',
    'Headers that are not ours to pass on go, ours come, and the bytes stream in both directions until either side leaves.',
  ],
  [
    'gateway/audit',
    'One record says who asked for what, what came of it, why, and how long it took. It never holds a token.',
  ],
];
