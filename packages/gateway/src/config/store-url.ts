/** The address of a store, as one text. Nothing here repeats what was written: it may hold a password. */
import { isLoopbackHost } from '@valetkey/core/base/url';
import { err, ok, type Result } from '@valetkey/core/base/result';
import { type Complaint, complain } from './fault.ts';

export interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

/** What an address says by itself; files and secrets named beside it come later. */
export type StoreAddress =
  | { readonly driver: 'sqlite'; readonly path: string }
  | {
      readonly driver: 'redis';
      readonly topology: 'single' | 'sentinel' | 'cluster';
      readonly hosts: readonly HostAndPort[];
      /** The name under which the sentinels know the servers; with `topology: sentinel` only. */
      readonly masterName?: string;
      readonly tls: boolean;
      readonly database: number;
      readonly username?: string;
      readonly password?: string;
    }
  | {
      readonly driver: 'postgres';
      readonly host: string;
      readonly port: number;
      readonly database: string;
      readonly tls: boolean;
      readonly username?: string;
      readonly password?: string;
    };

const examples =
  'Write sqlite:./valetkey.db, redis://host:6379, rediss://host:6380, redis+sentinel://host:26379,host:26379/name, ' +
  'redis+cluster://host:6379,host:6379 or postgres://user@host:5432/database';

const pattern =
  /^(?<scheme>[a-z+]+):\/\/(?:(?<username>[^:@/?#]*)(?::(?<password>[^@/?#]*))?@)?(?<hosts>[^@/?#]+)(?:\/(?<path>[^?#]*))?(?:\?(?<query>[^#]*))?$/;

type Parts = Readonly<
  Record<'scheme' | 'username' | 'password' | 'hosts' | 'path' | 'query', string | undefined>
>;

/** @returns the address, or what is wrong with it, in words that repeat none of it. */
export function parseStoreUrl(text: string): Result<StoreAddress, Complaint> {
  if (text.startsWith('sqlite:')) return parseSqlite(text);
  const parts = pattern.exec(text)?.groups as Parts | undefined;
  const scheme = /^([a-z+]+):\/\//.exec(text)?.[1] ?? '';
  if (/^rediss?(\+sentinel|\+cluster)?$/.test(scheme)) return parts ? parseRedis(parts) : err(notAnAddress);
  if (/^postgres(ql)?$/.test(scheme)) return parts ? parsePostgres(parts) : err(notAnAddress);
  return err(complain('is not a store', examples));
}

const notAnAddress = complain(
  'is not a whole address',
  'Write scheme://user@host:port/name. A user name or password with : / @ ? # or % needs percent-encoding',
);

function parseSqlite(text: string): Result<StoreAddress, Complaint> {
  const path = text.slice('sqlite:'.length);
  if (path !== '' && !path.startsWith('//')) return ok({ driver: 'sqlite', path });
  return err(complain('is not a store', 'Write sqlite:./valetkey.db'));
}

function parseRedis(parts: Parts): Result<StoreAddress, Complaint> {
  const [engine = '', variant] = (parts.scheme ?? '').split('+');
  const topology = variant === 'sentinel' ? 'sentinel' : variant === 'cluster' ? 'cluster' : 'single';
  const hosts = parseHosts(parts.hosts ?? '', topology === 'sentinel' ? 26_379 : 6379);
  if (hosts === undefined) return err(notAnAddress);
  if (topology === 'single' && hosts.length > 1) {
    return err(complain('names several hosts', 'Write redis+sentinel:// or redis+cluster://, or one host'));
  }
  if (parts.query !== undefined) return err(complain('has a query, which Redis does not take', examples));
  const segments = (parts.path ?? '').split('/').filter((segment) => segment !== '');
  const masterName = topology === 'sentinel' ? segments.shift() : undefined;
  if (topology === 'sentinel' && masterName === undefined) {
    return err(
      complain('lacks the name that the sentinels watch', 'Write redis+sentinel://host:26379/mymaster'),
    );
  }
  const database = Number(segments[0] ?? '0');
  if (segments.length > 1 || !/^\d{1,4}$/.test(segments[0] ?? '0')) {
    return err(complain('has a path that is no database number', 'Write a number such as /0, or nothing'));
  }
  if (topology === 'cluster' && database !== 0) {
    return err(complain('names a database; a Redis cluster has only one', 'Remove the path'));
  }
  const credentials = parseCredentials(parts);
  if (credentials === undefined) return err(notAnAddress);
  return ok({
    driver: 'redis',
    topology,
    hosts,
    ...(masterName === undefined ? {} : { masterName }),
    tls: engine === 'rediss',
    database,
    ...credentials,
  });
}

/** Every one of them encrypts; we check the server's name and certificate with each, never less. */
const encryptedModes = new Set(['require', 'verify-ca', 'verify-full']);

function parsePostgres(parts: Parts): Result<StoreAddress, Complaint> {
  const hosts = parseHosts(parts.hosts ?? '', 5432);
  const [first, ...others] = hosts ?? [];
  const credentials = parseCredentials(parts);
  if (first === undefined || credentials === undefined) return err(notAnAddress);
  if (others.length > 0) return err(complain('names several hosts', 'Write the one that takes writes'));
  const database = decode(parts.path ?? '');
  if (database === undefined || database === '' || database.includes('/')) {
    return err(complain('names no database', 'Write postgres://user@host:5432/database'));
  }
  const query = new URLSearchParams(parts.query);
  const unknown = [...query.keys()].filter((name) => name !== 'sslmode');
  if (unknown.length > 0) {
    return err(
      complain('has a query with more than sslmode', 'Remove everything but sslmode from the query'),
    );
  }
  const mode = query.get('sslmode') ?? (isLoopbackHost(first.host) ? 'disable' : 'verify-full');
  if (mode !== 'disable' && !encryptedModes.has(mode)) {
    return err(
      complain(
        'has an sslmode that may fall back to plain text',
        'Write sslmode=verify-full or sslmode=disable',
      ),
    );
  }
  return ok({ driver: 'postgres', ...first, database, tls: mode !== 'disable', ...credentials });
}

function parseCredentials({ username, password }: Parts) {
  const user = decode(username ?? '');
  const word = decode(password ?? '');
  if (user === undefined || word === undefined) return undefined;
  return { ...(user === '' ? {} : { username: user }), ...(word === '' ? {} : { password: word }) };
}

function parseHosts(text: string, defaultPort: number): HostAndPort[] | undefined {
  const hosts = text.split(',').map((part) => parseHost(part, defaultPort));
  return hosts.includes(undefined) ? undefined : (hosts as HostAndPort[]);
}

function parseHost(text: string, defaultPort: number): HostAndPort | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3] === undefined ? defaultPort : Number(match[3]);
  return host === undefined || port > 65_535 || port === 0 ? undefined : { host, port };
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
