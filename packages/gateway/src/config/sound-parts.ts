/**
 * The parts of a document that have their shape, so that what is wrong with one part does not hide what is wrong
 * between others.
 */
import * as z from 'zod';

/** As the schema gives it, but for what has not its shape: that is not there, and in a list `undefined`. */
export type Sound<Value> = Value extends readonly (infer Item)[]
  ? readonly (Sound<Item> | undefined)[]
  : Value extends object
    ? { readonly [Name in keyof Value]?: Sound<Value[Name]> | undefined }
    : Value;

export function keepSound<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
): Sound<z.output<Schema>> | undefined {
  return keep(schema, value) as Sound<z.output<Schema>> | undefined;
}

const unsure = Symbol('unsure');

/** Members that are left out, and whether each stands there by its own name. */
type Doubts = ReadonlyMap<string, boolean>;
const noDoubts: Doubts = new Map();

/**
 * Whether that a member is not there means nothing: what was written has not its shape, or stands there misspelled,
 * maybe. A rule about what is missing, or about a default, is silent then.
 */
export function isUnsure(part: object | undefined, name: string): boolean {
  if (part === undefined) return true;
  return doubtsOf(part).has(name);
}

/** Whether a member was written, be it without its shape: for rules by which it should not be there at all. */
export function isWritten<Part extends object>(part: Part, name: keyof Part & string): boolean {
  return part[name] !== undefined || doubtsOf(part).get(name) === true;
}

function doubtsOf(part: object): Doubts {
  const doubts: unknown = Reflect.get(part, unsure);
  return doubts instanceof Map ? (doubts as Doubts) : noDoubts;
}

/** Whether nothing within had to be left out. */
function isWhole(part: object): boolean {
  return doubtsOf(part).size === 0;
}

/** @returns the names of a map, when they are all that were written. */
export function wholeNames(map: object): readonly string[] | undefined {
  return isWhole(map) ? Object.keys(map) : undefined;
}

/** @returns the list when all of it is sound. */
export function wholeList<Item>(
  list: readonly (Item | undefined)[] | undefined,
): readonly Item[] | undefined {
  return list?.every((item) => item !== undefined) === true ? list : undefined;
}

function keep(schema: z.core.$ZodType, value: unknown): unknown {
  const parsed = z.safeParse(schema, value);
  if (parsed.success) return parsed.data;
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) {
    return keep(schema.unwrap(), value);
  }
  if (schema instanceof z.ZodUnion) {
    return schema.options.map((option) => keep(option, value)).find((kept) => kept !== undefined);
  }
  if (schema instanceof z.ZodArray && Array.isArray(value)) return keepItems(schema, value);
  if (!isMap(value)) return undefined;
  if (schema instanceof z.ZodRecord) return keepEntries(schema, value);
  return schema instanceof z.ZodObject ? keepMembers(schema, value) : undefined;
}

/** Where nothing within is at fault the list itself is: empty, or too long. */
function keepItems({ element }: z.ZodArray, list: readonly unknown[]): unknown {
  const kept = list.map((item) => keep(element, item));
  return list.every((item) => z.safeParse(element, item).success) ? undefined : kept;
}

/** What stands under a bad name is judged like the others. */
function keepEntries({ valueType }: z.ZodRecord, map: Readonly<Record<string, unknown>>): unknown {
  const kept = Object.entries(map).map(([name, value]) => [name, keep(valueType, value)] as const);
  const sound = kept.filter(([, part]) => part !== undefined);
  const doubtful = new Map(kept.flatMap(([name, part]) => (part === undefined ? [[name, true]] : [])));
  return sound.length === 0 ? undefined : { ...Object.fromEntries(sound), [unsure]: doubtful };
}

function keepMembers({ shape }: z.ZodObject, map: Readonly<Record<string, unknown>>): unknown {
  const isMisspelled = Object.keys(map).some((name) => !Object.hasOwn(shape, name));
  const doubtful = new Map<string, boolean>();
  const kept = Object.entries(shape).flatMap(([name, member]) => {
    const isThere = Object.hasOwn(map, name);
    const part = isThere || !isMisspelled ? keep(member, map[name]) : undefined;
    if (part !== undefined) return [[name, part] as const];
    if (isThere || isMisspelled) doubtful.set(name, isThere);
    return [];
  });
  return { ...Object.fromEntries(kept), [unsure]: doubtful };
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
