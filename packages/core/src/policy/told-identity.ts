/** What a server on a pipe is told of its caller: it has no header that could be signed, and nobody else can write to it. */
import type { JsonObject } from '../mcp/json-rpc.ts';
import type { Principal } from './principal.ts';

export type ToldPerson = Pick<
  Principal,
  'tenantId' | 'objectId' | 'displayName' | 'username' | 'roles' | 'groups'
>;

const variables = {
  tenantId: 'VALETKEY_PERSON_TENANT_ID',
  objectId: 'VALETKEY_PERSON_OBJECT_ID',
  username: 'VALETKEY_PERSON_USERNAME',
  displayName: 'VALETKEY_PERSON_NAME',
  roles: 'VALETKEY_PERSON_ROLES',
} as const;

/** Names that only we set in a server's environment. */
export function isPersonVariable(name: string): boolean {
  return name.toUpperCase().startsWith('VALETKEY_PERSON_');
}

/** For `params._meta` of each message. */
export function describeInMeta(person: ToldPerson): JsonObject {
  const { tenantId, objectId, displayName, username, roles, groups } = person;
  const named = {
    ...(displayName === undefined ? {} : { displayName }),
    ...(username === undefined ? {} : { username }),
  };
  return { 'valetkey/identity': { tenantId, objectId, ...named, roles, groups } };
}

/** For the environment of a server that is told once, at its start. */
export function describeInEnvironment(person: ToldPerson): Record<string, string> {
  const { tenantId, objectId, username, displayName, roles } = person;
  return {
    [variables.tenantId]: tenantId,
    [variables.objectId]: objectId,
    [variables.roles]: roles.join(' '),
    ...(username === undefined ? {} : { [variables.username]: username }),
    ...(displayName === undefined ? {} : { [variables.displayName]: displayName }),
  };
}
