/**
 * Room `control-server`: the control plane over HTTP: `POST /emulator/control/v1/<function>` with the arguments by name as
 * JSON. The page of a foreign site must not reach it through the person's browser (CVE-2025-49596): it wants a bearer
 * token that no page has, refuses what a foreign page sends, and the listener refuses foreign Host headers before.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { Control } from './control.ts';
import { CONTROL_PATH, commands, LOG_PAGE } from './control-commands.ts';
import { type EmulatorRequest, jsonReply, MAX_BODY_BYTES, type Reply } from './request.ts';
import type { RequestLogQuery } from './request-log.ts';
import { isSameSecret } from './same-secret.ts';
import { describeFault, object } from './shape.ts';

export const MIN_TOKEN_CHARACTERS = 16;
/** A snapshot of a full emulator is large; nobody without the token may send that much. */
const MAX_CONTROL_BODY_BYTES = 256 * 1024 * 1024;

/** @throws RangeError for a token that can be guessed */
export function checkControlToken(token: string): void {
  if (!/^[\x21-\x7e]*$/.test(token) || token.length < MIN_TOKEN_CHARACTERS)
    throw new RangeError(
      `The control token wants ${MIN_TOKEN_CHARACTERS} characters at least, without blanks: it may disable people and read every secret here`,
    );
}

export function isControlAuthorized(headers: IncomingHttpHeaders, token: string): boolean {
  const given = /^Bearer +([\x21-\x7e]+)$/i.exec(headers.authorization ?? '')?.[1];
  return given !== undefined && isSameSecret(given, token);
}

/** How long a body may be, judged by the headers alone. */
export function maxBodyBytes(path: string, headers: IncomingHttpHeaders, token: string): number {
  return path.startsWith(CONTROL_PATH) && isControlAuthorized(headers, token)
    ? MAX_CONTROL_BODY_BYTES
    : MAX_BODY_BYTES;
}

/** A browser names the page that asks. Only a page of this very origin may. */
export function isFromForeignPage(request: EmulatorRequest): boolean {
  const { origin, host } = request.headers;
  const site = request.headers['sec-fetch-site'];
  const own = `${new URL(request.origin).protocol}//${host ?? ''}`;
  const isOwnSite = site === undefined || site === 'same-origin' || site === 'none';
  return (origin !== undefined && origin !== own) || !isOwnSite;
}

export async function answerControl(
  control: Control,
  token: string,
  request: EmulatorRequest,
): Promise<Reply> {
  if (isFromForeignPage(request))
    return refuse(403, 'foreign_origin', 'Web pages may not control the emulator.');
  if (!isControlAuthorized(request.headers, token))
    return refuse(401, 'unauthorized', 'Send the control token: Authorization: Bearer …', {
      'www-authenticate': 'Bearer realm="emulator control"',
    });
  const name = request.path.slice(CONTROL_PATH.length);
  if (!isCommand(name))
    return refuse(404, 'no_such_function', `There is ${Object.keys(commands).join(', ')}.`);
  if (request.method !== 'POST') return refuse(405, 'method_not_allowed', 'Use POST.', { allow: 'POST' });
  const args = readArguments(name, request);
  return Array.isArray(args) ? call(control, name, args) : args;
}

function isCommand(name: string): name is keyof Control {
  return Object.hasOwn(commands, name);
}

/** The arguments in their order, or the refusal that names every fault. */
function readArguments(name: keyof Control, request: EmulatorRequest): unknown[] | Reply {
  const isJson = /^application\/json\b/i.test(request.headers['content-type'] ?? '');
  if (request.bodyText !== '' && !isJson)
    return refuse(415, 'unsupported_media_type', 'Send application/json.');
  const given = parseJson(request.bodyText === '' ? '{}' : request.bodyText);
  if (given === undefined) return refuse(400, 'bad_arguments', 'The body is not JSON.');
  const faults = object(Object.fromEntries(commands[name]) as never).judge(given, '$');
  if (faults.length > 0) return refuse(400, 'bad_arguments', faults.map(describeFault).join('; '));
  return commands[name].map(([argument]) => (given as Record<string, unknown>)[argument]);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

async function call(control: Control, name: keyof Control, args: readonly unknown[]): Promise<Reply> {
  const run = control[name] as (...values: readonly unknown[]) => unknown;
  try {
    const value = await run(...(name === 'requestLog' ? [pageOf(args[0] as RequestLogQuery)] : args));
    return jsonReply(200, value === undefined ? {} : { value });
  } catch (problem) {
    if (problem instanceof RangeError) return refuse(404, 'not_found', problem.message);
    if (problem instanceof TypeError) return refuse(400, 'bad_arguments', problem.message);
    return refuse(500, 'emulator_fault', 'The emulator itself failed.');
  }
}

function pageOf(query: RequestLogQuery = {}): RequestLogQuery {
  return { ...query, limit: query.limit ?? LOG_PAGE };
}

function refuse(
  status: number,
  error: string,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): Reply {
  return jsonReply(status, { error, message }, headers);
}
