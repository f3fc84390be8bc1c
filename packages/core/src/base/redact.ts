/**
 * Takes credentials out of text that is about to be logged or shown. A net under code that should not have let
 * them get there (D43), not a licence: it goes by looks and can miss what looks like a word.
 *
 * Every pattern is linear: what follows an anchor is consumed rather than tried and given back, or has a fixed
 * longest length. The text is often an attacker's.
 */
const shown = '[redacted]';

/** A value is never long enough to be worth keeping, and `code: 65001` of an error text is no secret. */
const queryNames = 'code|state|nonce|sig';
const secretNames =
  'client_secret|client_assertion|refresh_token|access_token|id_token|id_token_hint|subject_token|actor_token|' +
  'code_verifier|device_code|user_code|session_state|assertion|password|client_info|x-functions-key|api[-_]?key';

/** After a separator, or after the percent-encoded `?`, `&` or space of a URL inside a URL. */
const before = '(?:(?<![\\w-])|(?<=%(?:3f|26|20)))';
/** Either a whole quoted string, with its escapes, or up to the next delimiter. */
const value = `(?:(?<=[^\\\\]")(?:[^"\\\\]|\\\\.)*|[^\\s&"<>,;\\\\}\\]]*)`;

const queryValue = new RegExp(`${before}((?:${queryNames})(?:=|%3d))${value}`, 'gis');
const secretValue = new RegExp(
  `${before}((?:${secretNames})\\\\*["']?\\s*(?:[=:]|%3d)\\s*\\\\*["']?)${value}`,
  'gis',
);
/** `Bearer x`, but neither a challenge (`Bearer realm="…"`) nor prose (`Bearer token required`). */
const credentials =
  /\b(Bearer|Basic|DPoP)(\s+)(?!(?:tokens?|auth|authentication|challenge|header|scheme|error)\b)(?=([\w.~+/-]+=*))\3(?!")/gi;
const privateKey =
  /-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|$)/g;
/** JWS and JWE in compact form. Starts only at the edge of a word, else `eyJeyJeyJ…` would be read n times. */
const compactJose = /(?<![\w-])eyJ[\w-]*\.[\w-]*\.[\w-]*(?:\.[\w-]*){0,2}/g;
/** Client secrets as Entra makes them: three characters, a digit, `Q~`, then about 34 more. */
const entraSecret = /[\w.~-]{3}\dQ~[\w.~-]{31,40}/g;
const longRun = /[\w-]{22,}/g;
const guid = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi;
/** `gateway`, `Gateway`, `GATEWAY`, `oauth2`, `2026`. */
const word = /^(?:[A-Z]?[a-z]*|[A-Z]+)\d{0,4}$/;
/** `McpServerError` and `mcp_server-error` are three words each. */
const wordEdge = /[-_]|(?<=[a-z])(?=[A-Z])/;
const longestWord = 24;

/**
 * The text with everything that looks like a credential replaced by `[redacted]`: JWT and JWE, `Authorization`
 * values, private keys, named values such as `refresh_token=`, and long random-looking runs of base64url or hex.
 *
 * GUIDs stay, because correlation, tenant and object ids are what an operator looks for.
 */
export function redact(text: string): string {
  return text
    .replace(privateKey, shown)
    .replace(secretValue, replaceValue)
    .replace(queryValue, replaceValue)
    .replace(credentials, `$1$2${shown}`)
    .replace(compactJose, shown)
    .replace(entraSecret, shown)
    .replace(longRun, (run) => (looksRandom(run) ? shown : run));
}

function replaceValue(match: string, name: string): string {
  return match.length === name.length ? match : `${name}${shown}`;
}

/** From 22 characters (128 bits in base64url) when the case is mixed, from 32 (128 bits in hex) otherwise. */
function looksRandom(run: string): boolean {
  const rest = run.replace(guid, '');
  if (rest.length < 22) return false;
  if (rest.length < 32 && !(/[a-z]/.test(rest) && /[A-Z]/.test(rest))) return false;
  return !rest.split(wordEdge).every((piece) => piece.length <= longestWord && word.test(piece));
}
