/**
 * Requests that two parsers could read in two ways, as bytes. Wherever a second request hides in the first, it is one
 * without a token that names itself `smuggled`: it may be refused, and may not reach a backend.
 */
import { smuggledMark } from './raw-backend.ts';

export interface CorpusTarget {
  readonly host: string;
  readonly path: string;
  readonly token: string;
}

export interface SmugglingCase {
  readonly name: string;
  /** One character per byte (latin1). */
  bytes(target: CorpusTarget): string;
  /** How many calls with the token a strict reader finds in it, and passes on. */
  readonly mayArrive: 0 | 1 | 2;
  /** What follows breaks the connection, perhaps before the call is passed on: then fewer arrive. */
  readonly isRacy?: true;
  /** The reader waits for more than there is: the sender must hang up. */
  readonly isUnfinished?: true;
}

/** Forty bytes, so that lengths are `40` and `28` in hexadecimal. */
export const call = '{"jsonrpc":"2.0","id":1,"method":"ping"}';

const end = '\r\n';
const close = 'Connection: close';
const json = 'Content-Type: application/json';
const right = `Content-Length: ${call.length}`;
const chunked = 'Transfer-Encoding: chunked';
const wholeChunked = `28${end}${call}${end}0${end}${end}`;

const bearer = ({ token }: CorpusTarget) => `Authorization: Bearer ${token}`;
const join = (lines: readonly string[], body = '') => `${lines.join(end)}${end}${end}${body}`;

/** The request that hides: whoever takes it for one sends it on without a token. */
function hidden({ host, path }: CorpusTarget): string {
  const body = `{"jsonrpc":"2.0","id":9,"method":"${smuggledMark}"}`;
  return join(
    [
      `POST ${path} HTTP/1.1`,
      `Host: ${host}`,
      `X-Valetkey-Identity: ${smuggledMark}`,
      `X-Valetkey-Object-Id: ${smuggledMark}`,
      json,
      close,
      `Content-Length: ${body.length}`,
    ],
    body,
  );
}

/** A good request but for `lines` and `body`. */
function post(target: CorpusTarget, lines: readonly string[], body = call): string {
  const first = [`POST ${target.path} HTTP/1.1`, `Host: ${target.host}`, bearer(target), json];
  return join([...first, ...lines], body);
}

type Lines = readonly string[];
const framed = (name: string, lines: Lines, body = call, mayArrive: 0 | 1 | 2 = 0): SmugglingCase => ({
  name,
  bytes: (target) => post(target, [close, ...lines], body),
  mayArrive,
});
const withHidden = (
  name: string,
  lines: Lines,
  before: string,
  after = '',
  mayArrive: 0 | 1 = 0,
): SmugglingCase => ({
  name,
  bytes: (target) => post(target, lines, `${before}${hidden(target)}${after}`),
  mayArrive,
});
const unfinished = (each: SmugglingCase): SmugglingCase => ({ ...each, isUnfinished: true });

const lengths: readonly SmugglingCase[] = [
  framed('two equal lengths', [right, right]),
  framed('two lengths, the right one first', [right, 'Content-Length: 5']),
  framed('two lengths, the right one last', ['Content-Length: 5', right]),
  framed('two equal lengths in a list', ['Content-Length: 40, 40']),
  framed('two lengths in a list', ['Content-Length: 40, 5']),
  framed('a length with a plus', ['Content-Length: +40']),
  framed('a negative length', ['Content-Length: -40']),
  framed('minus nought', ['Content-Length: -0']),
  framed('a hexadecimal length', ['Content-Length: 0x28']),
  framed('a length with noughts before', ['Content-Length: 00040'], call, 1),
  unfinished(framed('an octal length', ['Content-Length: 00000050'], call, 0)),
  framed('a length with an exponent', ['Content-Length: 4e1']),
  framed('a length with a point', ['Content-Length: 40.0']),
  framed('a length in quotes', ['Content-Length: "40"']),
  framed('a length with a blank inside', ['Content-Length: 4 0']),
  framed('a length with blanks around', ['Content-Length:   40  '], call, 1),
  framed('a length with tabs around', ['Content-Length:\t40\t'], call, 1),
  framed('a length without a blank', ['Content-Length:40'], call, 1),
  framed('a length with a vertical tab', ['Content-Length: \x0b40']),
  framed('a length with a no-break space', ['Content-Length: \xa040']),
  framed('a length with letters behind', ['Content-Length: 40abc']),
  framed('a length with a NUL behind', ['Content-Length: 40\0']),
  framed('an empty length', ['Content-Length:']),
  framed('a length of 2^64 and 40', ['Content-Length: 18446744073709551656']),
  framed('a length of 2^53', ['Content-Length: 9007199254740992']),
  framed('a blank before the colon', ['Content-Length : 40']),
  framed('a tab before the colon', ['Content-Length\t: 40']),
  framed('a NUL in the name', ['Content-Length\0: 40']),
  framed('an underscore in the name, nought beside it', ['Content_Length: 40', 'Content-Length: 0']),
  framed('a long s in the name', ['Content-Length\xc5\xbf: 40', right], call, 0),
  withHidden('a length of nought, and a request behind', ['Content-Length: 0'], ''),
  withHidden('no length, and a request behind', [], ''),
  withHidden('the right length, and a request behind', [right], call, '', 1),
  unfinished(withHidden('a length that swallows the next request and waits', ['Content-Length: 5000'], '')),
  unfinished(framed('a body one byte short', ['Content-Length: 41'])),
];

