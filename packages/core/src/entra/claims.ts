import { err, ok, type Result } from '../base/result.ts';
import { findTenantId } from './authority.ts';

/** What we read in the claims of an Entra v2 token, id token or access token, after its signature was checked. */
export interface EntraClaims {
  /** `tid`. With `objectId` the only key of a person: `sub` differs per app, names and mail change. */
  readonly tenantId: string;
  /** `oid`. */
  readonly objectId: string;
  /** `name`: for people to read. */
  readonly displayName?: string;
  /** `preferred_username`: for people to read; never a reason to allow. */
  readonly username?: string;
  /** `roles`: app roles of the app that the token is for. */
  readonly roles: readonly string[];
  /** `groups`: object ids. Empty, and meaningless, when `hasGroupOverage`. */
  readonly groups: readonly string[];
  /** More than 200 groups: the token names a source instead of listing them. */
  readonly hasGroupOverage: boolean;
  /** `scp`: delegated scopes of an access token. */
  readonly scopes: readonly string[];
  /** `idtyp: app`: no person behind it. Present only if the API asks for the optional claim. */
  readonly isAppOnly: boolean;
  /** `xms_act_fct` contains 11: the actor is an agent identity. */
  readonly isAgent: boolean;
  /** `acrs`: satisfied Conditional Access authentication contexts, such as `c1`. */
  readonly authenticationContexts: readonly string[];
  /** `azp`: client id of the app that asked. */
  readonly authorizedParty?: string;
  /** `sid`: the browser session at Entra, for front-channel logout. */
  readonly entraSessionId?: string;
  /** `nonce` of an id token. */
  readonly nonce?: string;
}

/**
 * Reads the claims of a verified token.
 *
 * A claim of the wrong type refuses the whole token: guessing at a damaged `roles` claim would guess at somebody's
 * rights. Unknown claims are ignored.
 *
 * @returns the claims, or which one is wrong. The message contains no value.
 */
export function parseEntraClaims(claims: unknown): Result<EntraClaims, string> {
  if (typeof claims !== 'object' || claims === null || Array.isArray(claims))
    return err('claims: expected an object');
  const read = (name: string): unknown =>
    Object.hasOwn(claims, name) ? Reflect.get(claims, name) : undefined;
  const faults: string[] = [];

  const guid = (name: string): string => {
    const value = read(name);
    const found = typeof value === 'string' ? findTenantId(value) : undefined;
    if (found === undefined) faults.push(`${name}: expected a GUID`);
    return found ?? '';
  };
  const text = (name: string): string | undefined => {
    const value = read(name);
    if (value === undefined || typeof value === 'string') return value;
    faults.push(`${name}: expected text`);
    return undefined;
  };
  const texts = (name: string): readonly string[] => {
    const value = read(name);
    if (value === undefined) return [];
    if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return [...new Set(value)];
    faults.push(`${name}: expected a list of text`);
    return [];
  };

  const hasGroupOverage = isOverage(read('_claim_names'), read('hasgroups'));
  const optional = {
    displayName: text('name'),
    username: text('preferred_username'),
    authorizedParty: text('azp'),
    entraSessionId: text('sid'),
    nonce: text('nonce'),
  };
  const parsed: EntraClaims = {
    tenantId: guid('tid'),
    objectId: guid('oid'),
    ...dropUndefined(optional),
    roles: texts('roles'),
    groups: hasGroupOverage ? [] : texts('groups'),
    hasGroupOverage,
    scopes: text('scp')?.split(' ').filter(Boolean) ?? [],
    isAppOnly: text('idtyp') === 'app',
    isAgent: factsContain(read('xms_act_fct'), '11'),
    // Documented as a list; a single context has been seen as plain text.
    authenticationContexts: typeof read('acrs') === 'string' ? [text('acrs') ?? ''] : texts('acrs'),
  };
  return faults.length === 0 ? ok(parsed) : err(faults.join('; '));
}

/**
 * `_claim_names: { groups: "src1" }`, or `hasgroups: true` from the implicit flow. The source's URL points at a
 * retired API and comes out of a token, so nobody follows it.
 */
function isOverage(claimNames: unknown, hasGroups: unknown): boolean {
  if (hasGroups === true || hasGroups === 'true') return true;
  return typeof claimNames === 'object' && claimNames !== null && Object.hasOwn(claimNames, 'groups');
}

/** `xms_act_fct` is a space-separated list of numbers; a JSON list is read too. */
function factsContain(value: unknown, fact: string): boolean {
  if (typeof value === 'string') return value.split(' ').includes(fact);
  return Array.isArray(value) && value.some((item) => String(item) === fact);
}

type Defined<Fields> = { [Key in keyof Fields]?: Exclude<Fields[Key], undefined> };

function dropUndefined<Fields extends Record<string, string | undefined>>(fields: Fields): Defined<Fields>;
function dropUndefined(fields: Record<string, string | undefined>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
