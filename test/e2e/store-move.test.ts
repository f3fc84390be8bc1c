import { access, readFile, stat, writeFile } from 'node:fs/promises';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEmulator, type Emulator } from '@valetkey/entra-emulator';
import { type RealServer, startPostgres, startRedis } from '@valetkey/gateway/store/real-servers.suite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { repositoryRoot, runCommand } from '../support/command.ts';
import { callMcp, obtainTokens, refresh } from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';
import { goToConsent } from '../support/sign-in-steps.ts';

let directory: string;
let emulator: Emulator;
let servers: readonly RealServer[] = [];
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'valetkey-move-'));
  emulator = await createEmulator();
  servers = await Promise.all([startPostgres(), startRedis()]);
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.close()));
  await emulator.close();
  await rm(directory, { recursive: true, force: true });
});

async function valetkey(product: Pick<Product, 'env'>, store: string, ...args: string[]) {
  const main = join(repositoryRoot, 'packages/cli/src/main.ts');
  const options = ['--conditions=valetkey-source', '--disable-warning=ExperimentalWarning', main];
  return runCommand(process.execPath, [...options, ...args], { env: { ...product.env, STORE: store } });
}

/** The product's configuration with another store, in a file beside it. */
async function withStore(product: Product, name: string, store: string): Promise<string> {
  const document = parse(await readFile(product.configFile, 'utf8')) as Record<string, unknown>;
  const path = join(product.directory, name);
  await writeFile(path, stringify({ ...document, store }));
  return path;
}

test('A57 D22 D49 D50: a trial on SQLite moves to PostgreSQL, then to Redis, and nobody signs in or registers again', async () => {
  const [postgres, redis] = servers;
  const first = await startProduct({ directory, emulator });
  const port = Number(new URL(first.url).port);
  const people = [first.people.reader, first.people.writer, first.people.admin];
  const signedIn = await Promise.all(people.map((person) => obtainTokens(first, person)));
  await first.close();
  const exported = join(directory, 'export.ndjson');
  const entraSignIns = async (product: Product) =>
    (await product.readAudit()).filter(({ event }) => event === 'callback').length;
  const callbacks = await entraSignIns(first);

  const out = await valetkey(first, '', 'export', '--config', first.configFile, '--output', exported);
  expect(out, out.stderr).toMatchObject({ code: 0, stdout: '' });
  expect((await stat(exported)).mode & 0o777).toBe(0o600);
  const text = await readFile(exported, 'utf8');
  for (const secret of signedIn.flatMap(({ accessToken, refreshToken }) => [accessToken, refreshToken])) {
    expect(text.includes(secret)).toBe(false);
  }
  for (const { username } of people) expect(text).not.toContain(username);

  const onServer = await withStore(first, 'server.yaml', 'env:STORE');
  const migrated = await valetkey(first, postgres?.url ?? '', 'migrate', '--config', onServer);
  expect(migrated, migrated.stderr).toMatchObject({ code: 0, stdout: 'PostgreSQL: layout 1, was 0\n' });
  const into = await valetkey(
    first,
    postgres?.url ?? '',
    'import',
    '--config',
    onServer,
    '--input',
    exported,
  );
  expect(into, into.stderr).toMatchObject({ code: 0 });
  expect(into.stdout).toMatch(/^\d+ records\n$/);

  let tokens = signedIn;
  const goOn = async (store: string): Promise<void> => {
    const product = await startProduct({
      directory,
      emulator,
      port,
      config: { store: 'env:STORE' },
      env: { STORE: store },
    });
    const next = [];
    for (const { clientId, accessToken, refreshToken } of tokens) {
      expect((await callMcp(product.mcpUrl, accessToken, 'tools/list')).status).toBe(200);
      const { status, body } = await refresh(product, clientId, refreshToken);
      expect(status, JSON.stringify(body)).toBe(200);
      next.push({
        clientId,
        accessToken: String(body['access_token']),
        refreshToken: String(body['refresh_token']),
      });
      expect((await goToConsent(product, { clientId })).page.status, 'the client is still known').toBe(200);
    }
    tokens = next;
    expect(await entraSignIns(product), 'nobody came back from Entra').toBe(callbacks);
    await product.close();
  };
  await goOn(postgres?.url ?? '');

  const piped = join(directory, 'from-postgres.ndjson');
  const again = await valetkey(first, postgres?.url ?? '', 'export', '--config', onServer);
  expect(again.code, again.stderr).toBe(0);
  await writeFile(piped, again.stdout);
  const last = await valetkey(first, redis?.url ?? '', 'import', '--config', onServer, '--input', piped);
  expect(last.code, last.stderr).toBe(0);
  await goOn(redis?.url ?? '');
}, 120_000);

test('export and import say what is wrong, in a sentence, and change nothing', async () => {
  const product = await startProduct();
  await obtainTokens(product, product.people.reader);
  const exported = join(product.directory, 'export.ndjson');
  const config = product.configFile;
  const run = (...args: string[]) => valetkey(product, '', ...args);
  expect((await run('export', '--config', config, '--output', exported)).code).toBe(0);

  const twice = await run('export', '--config', config, '--output', exported);
  expect(twice).toMatchObject({ code: 1, stderr: expect.stringContaining('EEXIST') as string });
  const full = await run('import', '--config', config, '--input', exported);
  expect(full).toMatchObject({ code: 1, stderr: expect.stringContaining('holds records already') as string });
  const nowhere = join(product.directory, 'no-such-file');
  const missing = await run('import', '--config', config, '--input', nowhere, '--merge');
  expect(missing).toMatchObject({ code: 1, stderr: expect.stringContaining('ENOENT') as string });
  expect(missing.stderr).not.toMatch(/\n\s+at /);

  const elsewhere = await withStore(product, 'elsewhere.yaml', 'sqlite:./elsewhere.db');
  const strangeKeys = await readFile(elsewhere, 'utf8').then((text) =>
    text.replace('keys.json', 'other-keys.json'),
  );
  const strange = join(product.directory, 'strange.yaml');
  await writeFile(strange, strangeKeys);
  const withoutKeys = await run('import', '--config', strange, '--input', exported);
  expect(withoutKeys).toMatchObject({ code: 1, stderr: expect.stringContaining('does not exist') as string });
  await expect(access(join(product.directory, 'other-keys.json')), 'and none was made').rejects.toThrow(
    /ENOENT/,
  );

  const merged = await run('import', '--config', config, '--input', exported, '--merge');
  expect(merged.code, merged.stderr).toBe(0);
  const away = await valetkey(
    product,
    'postgres://nobody@127.0.0.1:1/none',
    'migrate',
    '--config',
    await withStore(product, 'away.yaml', 'env:STORE'),
  );
  expect(away).toMatchObject({ code: 1, stderr: expect.stringContaining('ECONNREFUSED') as string });
  await product.close();
}, 60_000);