/** Each is either `chunked` to everybody or must be refused. */
const obfuscations: readonly [name: string, lines: Lines, mayArrive: 0 | 1][] = [
  ['in capitals', ['TRANSFER-ENCODING: CHUNKED'], 1],
  ['with a tab', ['Transfer-Encoding:\tchunked'], 1],
  ['without a blank', ['Transfer-Encoding:chunked'], 1],
  ['with blanks behind', ['Transfer-Encoding: chunked  '], 1],
  ['twice', [chunked, chunked], 0],
  ['twice in one header', ['Transfer-Encoding: chunked, chunked'], 0],
  ['and identity', ['Transfer-Encoding: chunked, identity'], 0],
  ['after identity', ['Transfer-Encoding: identity, chunked'], 0],
  ['after gzip', ['Transfer-Encoding: gzip, chunked'], 0],
  ['and an empty member', ['Transfer-Encoding: chunked,'], 0],
  ['after an empty member', ['Transfer-Encoding: , chunked'], 0],
  ['with a parameter', ['Transfer-Encoding: chunked;q=1'], 0],
  ['in quotes', ['Transfer-Encoding: "chunked"'], 0],
  ['with a letter before', ['Transfer-Encoding: xchunked'], 0],
  ['with a letter behind', ['Transfer-Encoding: chunkedx'], 0],
  ['cut short', ['Transfer-Encoding: chunke'], 0],
  ['with a vertical tab', ['Transfer-Encoding: \x0bchunked'], 0],
  ['with a NUL', ['Transfer-Encoding: \0chunked'], 0],
  ['with a no-break space', ['Transfer-Encoding: \xa0chunked'], 0],
  ['with a Kelvin sign', ['Transfer-Encoding: chun\xe2\x84\xaaed'], 0],
  ['with a blank before the colon', ['Transfer-Encoding : chunked'], 0],
  ['with a blank before the name', ['X-Custom: 1', ' Transfer-Encoding: chunked'], 0],
  ['folded', ['Transfer-Encoding:', ' chunked'], 0],
  ['behind a line feed', ['X-Custom: 1\nTransfer-Encoding: chunked'], 0],
  ['behind a carriage return', ['X-Custom: 1\rTransfer-Encoding: chunked'], 0],
  ['with an underscore', ['Transfer_Encoding: chunked'], 0],
  ['as a content encoding', ['Content-Encoding: chunked'], 0],
  ['empty', ['Transfer-Encoding:'], 0],
  ['identity alone', ['Transfer-Encoding: identity'], 0],
];

const transferEncodings: readonly SmugglingCase[] = [
  ...obfuscations.flatMap(([name, lines, mayArrive]) => [
    framed(`chunked ${name}`, lines, wholeChunked, mayArrive),
    framed(`chunked ${name}, beside a length`, [...lines, 'Content-Length: 4'], wholeChunked),
    framed(`chunked ${name}, behind a length`, ['Content-Length: 4', ...lines], wholeChunked),
  ]),
  withHidden('CL.TE', ['Content-Length: 1000', chunked], `0${end}${end}`),
  withHidden('TE.CL', [chunked, 'Content-Length: 4'], `0${end}${end}`),
  withHidden(
    'TE.CL with the hidden one in a chunk',
    [chunked, 'Content-Length: 4'],
    `ff${end}`,
    `${end}0${end}${end}`,
  ),
  withHidden('the end of the chunks, and a request behind', [chunked], wholeChunked, '', 1),
  unfinished(framed('chunks without an end', [chunked], `28${end}${call}${end}`)),
];

