/**
 * Room `shape`: what a piece of JSON must look like, written once as data. It judges a value with every fault at once and
 * their paths, and it becomes a JSON Schema for editors. Carries its TypeScript type, so that the compiler notices when
 * the two part ways. Knows nothing of seeds or control.
 */

/** One thing that is wrong, where, and what to do about it. */
export interface ShapeFault {
  /** `$.tenants[0].users[2].username` */
  readonly path: string;
  readonly problem: string;
  readonly remedy: string;
}

export type JsonSchema = Readonly<Record<string, unknown>>;

/** Invariant in its type: a shape of one thing is a shape of nothing more and nothing less. */
export interface Shape<T> {
  readonly judge: (value: unknown, path: string) => readonly ShapeFault[];
  readonly schema: JsonSchema;
  readonly isOptional: boolean;
  /** Never there: it only carries the type. */
  readonly type?: (value: T) => T;
}

interface OptionalShape<T> extends Shape<T> {
  readonly isOptional: true;
}

// The one place where the type of a shape does not matter: a function in its position accepts any.
// eslint-disable-next-line typescript/no-explicit-any
type AnyShape = Pick<Shape<unknown>, 'judge' | 'schema' | 'isOptional'> & { readonly type?: unknown };
export type TypeOf<S> = S extends { readonly type?: (value: infer T) => unknown } ? T : never;
type Members = Readonly<Record<string, AnyShape>>;
type OptionalKeys<M extends Members> = {
  [K in keyof M]: M[K] extends OptionalShape<infer _> ? K : never;
}[keyof M];
type ObjectOf<M extends Members> = Flat<
  { readonly [K in Exclude<keyof M, OptionalKeys<M>>]: TypeOf<M[K]> } & {
    readonly [K in OptionalKeys<M>]?: TypeOf<M[K]>;
  }
>;
type Flat<T> = { [K in keyof T]: T[K] };

/** Every member made present, all the way down: an optional one that is missing would fit by itself. */
export type Filled<T> = T extends string | number | boolean
  ? T
  : T extends readonly (infer Item)[]
    ? readonly Filled<Item>[]
    : { [K in keyof T]-?: Filled<T[K]> };
export type HasSameMembers<A, B> = [Filled<A>, A] extends [Filled<B>, B]
  ? [Filled<B>, B] extends [Filled<A>, A]
    ? true
    : false
  : false;

/**
 * Holds a shape to a type: where one has a member that the other lacks, the compiler wants a second argument here, and
 * names the member.
 */
export function shapeFor<T>() {
  return <X extends AnyShape>(
    shape: X,
    ..._differs: HasSameMembers<TypeOf<X>, T> extends true
      ? []
      : [theyDiffer: Exclude<keyof TypeOf<X>, keyof T> | Exclude<keyof T, keyof TypeOf<X>>]
  ): Shape<T> => shape as unknown as Shape<T>;
}

const fault = (path: string, problem: string, remedy: string): readonly ShapeFault[] => [
  { path, problem, remedy },
];

/** How a value is named in a fault: its kind only, for it may be a secret. */
function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return (
    { string: 'text', number: 'a number', boolean: 'true or false', undefined: 'missing' }[
      typeof value as string
    ] ?? 'an object'
  );
}

interface TextRules {
  readonly pattern?: string;
  /** What the pattern means, for the person who meets the fault. */
  readonly wanted?: string;
  readonly maxLength?: number;
  readonly description?: string;
}

export function text<T extends string = string>(rules: TextRules = {}): Shape<T> {
  const { pattern, wanted = 'text', maxLength = 20_000, description } = rules;
  const expression = new RegExp(pattern ?? '', 'u');
  return {
    isOptional: false,
    schema: {
      type: 'string',
      ...(pattern === undefined ? {} : { pattern }),
      ...(description === undefined ? {} : { description }),
    },
    judge(value, path) {
      if (typeof value !== 'string') return fault(path, `is ${kindOf(value)}`, `write ${wanted}`);
      if (value.length > maxLength) return fault(path, 'is too long', `at most ${maxLength} characters`);
      return expression.test(value) ? [] : fault(path, `is not ${wanted}`, `write ${wanted}`);
    },
  };
}

const GUID_PATTERN = '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$';

export function guid(description?: string): Shape<string> {
  const wanted = 'a GUID in lower case';
  return text({ pattern: GUID_PATTERN, wanted, ...(description === undefined ? {} : { description }) });
}

export function wholeNumber(
  minimum: number,
  maximum: number = Number.MAX_SAFE_INTEGER,
  description?: string,
): Shape<number> {
  return {
    isOptional: false,
    schema: { type: 'integer', minimum, maximum, ...(description === undefined ? {} : { description }) },
    judge: (value, path) =>
      Number.isSafeInteger(value) && (value as number) >= minimum && (value as number) <= maximum
        ? []
        : fault(
            path,
            typeof value === 'number' ? 'is out of range' : `is ${kindOf(value)}`,
            `write a whole number from ${minimum} to ${maximum}`,
          ),
  };
}

