import ipaddr from 'ipaddr.js';
import { err, ok, type Result } from './result.ts';

/**
 * Whether a host of a parsed URL is this machine: `localhost`, 127.0.0.0/8 or `[::1]`.
 *
 * For granting the exceptions of loopback (plain http, any port). It is not the list of addresses that a fetch
 * must avoid: that one is longer, and has to judge what a name resolves to.
 */
export function isLoopbackHost(hostname: string): boolean {
  if (hostname.toLowerCase() === 'localhost') return true;
  const bare = hostname.startsWith('[') && hostname.endsWith(']') ? hostname.slice(1, -1) : hostname;
  if (bare === '::1') return true;
  return ipaddr.IPv4.isValidFourPartDecimal(bare) && ipaddr.IPv4.parse(bare).range() === 'loopback';
}

/**
 * Reads an absolute http or https URL.
 *
 * Stricter than `new URL`: white space, control characters and backslashes are refused instead of repaired, so
 * that the text a person reads and the URL a machine uses are one; user info and fragments have no place in the
 * URL of an endpoint.
 *
 * @returns the URL, or what is wrong with the text. The message does not repeat the text.
 */
export function parseHttpUrl(text: string): Result<URL, string> {
  if (!/^https?:\/\/[^/]/i.test(text)) return err('expected an absolute http or https URL');
  if (/[^\u0021-\uffff]|[\\\u007f-\u00a0]/.test(text)) {
    return err('a URL has no white space, control characters or backslashes');
  }
  const url = URL.parse(text);
  if (url === null) return err('not a valid URL');
  // An empty user name (`https://@host`) leaves no trace in the parsed URL, so the text is asked too.
  const authority = /^https?:\/\/([^/?#]*)/i.exec(text)?.[1] ?? '';
  if (authority.includes('@')) return err('a URL must not carry a user name or password');
  if (text.includes('#')) return err('a URL of an endpoint has no fragment');
  return ok(url);
}

/** Whether what is sent to the URL is safe from listeners: https, or http that does not leave the machine. */
export function isSecureUrl(url: URL): boolean {
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopbackHost(url.hostname));
}
