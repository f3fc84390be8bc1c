/** Microsoft Graph as far as sign-in and leaving need it. */
import type { FidelityRow } from './row.ts';

const reads = 'packages/emulator/src/graph/graph.integration.test.ts';
const directory = 'packages/emulator/src/graph/graph-directory.integration.test.ts';
const judge = 'test/judges/graph-client.test.ts';

export const graph: readonly FidelityRow[] = [
  {
    behaviour: '/me shows eleven properties; $select shows others and becomes part of @odata.context.',
    source: 'document',
    reference: 'Get a user, Microsoft Graph v1.0',
    test: reads,
  },
  {
    behaviour: 'A property the type does not have is 400 BadRequest, naming property and type.',
    source: 'unverified',
    reference: 'Use the $select query parameter; the sentence is from memory',
    test: reads,
  },
  {
    behaviour: '/me with an app-only token is 400 BadRequest.',
    source: 'unverified',
    reference: 'Seen in public issue reports; not in the documentation',
    test: directory,
  },
  {
    behaviour:
      'A missing, foreign or expired token is 401 InvalidAuthenticationToken with a bearer challenge.',
    source: 'document',
    reference: 'Microsoft Graph error responses and resource types',
    test: reads,
  },
  {
    behaviour:
      'After a revocation a token of a client with CP1 is 401 with insufficient_claims and an nbf claims challenge; any other client keeps its token until it expires.',
    source: 'document',
    reference: 'Claims challenges, claims requests and client capabilities',
    test: judge,
  },
  {
    behaviour: 'The token of a disabled person is refused at once, also without CP1.',
    source: 'unverified',
    reference: 'How soon the real service notices was not compared',
    test: directory,
  },
  {
    behaviour: 'Every operation checks scp or roles; too little is 403 Authorization_RequestDenied.',
    source: 'document',
    reference: 'The permissions table of each operation, Microsoft Graph v1.0',
    test: directory,
  },
  {
    behaviour:
      'Memberships of the signed-in person need no more than User.Read, also where a table asks for more.',
    source: 'unverified',
    reference:
      'checkMemberGroups: the table of permissions names User.ReadBasic.All and GroupMember.Read.All',
    test: directory,
  },
  {
    behaviour: 'Without permission to read groups, memberships are listed with an id and empty properties.',
    source: 'document',
    reference: 'Limited information returned for inaccessible member objects',
    test: directory,
  },
  {
    behaviour: 'User.ReadBasic.All shows basic properties; naming another one in $select is 403.',
    source: 'unverified',
    reference: 'Permissions reference, User.ReadBasic.All; the refusal was not compared',
    test: directory,
  },
  {
    behaviour:
      'getMemberObjects is transitive and includes directory roles, getMemberGroups leaves them out, securityEnabledOnly keeps security groups.',
    source: 'document',
    reference: 'directoryObject: getMemberObjects',
    test: directory,
  },
  {
    behaviour: 'More than 11,000 memberships are refused with Directory_ResultSizeLimitExceeded.',
    source: 'unverified',
    reference: 'directoryObject: getMemberObjects; status 403 is from memory',
    test: directory,
  },
  {
    behaviour: 'checkMemberGroups and checkMemberObjects take twenty ids and answer those that apply.',
    source: 'document',
    reference: 'directoryObject: checkMemberGroups; the words of the refusal are from memory',
    test: directory,
  },
  {
    behaviour:
      'transitiveMemberOf and memberOf come in pages of 100, up to 999 with $top, by @odata.nextLink; a cast changes the context.',
    source: 'document',
    reference: 'List a user’s memberships (direct and transitive)',
    test: judge,
  },
  {
    behaviour: '@odata.count comes with ConsistencyLevel: eventual only; /$count without it is 400.',
    source: 'document',
    reference: 'Advanced query capabilities on Microsoft Entra ID objects; the words are from memory',
    test: directory,
  },
  {
    behaviour: 'A cast to microsoft.graph.group works without ConsistencyLevel.',
    source: 'unverified',
    reference: 'The documentation asks for the header; public samples do without',
    test: directory,
  },
  {
    behaviour: '$filter understands eq, startswith and and; everything else is 400 Request_UnsupportedQuery.',
    source: 'unverified',
    reference: 'A part of what the service understands: it knows far more',
    test: directory,
  },
  {
    behaviour:
      'A batch of up to twenty is 200 with a status and headers per item, throttles each item, and answers 424 for what depends on a failure.',
    source: 'document',
    reference: 'Combine multiple HTTP requests using JSON batching',
    test: judge,
  },
  {
    behaviour:
      'A malformed batch is 400 as a whole: too many items, an id twice, a write without body and content type.',
    source: 'document',
    reference: 'Combine multiple HTTP requests using JSON batching; the words are from memory',
    test: directory,
  },
  {
    behaviour:
      'users/delta tells the selected properties of who changed, @removed of who was deleted, and with return=minimal only what changed.',
    source: 'document',
    reference: 'user: delta; Get incremental changes for users',
    test: directory,
  },
  {
    behaviour:
      'Without $select a later round of users/delta also shows whatever else changed, such as accountEnabled.',
    source: 'unverified',
    reference: 'user: delta says that all properties are tracked, not which are shown',
    test: directory,
  },
  {
    behaviour:
      'A delta link that the service no longer knows is 410 with Location; one that it never wrote is 400.',
    source: 'unverified',
    reference: 'Use delta query: 410 and Location are documented, the code is from memory',
    test: directory,
  },
  {
    behaviour: 'revokeSignInSessions is 200 with value true; refresh tokens from before are AADSTS50173.',
    source: 'document',
    reference: 'user: revokeSignInSessions. The real one takes minutes, this one does not',
    test: directory,
  },
  {
    behaviour:
      'PATCH accountEnabled is 204, with an application permission or a directory role behind the scope.',
    source: 'document',
    reference: 'Update user, Microsoft Graph v1.0. Other properties are not updated here',
    test: directory,
  },
  {
    behaviour: 'A deleted person is 404 in Graph, and what they refresh is AADSTS50057.',
    source: 'unverified',
    reference: 'Which code the token endpoint answers for a deleted account was not compared',
    test: directory,
  },
  {
    behaviour: 'servicePrincipals/{id}/appRoleAssignedTo lists people and apps with the id of their role.',
    source: 'document',
    reference: 'List appRoleAssignments granted for a service principal',
    test: directory,
  },
  {
    behaviour:
      'Throttling is 429 TooManyRequests per app and tenant, with Retry-After as a rule and without at times.',
    source: 'document',
    reference:
      'Microsoft Graph throttling guidance. The budget is one number here, many resource units there',
    test: judge,
  },
  {
    behaviour: 'The retry middleware of the client waits out 429, 503 and 504, as long as Retry-After says.',
    source: 'library',
    reference: '@microsoft/microsoft-graph-client 3.0.7',
    test: judge,
  },
  {
    behaviour:
      'request-id and client-request-id are in the headers and in innerError; the one a client sent comes back.',
    source: 'document',
    reference: 'Microsoft Graph error responses and resource types. Only a GUID is taken over here',
    test: directory,
  },
];
