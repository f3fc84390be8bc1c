/** Turns what zod found into faults that name a remedy. No message repeats the value that was written. */
import * as z from 'zod';
import { findLikelyWord } from './did-you-mean.ts';
import { type Complaint, complain, type ConfigFault, describePath } from './fault.ts';

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

export function listShapeFaults(error: z.ZodError, schema: z.ZodType): ConfigFault[] {
  return error.issues.flatMap((issue) => faultsOf(issue, [], schema));
}

function faultsOf(issue: Issue, base: Path, root: z.ZodType): ConfigFault[] {
  const path = [...base, ...issue.path];
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(key, path, root));
  if (issue.code === 'invalid_union') return faultsOfUnion(issue, path, root);
  if (issue.code === 'invalid_key') {
    return issue.issues.flatMap((inner) => faultsOf({ ...inner, path: [] }, path, root));
  }
  const complaint = describeIssue(issue, listKnownKeys(root, path), describeMember(root, path));
  return [{ path: describePath(path) || 'the file', ...complaint }];
}

/** The branch that got furthest is the one that was meant; where none got past its first step, all are named. */
function faultsOfUnion(issue: Extract<Issue, { code: 'invalid_union' }>, path: Path, root: z.ZodType) {
  const entered = issue.errors.find(
    (issues) => !issues.some(({ code, path: at }) => at.length === 0 && isWrongKind(code)),
  );
  if (entered !== undefined) return entered.flatMap((inner) => faultsOf(inner, path, root));
  const keys = listKnownKeys(root, path);
  const kinds = issue.errors.flatMap(([first]) =>
    first === undefined ? [] : [describeExpected(first, keys)],
  );
  return [
    {
      path: describePath(path),
      problem: 'has the wrong type',
      remedy: `Write ${[...new Set(kinds)].join(', or ')}`,
    },
  ];
}

function isWrongKind(code: string): boolean {
  return code === 'invalid_type' || code === 'invalid_value';
}

function unknownKey(key: string, path: Path, root: z.ZodType): ConfigFault {
  const known = listKnownKeys(root, path);
  const meant = findLikelyWord(key, known);
  const remedy = meant === undefined ? `Known here: ${known.join(', ')}` : `Did you mean ${meant}?`;
  return { path: describePath([...path, key]), problem: 'is not known', remedy };
}

/**
 * @param keys what a map may hold there.
 * @param meaning what the reference says of it.
 */
function describeIssue(issue: Issue, keys: readonly string[], meaning: string | undefined): Complaint {
  if (issue.code === 'custom') {
    const remedy: unknown = issue.params?.['remedy'];
    return complain(issue.message, typeof remedy === 'string' ? remedy : 'See the reference');
  }
  if (issue.code === 'invalid_type') {
    const missing = issue.message.endsWith('received undefined');
    const remedy = `Write ${describeExpected(issue, keys)}`;
    if (!missing) return complain('has the wrong type', remedy);
    return complain('is missing', meaning === undefined ? remedy : `${remedy}. ${meaning}`);
  }
  if (issue.code === 'invalid_value') {
    return complain('is not one of the known words', `Write ${describeExpected(issue, keys)}`);
  }
  if (issue.code === 'too_small') {
    const { tooLittle, unit } = sizes[issue.origin] ?? plainSize;
    return complain(tooLittle, `Write at least ${countOf(issue.minimum, unit)}`);
  }
  if (issue.code === 'too_big') {
    const { tooMuch, unit } = sizes[issue.origin] ?? plainSize;
    return complain(tooMuch, `Write at most ${countOf(issue.maximum, unit)}`);
  }
  // Its message is ours: it says what it should be.
  if (issue.code === 'invalid_format') return complain(issue.message, 'See the reference');
  return complain('is not valid', 'See the reference');
}

const typeNames: Readonly<Record<string, string>> = {
  // YAML takes 9464 for a number, and true for no text.
  string: 'a text, in quotes if need be',
  int: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map',
  record: 'a map',
};

/** More keys than this are looked up in the reference. */
const maxNamedKeys = 8;

function describeExpected(issue: Issue, keys: readonly string[]): string {
  if (issue.code === 'invalid_value') {
    const words = issue.values.map(String).join(', ');
    return issue.values.length === 1 ? words : `one of ${words}`;
  }
  if (issue.code !== 'invalid_type') return 'another value';
  const isNamed = issue.expected === 'object' && keys.length > 0 && keys.length <= maxNamedKeys;
  return isNamed ? `a map with ${keys.join(', ')}` : (typeNames[issue.expected] ?? issue.expected);
}

const plainSize = { tooLittle: 'is too small', tooMuch: 'is too large', unit: undefined };
const sizes: Readonly<Record<string, Omit<typeof plainSize, 'unit'> & { unit: readonly [string, string] }>> =
  {
    string: { tooLittle: 'is empty or too short', tooMuch: 'is too long', unit: ['character', 'characters'] },
    array: { tooLittle: 'has too few entries', tooMuch: 'has too many entries', unit: ['entry', 'entries'] },
  };

function countOf(count: number | bigint, unit: readonly [one: string, many: string] | undefined): string {
  return unit === undefined ? String(count) : `${count} ${Number(count) === 1 ? unit[0] : unit[1]}`;
}

function listKnownKeys(root: z.core.$ZodType, path: Path): string[] {
  const objects = findMembers(root, path).filter((member) => member instanceof z.ZodObject);
  return objects.flatMap(({ shape }) => Object.keys(shape));
}

function describeMember(root: z.core.$ZodType, path: Path): string | undefined {
  return findMembers(root, path)
    .map((member) => z.globalRegistry.get(member)?.description)
    .find((description) => description !== undefined);
}

/** Walks the schema along a path. @returns what may stand there: several for a union. */
function findMembers(schema: z.core.$ZodType, path: Path): z.core.$ZodType[] {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) {
    return findMembers(schema.unwrap(), path);
  }
  if (schema instanceof z.ZodUnion) return schema.options.flatMap((option) => findMembers(option, path));
  const [step, ...rest] = path;
  if (step === undefined) return [schema];
  if (schema instanceof z.ZodArray) return findMembers(schema.element, rest);
  if (schema instanceof z.ZodRecord) return findMembers(schema.valueType, rest);
  if (!(schema instanceof z.ZodObject)) return [];
  const next: z.core.$ZodType | undefined = schema.shape[String(step)];
  return next === undefined ? [] : findMembers(next, rest);
}
