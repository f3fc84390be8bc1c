/** The rules of a policy as a file says them: at a backend, and in the same words at a server of one's own. */
import { isClientHost } from '@valetkey/core/policy/client-match';
import { isDisguisedUri } from '@valetkey/core/policy/disguised-uri';
import { isPattern } from '@valetkey/core/policy/pattern';
import * as z from 'zod';
import { text } from './checked-text.ts';
import { type Complaint, complain } from './fault.ts';
import { isLoopbackUrl } from './url-rules.ts';
import { checkGuid, checkRole, checkScopeName } from './word-rules.ts';

const maxNameLength = 128;
const maxUriLength = 2000;
const maxClientLength = 500;

export const requirement = z.strictObject({
  anyRole: z.array(text(checkRole)).min(1).optional().describe('At least one of these app roles.'),
  allRoles: z.array(text(checkRole)).min(1).optional().describe('All of these app roles.'),
  scopes: z.array(text(checkScopeName)).min(1).optional().describe('All of these scopes.'),
  anyGroup: z
    .array(text(checkGuid))
    .min(1)
    .optional()
    .describe('A member of at least one of these groups, by object id.'),
  tenants: z.array(text(checkGuid)).min(1).optional().describe('A person of one of these tenants, by id.'),
  clients: z
    .array(text(checkClient))
    .min(1)
    .optional()
    .describe('Through one of these clients: an id, or https://host/* for all metadata documents of a host.'),
});

const toolRequirement = requirement.extend({
  readOnlyUnless: requirement
    .optional()
    .describe(
      'Needed as well, unless the backend announces the tool with readOnlyHint: true. Its claim; unknown counts as not so.',
    ),
});

const others = z.enum(['allow', 'deny']).default('allow');

/** Members of a section. */
export const rulesShape = {
  enter: requirement.describe('What a caller needs to use the server at all.').prefault({}),
  tools: z
    .record(text(checkName), toolRequirement)
    .default({})
    .describe('What a caller needs beyond `enter`, by tool name or by pattern such as delete_*.'),
  prompts: z
    .record(text(checkName), requirement)
    .default({})
    .describe('The same for prompts, by name or pattern.'),
  resources: z
    .record(text(checkResource), requirement)
    .default({})
    .describe('The same for resources, by URI or pattern such as file:///projects/*.'),
  otherTools: others.describe('Tools that `tools` does not name: open to whoever may enter, or to nobody.'),
  otherPrompts: others.describe('Prompts that `prompts` does not name.'),
  otherResources: others.describe('Resources that `resources` does not name.'),
};

const rules = z.object(rulesShape);
export type RulesFile = z.output<typeof rules>;
export type RequirementFile = z.output<typeof requirement>;

function checkName(name: string): Complaint | undefined {
  return checkKey(name, maxNameLength);
}

function checkResource(uri: string): Complaint | undefined {
  const fault = checkKey(uri, maxUriLength);
  if (fault !== undefined || !isPattern(uri) || !isDisguisedUri(uri)) return fault;
  return complain(
    'is a pattern with dot segments or needless escapes; a URI with those is never let through',
    'Write it without . and .. between the slashes, and letters as they are',
  );
}

function checkKey(key: string, maxLength: number): Complaint | undefined {
  if (key === '' || key.length > maxLength)
    return complain('is empty or too long', `Write 1 to ${maxLength} characters`);
  if (!key.isWellFormed() || /\p{Cc}/u.test(key))
    return complain('has a character that no name can have', 'Remove control characters');
  if (!key.includes('**')) return undefined;
  return complain('has two stars in a row', 'Write one: * stands for any characters, slashes included');
}

/** A star elsewhere would let in clients of other hosts: `https://claude.ai*` fits `https://claude.ai.evil.example/`. */
function checkClient(entry: string): Complaint | undefined {
  if (entry === '' || entry.length > maxClientLength || /[\s\p{Cc}]/u.test(entry))
    return complain('is no client id', `Write 1 to ${maxClientLength} characters without blanks`);
  if (!isPattern(entry)) return undefined;
  const origin = isClientHost(entry) ? entry.slice(0, -2) : '';
  // `*` is a letter of a host to URL parsers.
  const url = isPattern(origin) ? null : URL.parse(origin);
  if (url !== null && url.origin === origin && (url.protocol === 'https:' || isLoopbackUrl(origin)))
    return undefined;
  return complain(
    'is neither a client id nor a host',
    'Write an id without *, or https://host/* in small letters for all metadata documents of a host',
  );
}
