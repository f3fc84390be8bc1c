import type { EmulatorRequest } from '../request.ts';
import { badRequest } from './graph-error.ts';

const EMPTY = 'Empty Payload. JSON content expected.';
const UNREADABLE =
  'Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.';

/** @throws GraphError 400, in Graph's two sentences for it */
export function readJsonObject(request: EmulatorRequest): Readonly<Record<string, unknown>> {
  if (request.bodyText === '') throw badRequest(EMPTY, 'BadRequest');
  const isJson = (request.headers['content-type'] ?? '').toLowerCase().startsWith('application/json');
  const value = isJson ? parseJson(request.bodyText) : undefined;
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw badRequest(UNREADABLE, 'BadRequest');
  return value as Readonly<Record<string, unknown>>;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** @throws GraphError 400 */
export function readTexts(body: Readonly<Record<string, unknown>>, name: string): readonly string[] {
  const value = body[name];
  if (Array.isArray(value) && value.every((each) => typeof each === 'string')) return value;
  throw badRequest(`The parameter '${name}' must be a collection of strings.`);
}