const chunkSizes: readonly [name: string, size: string, mayArrive: 0 | 1][] = [
  ['in capitals with noughts before', '00000028', 1],
  ['with a plus', '+28', 0],
  ['with a minus', '-28', 0],
  ['with 0x', '0x28', 0],
  ['that is none', 'zz', 0],
  ['that is empty', '', 0],
  ['with a blank before', ' 28', 0],
  ['with a tab before', '\t28', 0],
  ['with a vertical tab behind', '28\x0b', 0],
  ['with a NUL behind', '28\0', 0],
  ['of 2^64 and 40', '10000000000000028', 0],
  ['of seventeen digits', 'fffffffffffffffff', 0],
  ['of 2^63', '8000000000000000', 0],
  ['with an extension that holds a line feed', '28;a\nb', 0],
  ['with an extension that holds a carriage return', '28;a\rb', 0],
  ['with an extension in quotes that holds a line end', '28;a="\r\n"', 0],
  ['with an extension that holds a NUL', '28;a\0b', 0],
  ['with an extension of 20,000 bytes', `28;${'x'.repeat(20_000)}`, 0],
];

const chunks: readonly SmugglingCase[] = [
  ...chunkSizes.map(([name, size, mayArrive]) => {
    const each = framed(
      `a chunk size ${name}`,
      [chunked],
      `${size}${end}${call}${end}0${end}${end}`,
      mayArrive,
    );
    return /2\^63|seventeen|2\^64/.test(name) ? unfinished(each) : each;
  }),
  framed('a chunk with an extension', [chunked], `28;a=b${end}${call}${end}0${end}${end}`, 1),
  framed('a chunk with an extension in quotes', [chunked], `28;a="b"${end}${call}${end}0;c${end}${end}`, 1),
  framed('chunk lines that end with a line feed', [chunked], `28\n${call}\n0\n\n`),
  framed('a chunk size that ends with a line feed', [chunked], `28\n${call}${end}0${end}${end}`),
  framed('a chunk that ends with a line feed', [chunked], `28${end}${call}\n0${end}${end}`),
  framed('a chunk that ends with a carriage return', [chunked], `28${end}${call}\r0${end}${end}`),
  framed('a chunk that is longer than it says', [chunked], `27${end}${call}${end}0${end}${end}`),
  framed('a chunk with two bytes too many', [chunked], `28${end}${call}xx0${end}${end}`),
  framed(
    'single bytes as chunks',
    [chunked],
    `${Array.from(call, (byte) => `1${end}${byte}${end}`).join('')}0${end}${end}`,
    1,
  ),
  framed(
    'trailers that the gateway would vouch for',
    [chunked, 'Trailer: X-Valetkey-Identity'],
    `28${end}${call}${end}0${end}X-Valetkey-Identity: ${smuggledMark}${end}X-${smuggledMark}: 1${end}${end}`,
    1,
  ),
  framed(
    'a length among the trailers',
    [chunked],
    `28${end}${call}${end}0${end}Content-Length: 5${end}${end}`,
    0,
  ),
  framed(
    'a folded trailer',
    [chunked],
    `28${end}${call}${end}0${end}X-A: 1${end} X-${smuggledMark}: 1${end}${end}`,
  ),
];

