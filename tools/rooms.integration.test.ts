import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkHouse, findRoom, readHouse, renderMap } from './rooms.ts';
import { parseImports } from './sources.ts';

const manifest = (name: string, dependencies: Record<string, string>, exports: unknown = {}) =>
  JSON.stringify({ name, exports, dependencies });
const anyFile = { './*': { 'valetkey-source': './src/*.ts' } };

/** A house in small, where every import is right. */
const sound: Record<string, string> = {
  'package.json': JSON.stringify({ name: 'w', devDependencies: { vitest: '1' } }),
  'packages/core/package.json': manifest('@valetkey/core', { jose: '6' }, anyFile),
  'packages/core/src/base/result.ts': 'export type Result = 1;',
  'packages/core/src/policy/decide.ts': "import type { Result } from '../base/result.ts';\nimport 'jose';",
  'packages/gateway/package.json': manifest(
    '@valetkey/gateway',
    { '@valetkey/core': '1', 'oidc-provider': '9' },
    anyFile,
  ),
  'packages/gateway/src/oauth/provider.ts': "import 'oidc-provider';\nimport '@valetkey/core/base/result';",
  'packages/gateway/src/proxy/forward.ts': "import 'node:http';",
  'packages/gateway/src/gateway.ts': "import './oauth/provider.ts';\nexport * from './proxy/forward.ts';",
  'packages/gateway/src/proxy/forward.test.ts':
    "import { test } from 'vitest';\nimport '../oauth/provider.ts';",
  'packages/emulator/package.json': manifest(
    '@valetkey/entra-emulator',
    {},
    { '.': { 'valetkey-source': './src/emulator.ts' } },
  ),
  'packages/emulator/src/emulator.ts': 'export const one = 1;',
};

let at: string;
beforeEach(() => {
  at = mkdtempSync(join(tmpdir(), 'valetkey-rooms-'));
  execFileSync('git', ['init', '-q'], { cwd: at });
});
afterEach(() => rmSync(at, { recursive: true, force: true }));

function build(extra: Record<string, string> = {}) {
  for (const [path, text] of Object.entries({ ...sound, ...extra })) {
    mkdirSync(dirname(join(at, path)), { recursive: true });
    writeFileSync(join(at, path), text);
  }
  return readHouse(at);
}

test('a house in order has no fault', () => {
  expect(checkHouse(build())).toEqual([]);
});

test.each([
  [
    'an edge imports an edge',
    'packages/gateway/src/proxy/bad.ts',
    "import '../oauth/provider.ts';",
    'room gateway/proxy may not import room gateway/oauth',
  ],
  [
    'a type alone counts',
    'packages/gateway/src/proxy/bad.ts',
    "type T = import('../oauth/provider.ts').T;",
    'may not import room gateway/oauth',
  ],
  [
    'a lazy import counts',
    'packages/gateway/src/proxy/bad.ts',
    "await import('../oauth/provider.ts');",
    'may not import room gateway/oauth',
  ],
  [
    'a re-export counts',
    'packages/gateway/src/proxy/bad.ts',
    "export { a } from '../oauth/provider.ts';",
    'may not import room gateway/oauth',
  ],
  ['a computed import', 'packages/gateway/src/proxy/bad.ts', 'await import(name);', 'nobody can judge'],
  [
    'a service imports an edge',
    'packages/gateway/src/store/bad.ts',
    "import '../proxy/forward.ts';",
    'room gateway/store may not import room gateway/proxy',
  ],
  ['core does I/O', 'packages/core/src/policy/bad.ts', "import 'node:fs';", 'pure and may not use node:fs'],
  [
    'core does I/O, old spelling',
    'packages/core/src/policy/bad.ts',
    "import 'fs/promises';",
    'pure and may not use node:fs/promises',
  ],
  [
    'base imports upward',
    'packages/core/src/base/bad.ts',
    "import '../policy/decide.ts';",
    'room core/base may not import room core/policy',
  ],
  [
    'the emulator shares code',
    'packages/emulator/src/bad.ts',
    "import '@valetkey/core/base/result';",
    '@valetkey/core is not a dependency',
  ],
  [
    'a path that is not exported',
    'packages/gateway/src/proxy/bad.ts',
    "import '@valetkey/core/src/base/result.ts';",
    'does not export',
  ],
  [
    'a package entered sideways',
    'packages/gateway/src/proxy/bad.ts',
    "import '../../../core/src/base/result.ts';",
    'by a relative path',
  ],
  [
    'a package that is there by luck',
    'packages/gateway/src/proxy/bad.ts',
    "import 'jose';",
    'jose is not a dependency',
  ],
  [
    'MSAL outside its room',
    'packages/gateway/src/session/bad.ts',
    "import '@azure/msal-node';",
    'belongs in room gateway/entra or local alone',
  ],
  [
    'oidc-provider outside its room',
    'packages/gateway/src/consent/bad.ts',
    "import 'oidc-provider';",
    'belongs in room gateway/oauth alone',
  ],
  ['a room nobody named', 'packages/gateway/src/attic/bad.ts', '', 'is in no room'],
  ['a file that is not there', 'packages/gateway/src/proxy/bad.ts', "import './gone.ts';", 'does not exist'],
  [
    'the product imports a test',
    'packages/gateway/src/proxy/bad.ts',
    "import './forward.test.ts';",
    'imports the test file',
  ],
])('%s: refused', (_, path, text, why) => {
  const faults = checkHouse(build({ [path]: text }));
  expect(faults).toHaveLength(1);
  expect(faults[0]).toContain(path);
  expect(faults[0]).toContain(why);
});

test('imports are found by syntax, not by the look of the text', () => {
  const text =
    "// import './no.ts'\nconst s = `import './no.ts'`;\nconst r = /['`]/;\nimport { x } from './yes.ts';";
  expect(parseImports('a.ts', text)).toEqual([{ specifier: './yes.ts', line: 4 }]);
});

test('a room owns its folder, or its file with the tests beside it', () => {
  expect(findRoom('packages/gateway/src/enforce/check.ts')).toBe('gateway/enforce');
  expect(findRoom('packages/gateway/src/mcp-endpoint.integration.test.ts')).toBe('gateway/mcp-endpoint.ts');
  expect(findRoom('packages/emulator/src/deep/down.ts')).toBe('emulator');
  expect(findRoom('examples/snippets/src/server.ts')).toBe('examples/snippets');
  expect(findRoom('packages/gateway/src/enforcer/x.ts')).toBeUndefined();
});

test('the map shows what each room really imports', () => {
  expect(renderMap(build())).toMatch(
    /`gateway\/gateway\.ts` \|.*\| 1 \| under 100 \| `gateway\/oauth`, `gateway\/proxy` \|/,
  );
});