export function flag(description?: string): Shape<boolean> {
  return {
    isOptional: false,
    schema: { type: 'boolean', ...(description === undefined ? {} : { description }) },
    judge: (value, path) =>
      typeof value === 'boolean' ? [] : fault(path, `is ${kindOf(value)}`, 'write true or false'),
  };
}

/** One of these values and no other. */
export function oneOf<const T extends string | number | boolean>(...values: readonly T[]): Shape<T> {
  return {
    isOptional: false,
    schema: { enum: values },
    judge: (value, path) =>
      values.includes(value as T)
        ? []
        : fault(path, 'is none of the known values', `write one of ${values.join(', ')}`),
  };
}

export function list<T>(of: Shape<T>, maxItems = 100_000): Shape<readonly T[]> {
  return {
    isOptional: false,
    schema: { type: 'array', items: of.schema },
    judge(value, path) {
      if (!Array.isArray(value)) return fault(path, `is ${kindOf(value)}`, 'write a list: [ … ]');
      if (value.length > maxItems) return fault(path, 'is too long', `at most ${maxItems} entries`);
      return value.flatMap((item, index) => of.judge(item, `${path}[${index}]`));
    },
  };
}

/** An object whose names are free, and whose values all look alike. */
export function dictionary<T>(of: Shape<T>): Shape<Readonly<Record<string, T>>> {
  return {
    isOptional: false,
    schema: { type: 'object', additionalProperties: of.schema },
    judge: (value, path) =>
      isPlainObject(value)
        ? Object.entries(value).flatMap(([name, item]) => of.judge(item, `${path}.${name}`))
        : fault(path, `is ${kindOf(value)}`, 'write an object: { … }'),
  };
}

/** Anything that JSON can hold. */
export function anything<T = unknown>(description?: string): Shape<T> {
  return {
    isOptional: false,
    schema: description === undefined ? {} : { description },
    judge: (value, path) => (value === undefined ? fault(path, 'is missing', 'write a value') : []),
  };
}

/** An object with these members; a member that nobody knows is a fault, because it is a misspelt one. */
export function object<const M extends Members>(members: M, description?: string): Shape<ObjectOf<M>> {
  const names = Object.keys(members);
  return {
    isOptional: false,
    schema: {
      type: 'object',
      ...(description === undefined ? {} : { description }),
      properties: Object.fromEntries(names.map((name) => [name, members[name]?.schema ?? {}])),
      required: names.filter((name) => !members[name]?.isOptional),
      additionalProperties: false,
    },
    judge(value, path) {
      if (!isPlainObject(value)) return fault(path, `is ${kindOf(value)}`, 'write an object: { … }');
      const unknown = Object.keys(value).filter((name) => !Object.hasOwn(members, name));
      return [
        ...unknown.flatMap((name) =>
          fault(`${path}.${name}`, 'is not a known name', `known are ${names.join(', ')}`),
        ),
        ...names.flatMap((name) => judgeMember(members[name], value, name, path)),
      ];
    },
  };
}

function judgeMember(
  shape: AnyShape | undefined,
  value: Readonly<Record<string, unknown>>,
  name: string,
  path: string,
): readonly ShapeFault[] {
  const given = Object.hasOwn(value, name) ? value[name] : undefined;
  if (shape === undefined || (given === undefined && shape.isOptional)) return [];
  return given === undefined
    ? fault(`${path}.${name}`, 'is missing', 'add it')
    : shape.judge(given, `${path}.${name}`);
}

/** Objects told apart by the word in one member, as `{ "kind": "throttle", … }`. */
export function variants<const M extends Readonly<Record<string, AnyShape>>>(
  tag: string,
  shapes: M,
): Shape<TypeOf<M[keyof M]>> {
  const names = Object.keys(shapes);
  return {
    isOptional: false,
    schema: { oneOf: names.map((name) => shapes[name]?.schema ?? {}) },
    judge(value, path) {
      if (!isPlainObject(value)) return fault(path, `is ${kindOf(value)}`, 'write an object: { … }');
      const word = value[tag];
      const shape = typeof word === 'string' && Object.hasOwn(shapes, word) ? shapes[word] : undefined;
      return (
        shape?.judge(value, path) ??
        fault(`${path}.${tag}`, 'is none of the known values', `write one of ${names.join(', ')}`)
      );
    },
  };
}

/** A value that fits one of two shapes. */
export function either<A, B>(one: Shape<A>, other: Shape<B>): Shape<A | B> {
  return {
    isOptional: false,
    schema: { anyOf: [one.schema, other.schema] },
    judge(value, path) {
      const faults = one.judge(value, path);
      return faults.length === 0 || other.judge(value, path).length === 0 ? [] : faults;
    },
  };
}

/** A member that may be absent. */
export function optional<T>(of: Shape<T>): OptionalShape<T> {
  return { ...of, isOptional: true };
}

function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `$.tenants[0].domain is missing: add it` */
export function describeFault({ path, problem, remedy }: ShapeFault): string {
  return `${path} ${problem}: ${remedy}`;
}
