/**
 * Every function of the control plane as it goes over the wire: the names of its arguments in their order, and what each must
 * look like. Server and client are both made of this table; a function without a row does not compile.
 */
import type { Control } from './control.ts';
import type { Endpoint } from './faults.ts';
import { certificateShape, federatedCredentialShape, platformShape } from './seed-shape.ts';
import {
  anything,
  flag,
  guid,
  list,
  object,
  oneOf,
  optional,
  type Shape,
  text,
  variants,
  wholeNumber,
} from './shape.ts';

export const CONTROL_PATH = '/emulator/control/v1/';
/** Entries of the request log in one answer. */
export const LOG_PAGE = 500;

const endpoints: Readonly<Record<Endpoint, true>> = {
  authorize: true,
  deviceCode: true,
  discovery: true,
  graph: true,
  instance: true,
  keyVault: true,
  keys: true,
  login: true,
  logout: true,
  managedIdentity: true,
  token: true,
  userinfo: true,
};
export const ENDPOINTS = Object.keys(endpoints) as readonly Endpoint[];

const YEAR_SECONDS = 366 * 86_400;
const clientId = text({ maxLength: 100 });
const name = text({ maxLength: 300 });

export const faultMatchShape = object({
  clientId: optional(clientId),
  username: optional(name),
  endpoint: optional(oneOf(...ENDPOINTS)),
});

export const faultShape = variants('kind', {
  aadsts: object({
    kind: oneOf('aadsts'),
    code: wholeNumber(1, 999_999_999),
    claims: optional(text()),
    suberror: optional(name),
  }),
  throttle: object({ kind: oneOf('throttle'), retryAfterSeconds: wholeNumber(0, YEAR_SECONDS) }),
  status: object({
    kind: oneOf('status'),
    status: oneOf(404, 408, 410, 429, 500, 502, 503, 504),
    retryAfterSeconds: optional(wholeNumber(0, YEAR_SECONDS)),
  }),
  latency: object({ kind: oneOf('latency'), latencyMs: wholeNumber(0, 600_000) }),
  outage: object({ kind: oneOf('outage'), hangUp: optional(oneOf(true)) }),
});

// oxlint-disable-next-line typescript/no-explicit-any -- only judged here; the types are those of `Control`
type Argument = readonly [name: string, shape: Pick<Shape<any>, 'judge' | 'isOptional'>];

const user: Argument = ['username', name];
const app: Argument = ['clientId', clientId];
const roles: Argument = ['roles', list(text({ maxLength: 300 }), 1_000)];

export const commands: Readonly<Record<keyof Control, readonly Argument[]>> = {
  addCertificate: [app, ['certificatePem', certificateShape]],
  addFederatedCredential: [app, ['credential', federatedCredentialShape]],
  addRedirectUri: [app, ['uri', text()], ['platform', optional(platformShape)]],
  addSecret: [app, ['value', text()], ['expiresAtMs', optional(wholeNumber(0))]],
  advanceClock: [['seconds', wholeNumber(0, 100 * YEAR_SECONDS)]],
  assignRoles: [app, user, roles],
  clearFaults: [],
  clock: [],
  createManagedIdentityToken: [
    ['principalId', text()],
    ['audience', text()],
  ],
  disableUser: [user],
  enableUser: [user],
  faults: [],
  freezeClock: [['atMs', optional(wholeNumber(0, 8_000_000_000_000))]],
  removeCertificate: [app, ['certificatePem', text()]],
  removeFederatedCredential: [app, ['issuer', text()], ['subject', text()]],
  removeRedirectUri: [app, ['uri', text()]],
  removeSecret: [app, ['value', text()]],
  requestLog: [
    [
      'query',
      optional(object({ since: optional(wholeNumber(0)), limit: optional(wholeNumber(1, LOG_PAGE)) })),
    ],
  ],
  reset: [],
  restore: [['snapshot', anything()]],
  resumeClock: [],
  revokeSessions: [user],
  rotateKeys: [],
  setAccessTokenLifetime: [['seconds', optional(wholeNumber(1, YEAR_SECONDS))]],
  setFault: [
    ['match', faultMatchShape],
    ['fault', faultShape],
    ['times', optional(wholeNumber(1))],
  ],
  setGraphBudget: [
    ['budget', optional(object({ requests: wholeNumber(0), windowSeconds: wholeNumber(1, YEAR_SECONDS) }))],
  ],
  setGroups: [user, ['groups', list(guid(), 10_000)]],
  setRoles: [user, roles],
  snapshot: [['options', optional(object({ privateKeys: optional(flag()) }))]],
  tenants: [],
  unassign: [app, user],
};