const heads: readonly SmugglingCase[] = [
  framed('a folded header', ['X-Custom: a', ` X-${smuggledMark}: 1`, right]),
  framed('a header folded by a tab', ['X-Custom: a', `\tX-${smuggledMark}: 1`, right]),
  framed('a header line without a colon', [`X-${smuggledMark}`, right]),
  framed('a header without a name', [`: ${smuggledMark}`, right]),
  framed('a line feed in a value', [`X-Custom: a\nX-${smuggledMark}: 1`, right]),
  framed('a carriage return in a value', [`X-Custom: a\rX-${smuggledMark}: 1`, right]),
  framed('a line end the wrong way round', [`X-Custom: a\n\rX-${smuggledMark}: 1`, right]),
  framed('two carriage returns', ['X-Custom: a\r', right]),
  framed('a NUL in a value', ['X-Custom: a\0b', right]),
  framed('a NUL in a name', ['X-Cus\0tom: a', right]),
  framed('a blank in a name', ['X Custom: a', right]),
  framed('a letter of another alphabet in a name', ['X-C\xfcstom: a', right]),
  framed(
    'letters whose low byte is a line end',
    [`X-Custom: \xe5\x98\x8d\xe5\x98\x8aX-${smuggledMark}: 1`, right],
    call,
    1,
  ),
  framed('a delete character in a value', ['X-Custom: a\x7fb', right]),
  framed('an escape character in a value', ['X-Custom: a\x1bb', right]),
  framed('the token twice', [right, 'Authorization: Bearer again']),
  framed('two media types', [right, 'Content-Type: text/plain'], call, 1),
  framed(
    'names in Connection that would strip the framing',
    [right, 'Connection: Content-Length, Authorization, Host'],
    call,
    1,
  ),
  framed(
    'an upgrade to HTTP/2',
    [right, 'Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__'],
    call,
    1,
  ),
  framed(
    'an upgrade to a web socket',
    [
      right,
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
    ],
    call,
    1,
  ),
  framed('an expectation, and the body at once', [right, 'Expect: 100-continue'], call, 1),
  framed('an expectation that nobody knows', [right, 'Expect: 200-ok']),
  framed('early data', [right, 'Early-Data: 1'], call, 1),
  framed('a header of 17,000 bytes', [`X-Custom: ${'x'.repeat(17_000)}`, right]),
  framed('3,000 headers', [...Array.from({ length: 3000 }, (_each, index) => `X-${index}: 1`), right]),
  framed('a name of 9,000 bytes', [`X-${'x'.repeat(9000)}: 1`, right], call, 1),
  framed('the same header 200 times', [...Array.from({ length: 200 }, () => 'X-Custom: 1'), right], call, 1),
  {
    name: 'line feeds instead of line ends',
    bytes: (target) => post(target, [close, right]).replaceAll(end, '\n'),
    mayArrive: 0,
  },
  {
    name: 'a head that ends with a line feed',
    bytes: (target) => post(target, [close, right]).replace(`${end}${end}`, `${end}\n`),
    mayArrive: 0,
  },
  {
    name: 'line ends before the request line',
    bytes: (target) => `${end}${end}${post(target, [close, right])}`,
    mayArrive: 1,
  },
  {
    name: 'a blank line inside the head',
    bytes: (target) =>
      `${post(target, [close]).replace(`${end}${end}${call}`, '')}${end}${end}${right}${end}${end}${call}`,
    mayArrive: 0,
  },
];

/** The request line and `Host`, everything else being good. */
const started = (
  name: string,
  line: (target: CorpusTarget) => string,
  mayArrive: 0 | 1 = 0,
): SmugglingCase => ({
  name,
  bytes: (target) => post(target, [close, right]).replace(`POST ${target.path} HTTP/1.1`, line(target)),
  mayArrive,
});
const hosted = (name: string, hosts: (target: CorpusTarget) => Lines): SmugglingCase => ({
  name,
  bytes: (target) =>
    post(target, [close, right]).replace(
      `Host: ${target.host}${end}`,
      hosts(target)
        .map((line) => line + end)
        .join(''),
    ),
  mayArrive: 0,
});

