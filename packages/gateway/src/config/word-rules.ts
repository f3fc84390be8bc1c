/** Rules for single words in the configuration: ids, names, headers, ranges, references. */
import { isIP } from 'node:net';
import { type Complaint, complain } from './fault.ts';
import { parseStoreUrl } from './store-url.ts';

export function checkGuid(text: string): Complaint | undefined {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text)) return undefined;
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) {
    return complain(
      'has capital letters; Entra compares ids in small letters',
      `Write ${text.toLowerCase()}`,
    );
  }
  return complain(
    'is not a GUID',
    'Copy the id from the Entra admin center, such as 8f5c0c1e-4d0e-4b5c-9d0e-3f1a2b3c4d5e',
  );
}

/** `common`, `organizations` and domain names would let in more people, or other ones, than meant. */
export function checkTenant(text: string): Complaint | undefined {
  if (['common', 'organizations', 'consumers'].includes(text.toLowerCase())) {
    return complain(`lets in people of any tenant`, 'List the ids of the tenants that may sign in');
  }
  return checkGuid(text);
}

const oidcScopes = new Set(['openid', 'profile', 'email', 'address', 'phone', 'offline_access']);

/** RFC 6749 §3.3: `%x21 / %x23-5B / %x5D-7E`. */
export function checkScopeName(text: string): Complaint | undefined {
  if (!/^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/.test(text)) {
    return complain(
      'is not a scope name of RFC 6749 §3.3: 1 to 128 visible ASCII characters without space, " and \\',
      'Write a name such as snippets.use',
    );
  }
  if (oidcScopes.has(text)) {
    return complain(
      `the scope ${text} has a meaning of its own in OpenID Connect`,
      'Choose another name, such as snippets.use',
    );
  }
  return undefined;
}

/** Entra app role values: up to 120 characters, no space, not starting with a dot. */
export function checkRole(text: string): Complaint | undefined {
  if (/^[\x21-\x2d\x2f-\x7e][\x21-\x7e]{0,119}$/.test(text)) return undefined;
  return complain(
    'cannot be the value of an Entra app role: 1 to 120 visible ASCII characters, no space, no leading dot',
    'Write the Value of the app role, not its display name, such as Snippets.Reader',
  );
}

export function checkBackendName(text: string): Complaint | undefined {
  if (/^[a-z0-9][a-z0-9_-]{0,63}$/.test(text)) return undefined;
  return complain('is not a backend name', 'Use 1 to 64 small letters, digits, - and _');
}

const refusedHeaders = new Set([
  'connection',
  'content-length',
  'content-type',
  'cookie',
  'expect',
  'forwarded',
  'host',
  'keep-alive',
  'mcp-protocol-version',
  'mcp-session-id',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** RFC 9110 §5.1 names, without those that the proxy itself sets, drops or frames the message with. */
export function checkCredentialHeader(text: string): Complaint | undefined {
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/.test(text)) {
    return complain('is not a header name', 'Write a name such as x-functions-key');
  }
  if (refusedHeaders.has(text.toLowerCase()) || text.toLowerCase().startsWith('x-forwarded-')) {
    return complain(
      `the header ${text.toLowerCase()} belongs to the proxy or to the connection`,
      'Use a header of the backend, such as x-functions-key or x-api-key',
    );
  }
  return undefined;
}

/** As above, and none that the gateway writes anyway. */
export function checkIdentityHeader(text: string): Complaint | undefined {
  if (!text.toLowerCase().startsWith('x-valetkey-')) return checkCredentialHeader(text);
  return complain(
    'is a header that the gateway writes in any case',
    'Write authorization, or a name of your own',
  );
}

/** App ID URI or GUID of an API: visible ASCII, since it travels in a query. */
export function checkResourceName(text: string): Complaint | undefined {
  if (/^[\x21-\x7e]{1,250}$/.test(text)) return undefined;
  return complain(
    'is not the name of an API',
    'Write its App ID URI, such as api://8f5c0c1e-4d0e-4b5c-9d0e-3f1a2b3c4d5e',
  );
}

/** A scope of an API at Entra, in the form of RFC 6749 §3.3. */
export function checkApiScope(text: string): Complaint | undefined {
  if (oidcScopes.has(text))
    return complain(`the scope ${text} gives no token for an API`, 'Name a scope of the API');
  if (/^[\x21\x23-\x5b\x5d-\x7e]{1,250}$/.test(text)) return undefined;
  return complain('is not a scope', 'Write it with its API, such as api://payroll/payroll.read');
}

export function checkCidr(text: string): Complaint | undefined {
  const [address = '', prefix, ...rest] = text.split('/');
  const family = isIP(address);
  const bits = family === 4 ? 32 : 128;
  const valid = family !== 0 && rest.length === 0 && !address.includes('%');
  if (valid && (prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= bits)))
    return undefined;
  return complain('is not an address range', 'Write a CIDR range such as 10.0.0.0/8 or fd00::/8');
}

/** A secret stands elsewhere; here is only where. The remedy never repeats what was written. */
export function checkReference(text: string): Complaint | undefined {
  if (/^env:[A-Za-z_][A-Za-z0-9_]*$/.test(text) || /^file:./.test(text)) return undefined;
  return complain(
    'is a secret written into the file, or no reference',
    'Put the value into an environment variable or a file, and write env:NAME or file:./path here. ' +
      'A secret that stood in a configuration file should be replaced',
  );
}

export function isReference(text: string): boolean {
  return text.startsWith('env:') || text.startsWith('file:');
}

/** As it stands in the file, where no password may be; an address behind a reference may hold one. */
export function checkStoreUrl(text: string): Complaint | undefined {
  if (isReference(text)) return checkReference(text);
  const address = parseStoreUrl(text);
  if (!address.ok) return address.error;
  if (address.value.driver === 'sqlite' || address.value.password === undefined) return undefined;
  return complain(
    'holds a password',
    'Take it out and write store: { url: …, password: env:NAME }, or the whole address as env:NAME. ' +
      'A password that stood in a configuration file should be replaced',
  );
}

/** It stands between braces: what is between the first two decides where a Redis Cluster keeps a key. */
export function checkStorePrefix(text: string): Complaint | undefined {
  if (/^[A-Za-z0-9_.:-]{1,64}$/.test(text)) return undefined;
  return complain('is no prefix', 'Use 1 to 64 letters, digits and . _ : -');
}
