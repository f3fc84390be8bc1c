import { err, ok, type Result } from '../base/result.ts';
import type { GraphCaller, GraphClient } from './graph-client.ts';
import { type GraphRefusal, unreadable } from './graph-refusal.ts';

/** What `/me` can be asked for here. A closed list: nobody selects what nobody needs. */
export const profileFields = [
  'id',
  'displayName',
  'givenName',
  'surname',
  'userPrincipalName',
  'mail',
  'jobTitle',
  'department',
  'officeLocation',
  'mobilePhone',
  'preferredLanguage',
] as const;

export type ProfileField = (typeof profileFields)[number];
/** Null: the directory has no value. */
export type Profile = Readonly<Partial<Record<ProfileField, string | null>>>;

/** Enough to greet somebody (D13). */
export const defaultProfileFields: readonly ProfileField[] = [
  'id',
  'displayName',
  'userPrincipalName',
  'mail',
  'jobTitle',
];

export interface ProfileOptions {
  readonly select?: readonly ProfileField[];
  /** Default 0: always fresh. */
  readonly cacheSeconds?: number;
  readonly signal?: AbortSignal | undefined;
}

/** `GET /me` with `$select`: the fields asked for and no others, whatever Graph sends along. */
export async function getProfile(
  graph: GraphClient,
  caller: GraphCaller,
  options: ProfileOptions = {},
): Promise<Result<Profile, GraphRefusal>> {
  const { select = defaultProfileFields, cacheSeconds = 0, signal } = options;
  const answer = await graph.request(caller, {
    path: `/me?$select=${select.join(',')}`,
    cacheSeconds,
    signal,
  });
  if (!answer.ok) return answer;
  const body = answer.value;
  if (typeof body !== 'object' || body === null) return err(unreadable(200));
  const fields = select.map((name) => {
    const value: unknown = Object.hasOwn(body, name) ? Reflect.get(body, name) : null;
    return [name, typeof value === 'string' ? value : null] as const;
  });
  return ok(Object.fromEntries(fields));
}
