import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { readBody } from '@valetkey/gateway/http/body';
import type { Exchange } from '@valetkey/gateway/http/exchange';
import { expect, test, vi } from 'vitest';
import { adoptBody, createDoor } from './door.ts';

/** A request as a body parser leaves it behind. */
async function parsed(type: string, body: unknown): Promise<IncomingMessage & { body?: unknown }> {
  const req = Object.assign(new IncomingMessage(new Socket()), { headers: { 'content-type': type }, body });
  req.push(null);
  for await (const _ of req) continue;
  return req;
}

async function adopted(type: string, body: unknown): Promise<string> {
  const req = await parsed(type, body);
  adoptBody(req);
  const read = await readBody({ req, res: new ServerResponse(req) } as unknown as Exchange, 1000);
  return read.ok ? Buffer.from(read.value).toString() : read.error;
}

const form = 'application/x-www-form-urlencoded';

test.each([
  ['of a form', form, { grant_type: 'refresh_token', scope: 'a b' }, 'grant_type=refresh_token&scope=a+b'],
  ['of a form with a charset', `${form}; charset=utf-8`, { a: 'ä&=' }, 'a=%C3%A4%26%3D'],
  ['with a field that came twice', form, { client_id: ['one', 'two'] }, 'client_id=one&client_id=two'],
  [
    'of an extended parser',
    form,
    { a: { b: 'c', d: ['e', { f: 'g' }] } },
    'a%5Bb%5D=c&a%5Bd%5D=e&a%5Bd%5D%5Bf%5D=g',
  ],
  ['of JSON', 'application/json', { jsonrpc: '2.0', id: 1 }, '{"jsonrpc":"2.0","id":1}'],
  ['of JSON by another name', 'application/merge-patch+json', [1], '[1]'],
  ['kept as bytes', 'application/octet-stream', Buffer.from('{"a":1}'), '{"a":1}'],
  ['kept as text', 'text/plain', 'hello', 'hello'],
])('a body %s is read again as it was', async (_what, type, body, expected) => {
  expect(await adopted(type, body)).toBe(expected);
});

test('a body whose parser left nothing behind is not taken for an empty one', async () => {
  const req = await parsed('multipart/form-data', { a: 'b' });
  expect(() => adoptBody(req)).toThrow('put its handlers before body parsers');
});

test('D16: and that is an error for Express; a plain server answers 500 and goes on', async () => {
  const options = { publicUrl: 'http://localhost:3001', allowedOrigins: 'any' } as never;
  const door = createDoor([{ path: '/mcp', methods: ['*'] } as never], options);
  const req = Object.assign(await parsed('multipart/form-data', { a: 'b' }), { url: '/mcp', method: 'POST' });
  let error: unknown;
  door(req, new ServerResponse(req), (fault) => {
    error = fault;
  });
  expect(error).toBeInstanceOf(TypeError);
  const warn = vi.spyOn(process, 'emitWarning').mockReturnValue();
  const res = new ServerResponse(req);
  door(req, res);
  expect(res.statusCode).toBe(500);
  expect(warn).toHaveBeenCalledOnce();
  warn.mockRestore();
});

test('a body that nobody has read yet is left to be read', () => {
  const req = Object.assign(new IncomingMessage(new Socket()), { body: {} });
  expect(() => adoptBody(req)).not.toThrow();
});
