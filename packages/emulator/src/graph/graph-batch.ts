/**
 * `$batch`: up to twenty requests in one. The envelope is 200 whatever the items are; each has its own status and headers,
 * and is throttled by itself.
 */
import type { Realm } from '../realm.ts';
import type { EmulatorRequest, Reply } from '../request.ts';
import { readJsonObject } from './graph-body.ts';
import { replyOdata } from './graph-collection.ts';
import { badRequest } from './graph-error.ts';

const MAX_ITEMS = 20;

interface Item {
  readonly id: string;
  readonly dependsOn: readonly string[];
  readonly request: EmulatorRequest;
}

type AnswerItem = (realm: Realm, request: EmulatorRequest) => Promise<Reply>;

/** @throws GraphError 400 when the envelope itself is wrong: too many, ids twice, a dependency on nobody or in a circle */
export async function handleBatch(
  realm: Realm,
  request: EmulatorRequest,
  answer: AnswerItem,
): Promise<Reply> {
  const items = readItems(request);
  const responses = new Map<string, Record<string, unknown> & { readonly status: number }>();
  let waiting = items;
  while (waiting.length > 0) {
    const ready = waiting.filter((item) => item.dependsOn.every((id) => responses.has(id)));
    if (ready.length === 0)
      throw badRequest('The requests of the batch depend on each other in a circle.', 'BadRequest');
    for (const item of ready) {
      const failed = item.dependsOn.some((id) => (responses.get(id)?.status ?? 500) >= 400);
      responses.set(
        item.id,
        failed ? dependencyFailed(item) : renderItem(item, await answer(realm, item.request)),
      );
    }
    waiting = waiting.filter((item) => !responses.has(item.id));
  }
  return replyOdata(request, { responses: [...responses.values()] });
}

function readItems(request: EmulatorRequest): readonly Item[] {
  const { requests } = readJsonObject(request);
  if (!Array.isArray(requests) || requests.length === 0)
    throw badRequest("Invalid batch payload format: 'requests' is missing or empty.", 'BadRequest');
  if (requests.length > MAX_ITEMS)
    throw badRequest(
      `Number of batch request steps exceeds the maximum value of ${MAX_ITEMS}.`,
      'BadRequest',
    );
  const items = requests.map((each) => readItem(request, each));
  const ids = items.map((item) => item.id.toLowerCase());
  if (new Set(ids).size !== ids.length)
    throw badRequest('Request Id must be unique in a batch.', 'BadRequest');
  const known = new Set(items.map((item) => item.id));
  const lost = items.flatMap((item) => item.dependsOn).find((id) => !known.has(id));
  if (lost !== undefined)
    throw badRequest(`A request depends on '${lost.slice(0, 50)}', which is not in the batch.`, 'BadRequest');
  return items;
}

function readItem(envelope: EmulatorRequest, value: unknown): Item {
  const given = (typeof value === 'object' && value !== null ? value : {}) as Readonly<
    Record<string, unknown>
  >;
  const { id, method, url, dependsOn = [], body } = given;
  if (typeof id !== 'string' || id === '') throw badRequest('Request Id is missing or empty.', 'BadRequest');
  const named = `(request id ${id.slice(0, 50)})`;
  if (typeof method !== 'string' || typeof url !== 'string')
    throw badRequest(`Request method and url must be given ${named}.`, 'BadRequest');
  if (!Array.isArray(dependsOn) || !dependsOn.every((each) => typeof each === 'string'))
    throw badRequest(`dependsOn must be a list of request ids ${named}.`, 'BadRequest');
  const headers = readHeaders(given['headers']);
  const isWrite = ['POST', 'PATCH', 'PUT'].includes(method.toUpperCase());
  if (isWrite && (body === undefined || headers['content-type'] === undefined))
    throw badRequest(
      `Write request id : ${id.slice(0, 50)} does not contain Content-Type header or body.`,
      'BadRequest',
    );
  const target = parseUrl(envelope, url);
  if (target === undefined) throw badRequest(`The url of a request must be relative ${named}.`, 'BadRequest');
  return {
    id,
    dependsOn,
    request: {
      ...envelope,
      method: method.toUpperCase(),
      path: target.pathname,
      query: target.searchParams,
      form: new URLSearchParams(),
      bodyText: body === undefined ? '' : JSON.stringify(body),
      // The token of the envelope serves all of them.
      headers: { ...headers, authorization: envelope.headers.authorization ?? '' },
    },
  };
}

function readHeaders(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(Object.entries(value).map(([name, text]) => [name.toLowerCase(), String(text)]));
}

function parseUrl(envelope: EmulatorRequest, url: string): URL | undefined {
  const version = envelope.path.split('/')[1] ?? 'v1.0';
  const text = `${envelope.origin}/${version}/${url.replace(/^\/+/, '')}`;
  return URL.canParse(text) && !/^[a-z]+:/i.test(url) ? new URL(text) : undefined;
}

function renderItem(item: Item, reply: Reply): Record<string, unknown> & { readonly status: number } {
  const headers = Object.fromEntries(
    Object.entries(reply.headers ?? {}).map(([name, value]) => [spellHeader(name), value]),
  );
  const isJson = /json/.test(reply.headers?.['content-type'] ?? '');
  const body =
    reply.body === undefined || reply.body === ''
      ? {}
      : { body: isJson ? (JSON.parse(reply.body) as unknown) : Buffer.from(reply.body).toString('base64') };
  return { id: item.id, status: reply.status, headers, ...body };
}

/** Inside JSON a header's name is text, and clients look for the usual spelling. */
function spellHeader(name: string): string {
  if (name === 'odata-version') return 'OData-Version';
  if (name.endsWith('request-id')) return name;
  return name.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());
}

function dependencyFailed(item: Item): Record<string, unknown> & { readonly status: number } {
  const error = { code: 'FailedDependency', message: 'A request this one depends on has failed.' };
  return { id: item.id, status: 424, headers: { 'Content-Type': 'application/json' }, body: { error } };
}
