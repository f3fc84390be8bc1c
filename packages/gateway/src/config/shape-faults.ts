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
  return [{ path: describePath(path) || 'the file', ...describeIssue(issue) }];
}

/** The branch that got furthest is the one that was meant; where none got past its first step, all are named. */
function faultsOfUnion(issue: Extract<Issue, { code: 'invalid_union' }>, path: Path, root: z.ZodType) {
  const entered = issue.errors.find(
    (issues) => !issues.some(({ code, path: at }) => at.length === 0 && isWrongKind(code)),
  );
  if (entered !== undefined) return entered.flatMap((inner) => faultsOf(inner, path, root));
  const kinds = issue.errors.flatMap((issues) => issues.slice(0, 1).map(describeExpected));
  return [
    {
      path: describePath(path),
      problem: 'has the wrong type',
      remedy: `Write ${[...new Set(kinds)].join(' or ')}`,
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

function describeIssue(issue: Issue): Complaint {
  if (issue.code === 'custom') {
    const remedy: unknown = issue.params?.['remedy'];
    return complain(issue.message, typeof remedy === 'string' ? remedy : 'See the reference');
  }
  if (issue.code === 'invalid_type') {
    const missing = issue.message.endsWith('received undefined');
    return complain(missing ? 'is missing' : 'has the wrong type', `Write ${describeExpected(issue)}`);
  }
  if (issue.code === 'invalid_value') {
    return complain('is not one of the known words', `Write ${describeExpected(issue)}`);
  }
  if (issue.code === 'too_small') {
    return complain('is too small or too short', `At least ${issue.minimum}${unitOf(issue.origin)}`);
  }
  if (issue.code === 'too_big') {
    return complain('is too large or too long', `At most ${issue.maximum}${unitOf(issue.origin)}`);
  }
  return complain('is not valid', 'See the reference');
}

const typeNames: Readonly<Record<string, string>> = {
  string: 'a text',
  int: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map',
  record: 'a map',
};

function describeExpected(issue: Issue): string {
  if (issue.code === 'invalid_value') return `one of ${issue.values.map(String).join(', ')}`;
  if (issue.code === 'invalid_type') return typeNames[issue.expected] ?? issue.expected;
  return 'another value';
}

function unitOf(origin: string): string {
  if (origin === 'string') return ' characters';
  return origin === 'array' ? ' entries' : '';
}

/** Walks the schema along a path, to the keys of the object there. */
function listKnownKeys(schema: z.core.$ZodType, path: Path): string[] {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) {
    return listKnownKeys(schema.unwrap(), path);
  }
  if (schema instanceof z.ZodUnion) return schema.options.flatMap((option) => listKnownKeys(option, path));
  const [step, ...rest] = path;
  if (schema instanceof z.ZodArray) return step === undefined ? [] : listKnownKeys(schema.element, rest);
  if (schema instanceof z.ZodRecord) return step === undefined ? [] : listKnownKeys(schema.valueType, rest);
  if (!(schema instanceof z.ZodObject)) return [];
  if (step === undefined) return Object.keys(schema.shape);
  const next: z.core.$ZodType | undefined = schema.shape[String(step)];
  return next === undefined ? [] : listKnownKeys(next, rest);
}
