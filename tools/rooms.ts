/**
 * Catches: an import against the direction of the house, long before anybody feels it: an edge that leans on another
 * edge, a core room that starts to do I/O, MSAL outside its room, a path into a package that the package does not
 * export, a package that is installed only by luck. Also writes docs/map.md from the same table (`--write`) and
 * fails when that page is out of date.
 */
import { isBuiltin } from 'node:module';
import { existsSync, writeFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { homes, pureBuiltins, rooms, wayOfARequest } from './rooms.table.ts';
import { type Import, isTestFile, listFiles, parseImports, readText, root } from './sources.ts';
import { finish } from './verdict.ts';

interface Manifest {
  readonly name: string;
  readonly exports?: Readonly<Record<string, string | { readonly 'valetkey-source'?: string }>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}
interface Source {
  readonly path: string;
  readonly room: string | undefined;
  readonly isTest: boolean;
  readonly text: string;
}
export interface House {
  readonly at: string;
  readonly sources: readonly Source[];
  /** By folder; the root's is ''. */
  readonly manifests: ReadonlyMap<string, Manifest>;
}

const roomNames = Object.keys(rooms).toSorted((a, b) => b.length - a.length);

/** `packages/gateway/src/http/cors.ts` is at `gateway/http/cors.ts`; the longest room name that fits decides. */
export function findRoom(path: string): string | undefined {
  const place = path.replace(/^packages\//, '').replace(/^((?:examples\/)?[^/]+)\/src\//, '$1/');
  return roomNames.find((room) => {
    const ownsTests =
      room.endsWith('.ts') && place.startsWith(room.slice(0, -'ts'.length)) && isTestFile(place);
    return place === room || place.startsWith(`${room}/`) || ownsTests;
  });
}

export function readHouse(at: string = root): House {
  const files = listFiles(at);
  const sources = files
    .filter((path) => /^(packages|examples|test|tools|bench)\/.*\.ts$/.test(path))
    .map((path) => ({
      path,
      room: findRoom(path),
      isTest: isTestFile(path) || /^(test|bench)\//.test(path),
      text: readText(path, at),
    }));
  const manifests = new Map<string, Manifest>();
  for (const path of files.filter((file) => /^((packages|examples)\/[^/]+\/)?package\.json$/.test(file))) {
    manifests.set(posix.dirname(path).replace(/^\.$/, ''), JSON.parse(readText(path, at)));
  }
  return { at, sources, manifests };
}

const packageName = (specifier: string) =>
  specifier.startsWith('@')
    ? specifier.split('/').slice(0, 2).join('/')
    : (specifier.split('/')[0] ?? specifier);
const folderOf = (path: string) => /^(?:packages|examples)\/[^/]+/.exec(path)?.[0] ?? '';

/** The file behind `@valetkey/core/base/result`, by that package's `valetkey-source` condition. */
function findExported(folder: string, manifest: Manifest, specifier: string): string | undefined {
  const wanted = `.${specifier.slice(manifest.name.length)}`;
  for (const [pattern, target] of Object.entries(manifest.exports ?? {})) {
    const file = typeof target === 'string' ? target : target['valetkey-source'];
    const [before = '', after] = pattern.split('*');
    if (!file || !wanted.startsWith(before) || (after === undefined && wanted !== pattern)) continue;
    return posix.join(folder, after === undefined ? file : file.replace('*', wanted.slice(before.length)));
  }
  return undefined;
}

/** Which names a file may import from node_modules. */
function declared(house: House, source: Source): Set<string> {
  const own = house.manifests.get(folderOf(source.path));
  const names = (manifest: Manifest | undefined, dev: boolean) =>
    Object.keys({
      ...manifest?.dependencies,
      ...manifest?.optionalDependencies,
      ...manifest?.peerDependencies,
      ...(dev && manifest?.devDependencies),
    });
  const isDev = source.isTest || folderOf(source.path) === '';
  const all = isDev
    ? [...house.manifests.values()].flatMap((manifest) => [manifest.name, ...names(manifest, true)])
    : [];
  return new Set([...names(own, isDev), ...all]);
}

/** The file that an import of ours leads to, or why it may not. Undefined for a package that is not ours. */
function resolveOwn(
  house: House,
  source: Source,
  specifier: string,
): { file?: string; fault?: string } | undefined {
  if (specifier.startsWith('.')) {
    const file = posix.join(posix.dirname(source.path), specifier);
    if (!existsSync(join(house.at, file))) return { fault: `imports ${specifier}, which does not exist` };
    // What supports tests (`*.suite.ts`) is no part of its package, so it has no exported name.
    const isSupport = source.isTest && file.endsWith('.suite.ts');
    if (folderOf(file) !== folderOf(source.path) && !isSupport)
      return { fault: `reaches into ${folderOf(file) || file} by a relative path` };
    return { file };
  }
  for (const [folder, manifest] of house.manifests) {
    if (packageName(specifier) !== manifest.name) continue;
    const file = findExported(folder, manifest, specifier);
    return file && existsSync(join(house.at, file))
      ? { file }
      : { fault: `imports ${specifier}, which ${manifest.name} does not export` };
  }
  return undefined;
}

function checkRoom(from: Source, to: string): string | undefined {
  const target = findRoom(to);
  if (!target) return `imports ${to}, which is in no room of the table`;
  if (isTestFile(to) && !from.isTest) return `imports the test file ${to}`;
  const may = rooms[from.room ?? '']?.may ?? [];
  if (from.isTest || target === from.room || may === 'anything' || may.includes(target)) return undefined;
  return `room ${from.room} may not import room ${target}`;
}

function checkForeign(house: House, from: Source, specifier: string): string | undefined {
  const name = isBuiltin(specifier) ? `node:${specifier.replace(/^node:/, '')}` : packageName(specifier);
  const home = homes[name];
  if (home && !home.includes(from.room ?? '') && !from.isTest)
    return `${name} belongs in room ${home.join(' or ')} alone`;
  if (isBuiltin(specifier)) {
    const isPure = rooms[from.room ?? '']?.pure && !from.isTest;
    return isPure && !pureBuiltins.includes(name)
      ? `room ${from.room} is pure and may not use ${name}`
      : undefined;
  }
  return declared(house, from).has(name) ? undefined : `${name} is not a dependency of this package`;
}

function checkImport(house: House, from: Source, { specifier, line }: Import): string | undefined {
  const at = `${from.path}:${line}`;
  if (specifier === undefined)
    return from.isTest || !folderOf(from.path)
      ? undefined
      : `${at}: imports a computed name, which nobody can judge`;
  const own = resolveOwn(house, from, specifier);
  const isForeign = !specifier.startsWith('.') && !isOwnFolder(house, from, specifier);
  const undeclared = isForeign ? checkForeign(house, from, specifier) : undefined;
  const fault = own?.fault ?? undeclared ?? (own?.file && checkRoom(from, own.file));
  return fault && `${at}: ${fault}`;
}

const isOwnFolder = (house: House, from: Source, specifier: string) =>
  house.manifests.get(folderOf(from.path))?.name === packageName(specifier);

/** Every import that goes the wrong way, as `file:line: what is wrong`. */
export function checkHouse(house: House): string[] {
  return house.sources.flatMap((source) => {
    if (!source.room) return [`${source.path}: is in no room of tools/rooms.table.ts`];
    return parseImports(source.path, source.text).flatMap((one) => checkImport(house, source, one) ?? []);
  });
}

function describeRoom(house: House, name: string): string {
  const inside = house.sources.filter((source) => source.room === name);
  const files = inside.filter((source) => !source.isTest || name === 'test' || name === 'bench');
  const lines = files.reduce((sum, source) => sum + source.text.split('\n').length - 1, 0);
  const used = new Set<string>();
  for (const source of files) {
    for (const { specifier } of parseImports(source.path, source.text)) {
      const file = specifier && resolveOwn(house, source, specifier)?.file;
      const room = file && findRoom(file);
      if (room && room !== name) used.add(room);
    }
  }
  const about = lines < 100 ? 'under 100' : `about ${Math.round(lines / 100) * 100}`;
  const imports = [...used].toSorted().map((room) => `\`${room}\``);
  return `| \`${name}\` | ${rooms[name]?.purpose} | ${files.length} | ${about} | ${imports.join(', ') || '–'} |`;
}

/** The text of docs/map.md: what is where, and the way of a request. Lines are rounded, so that small edits keep it true. */
export function renderMap(house: House): string {
  const present = Object.keys(rooms).filter((name) => house.sources.some((source) => source.room === name));
  const steps = wayOfARequest.map(([room, step], index) => `${index + 1}. \`${room}\`: ${step}`);
  return [
    '# Map',
    '',
    'Written by `npm run generate` from `tools/rooms.table.ts`, which also says what each room may import; a check refuses the rest.',
    'A room is a folder or a file below the `src` of its package. Files and lines leave the tests beside them out.',
    '',
    '| room | purpose | files | lines | imports |',
    '|---|---|---|---|---|',
    ...present.map((name) => describeRoom(house, name)),
    '',
    '## The way of an MCP request',
    '',
    ...steps,
    '',
  ].join('\n');
}

if (import.meta.main) {
  const house = readHouse();
  const path = join(root, 'docs', 'map.md');
  const map = renderMap(house);
  if (process.argv.includes('--write')) writeFileSync(path, map);
  const isCurrent = existsSync(path) && readText('docs/map.md') === map;
  finish('rooms', [
    ...checkHouse(house),
    ...(isCurrent ? [] : ['docs/map.md is out of date: npm run generate']),
  ]);
}