const requestLines: readonly SmugglingCase[] = [
  started('HTTP/0.9', ({ path }) => `POST ${path}`),
  started('HTTP/1.0', ({ path }) => `POST ${path} HTTP/1.0`, 1),
  {
    name: 'HTTP/1.0 in chunks',
    bytes: (target) => post(target, [close, chunked], wholeChunked).replace('HTTP/1.1', 'HTTP/1.0'),
    mayArrive: 0,
  },
  started('HTTP/1.2', ({ path }) => `POST ${path} HTTP/1.2`),
  started('HTTP/2.0', ({ path }) => `POST ${path} HTTP/2.0`),
  started('HTTP/11.1', ({ path }) => `POST ${path} HTTP/11.1`),
  started('http in small letters', ({ path }) => `POST ${path} http/1.1`),
  started('the preface of HTTP/2', () => 'PRI * HTTP/2.0'),
  started('two blanks', ({ path }) => `POST  ${path} HTTP/1.1`, 1),
  started('a tab', ({ path }) => `POST\t${path} HTTP/1.1`),
  started('a blank behind', ({ path }) => `POST ${path} HTTP/1.1 `),
  started('a blank in the path', ({ path }) => `POST ${path} x HTTP/1.1`),
  started('a second version', ({ path }) => `POST ${path} HTTP/1.1 HTTP/1.1`),
  started('a NUL in the path', ({ path }) => `POST ${path}\0 HTTP/1.1`),
  started('a line feed in the path', ({ path }) => `POST ${path}\nX: HTTP/1.1`),
  started('bytes beyond ASCII in the path', ({ path }) => `POST ${path}\xff HTTP/1.1`),
  started('the absolute form', ({ host, path }) => `POST http://${host}${path} HTTP/1.1`),
  started('the absolute form of another host', ({ path }) => `POST http://evil.example${path} HTTP/1.1`),
  started('two slashes', ({ path }) => `POST /${path} HTTP/1.1`),
  started('a fragment', ({ path }) => `POST ${path}#x HTTP/1.1`),
  started('a small method', ({ path }) => `post ${path} HTTP/1.1`),
  started('a method that nobody knows', ({ path }) => `SMUGGLE ${path} HTTP/1.1`),
  started('CONNECT', ({ host }) => `CONNECT ${host} HTTP/1.1`),
  started('TRACE', ({ path }) => `TRACE ${path} HTTP/1.1`),
  hosted('no host', () => []),
  hosted('two hosts', ({ host }) => [`Host: ${host}`, 'Host: evil.example']),
  hosted('the same host twice', ({ host }) => [`Host: ${host}`, `Host: ${host}`]),
  hosted('an empty host', () => ['Host:']),
  hosted('two hosts in one header', ({ host }) => [`Host: ${host}, evil.example`]),
  hosted('a host with a name before it', ({ host }) => [`Host: evil.example@${host}`]),
  hosted('a host with a path', ({ host }) => [`Host: ${host}/evil`]),
  hosted('a foreign host', () => ['Host: evil.example']),
];

const others: readonly SmugglingCase[] = [
  {
    name: 'a GET with a body that is a request',
    bytes: (target) => {
      const body = hidden(target);
      const lines = [`Host: ${target.host}`, bearer(target), `Content-Length: ${body.length}`];
      return join([`GET ${target.path} HTTP/1.1`, ...lines, close], body);
    },
    mayArrive: 1,
  },
  {
    name: 'a GET in chunks',
    bytes: (target) =>
      join(
        [`GET ${target.path} HTTP/1.1`, `Host: ${target.host}`, bearer(target), chunked, close],
        wholeChunked,
      ),
    mayArrive: 1,
  },
  {
    name: 'a DELETE with a request behind it',
    bytes: (target) =>
      join([`DELETE ${target.path} HTTP/1.1`, `Host: ${target.host}`, bearer(target)]) + hidden(target),
    mayArrive: 1,
  },
  {
    name: 'no token, and a good request as its body',
    bytes: (target) => {
      const body = post(target, [close, right]);
      const lines = [`Host: ${target.host}`, json, `Content-Length: ${body.length}`, close];
      return join([`POST ${target.path} HTTP/1.1`, ...lines], body);
    },
    mayArrive: 0,
  },
  {
    name: 'two good requests in one packet',
    bytes: (target) => post(target, [right]) + post(target, [close, right]),
    mayArrive: 2,
  },
  {
    name: 'a good request, one without a token, a good one',
    bytes: (target) =>
      post(target, [right]) + hidden(target).replace(`${close}${end}`, '') + post(target, [close, right]),
    mayArrive: 2,
  },
  {
    name: 'a good request, and rubbish behind it',
    bytes: (target) => `${post(target, [right])}\0\xff${end}${end}GET / HTTP/1.1${end}${end}`,
    mayArrive: 1,
    isRacy: true,
  },
];

export const smugglingCorpus: readonly SmugglingCase[] = [
  ...lengths,
  ...transferEncodings,
  ...chunks,
  ...heads,
  ...requestLines,
  ...others,
];
