import { expect, test } from 'vitest';
import { loadOptional } from './optional-package.ts';

const notThere = (message: string) => Object.assign(new Error(message), { code: 'ERR_MODULE_NOT_FOUND' });

test('what is there is loaded', async () => {
  expect(await loadOptional('A store', async () => 7)).toBe(7);
});

test('a missing package is named, with what to do', async () => {
  const fault = notThere("Cannot find package 'redis' imported from /srv/app/node_modules/a/redis.js");
  const loading = loadOptional('A store in Redis', () => Promise.reject(fault));
  await expect(loading).rejects.toThrow('A store in Redis needs the package redis: npm install redis');
  await expect(loading).rejects.not.toThrow('/srv');
});

test.each([
  notThere("Cannot find module '/srv/app/redis.js' imported from /srv/app/index.js"),
  new SyntaxError('Unexpected token'),
  'a text',
])('another failure stays what it is', async (fault) => {
  await expect(loadOptional('A store', () => Promise.reject(fault))).rejects.toBe(fault);
});
