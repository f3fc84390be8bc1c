/** Every default of the configuration, and why it is what it is. The schema reads them from here. */
const minute = 60;
const hour = 60 * minute;
const day = 24 * hour;

export const defaults = {
  listenHost: '127.0.0.1',
  /** Where `publicUrl` is on loopback, its own port is the default instead. */
  listenPort: 8080,
  store: 'sqlite:./valetkey.db',
  /** Two gateways that share one Redis need two. */
  redisPrefix: 'valetkey',
  keyFile: './keys.json',
  /** Short, because an access token is checked without asking anybody (A50). */
  accessTokenSeconds: hour,
  /** From the last use: who comes back within a month does not sign in again. */
  refreshTokenSeconds: 30 * day,
  /** From the sign-in: twice a year a person shows that it is still them. */
  sessionSeconds: 180 * day,
  /** A client that lost the answer tries again within seconds; a thief comes later. */
  refreshReplaySeconds: 30,
  /** A registration costs a hundred bytes; one that is gone costs a person's afternoon (A31). */
  registrationSeconds: 0,
  /** Long enough for a failover of the store, short enough for a revocation to matter. */
  storeOutageSeconds: 5 * minute,
  /** How long a leaver may still be inside. */
  checkSeconds: 5 * minute,
  /** Load balancers close a connection after 60 s of silence, some after 30 (MCP Transports). */
  keepAliveSeconds: 15,
  /** A client redeems at once; RFC 6749 §4.1.2 allows ten minutes. */
  authorizationCodeSeconds: minute,
  /** Time for a password, a second factor and a consent page. */
  signInSeconds: 10 * minute,
  consentSeconds: 30 * day,
  /** A Deny is not remembered: who denied by mistake simply tries again. */
  denialSeconds: 0,
  /** Per address. A client registers once; an office behind one address registers some. */
  register: { requests: 20, windowSeconds: hour },
  authorize: { requests: 60, windowSeconds: minute },
  consent: { requests: 60, windowSeconds: minute },
  /** Per address: everybody in an office refreshes once an hour, some at the same minute. */
  token: { requests: 300, windowSeconds: minute },
  /** A tool call may carry a document. */
  mcpBodyBytes: 4 * 1024 * 1024,
  requestTimeoutMs: 30_000,
  /** On a network that works a connection takes milliseconds; this leaves room for a container that starts. */
  connectMs: 10_000,
  /** A tool may think for a while before it says its first word. */
  firstByteMs: 60_000,
  /** A client notices a second; most clients give up after some. */
  queueMs: 1000,
  /** A restart of a backend costs a request or two; five in a row are an outage. */
  circuitFailures: 5,
  /** Long enough to spare a backend that starts, short enough that nobody waits for the gateway to notice. */
  circuitOpenSeconds: 5,
  healthSeconds: 30,
  serviceName: 'valetkey',
  /** The port that OpenTelemetry's own exporters take; on loopback, since no one signs in there. */
  prometheusListen: '127.0.0.1:9464',
  /** A client that was closed without a word leaves its process behind for this long. */
  idleSeconds: 10 * minute,
  /** A Node process takes some 50 MB. */
  maxProcesses: 50,
  /** As the SDK has it. */
  maxMessageBytes: 10 * 1024 * 1024,
  /** As the SDK has it: often enough for an alarm, seldom enough to be free. */
  exportSeconds: 60,
  spanDelayMs: 5000,
  /** A busy minute, or a disk that is away for one. */
  maxQueuedRecords: 10_000,
  maxQueuedBytes: 8 * 1024 * 1024,
} as const;

/** Bounds that keep a slip of the pen (milliseconds for seconds) from becoming a policy. */
export const bounds = {
  accessTokenSeconds: { min: minute, max: day },
  refreshTokenSeconds: { min: 5 * minute, max: 365 * day },
  sessionSeconds: { min: 5 * minute, max: 365 * day },
  refreshReplaySeconds: { min: 0, max: 5 * minute },
  registrationSeconds: { min: 0, max: 3650 * day },
  storeOutageSeconds: { min: 0, max: day },
  checkSeconds: { min: 0, max: day },
  keepAliveSeconds: { min: 0, max: hour },
  authorizationCodeSeconds: { min: 10, max: 10 * minute },
  signInSeconds: { min: minute, max: 10 * minute },
  consentSeconds: { min: minute, max: 365 * day },
  denialSeconds: { min: 0, max: 30 * day },
  requests: { min: 1, max: 1_000_000 },
  windowSeconds: { min: 1, max: day },
  mcpBodyBytes: { min: 1024, max: 256 * 1024 * 1024 },
  requestTimeoutMs: { min: 1000, max: 10 * minute * 1000 },
  connectMs: { min: 100, max: 2 * minute * 1000 },
  firstByteMs: { min: 100, max: hour * 1000 },
  idleMs: { min: 100, max: hour * 1000 },
  concurrent: { min: 1, max: 1_000_000 },
  queued: { min: 0, max: 100_000 },
  queueMs: { min: 10, max: minute * 1000 },
  circuitFailures: { min: 0, max: 1000 },
  circuitOpenSeconds: { min: 1, max: hour },
  healthSeconds: { min: 1, max: day },
  idleSeconds: { min: 1, max: day },
  maxProcesses: { min: 1, max: 10_000 },
  maxMessageBytes: { min: 1024, max: 256 * 1024 * 1024 },
  exportSeconds: { min: 1, max: hour },
  spanDelayMs: { min: 1, max: minute * 1000 },
  maxQueuedRecords: { min: 10, max: 1_000_000 },
  maxQueuedBytes: { min: 64 * 1024, max: 1024 * 1024 * 1024 },
} as const;

/** The Microsoft clouds. Tokens of one are worth nothing in another, so all three hosts follow from one word. */
export const clouds = {
  public: {
    authorityHost: 'https://login.microsoftonline.com',
    graphHost: 'https://graph.microsoft.com',
    tokenExchangeAudience: 'api://AzureADTokenExchange',
  },
  usgov: {
    authorityHost: 'https://login.microsoftonline.us',
    graphHost: 'https://graph.microsoft.us',
    tokenExchangeAudience: 'api://AzureADTokenExchangeUSGov',
  },
  china: {
    authorityHost: 'https://login.partner.microsoftonline.cn',
    graphHost: 'https://microsoftgraph.chinacloudapi.cn',
    tokenExchangeAudience: 'api://AzureADTokenExchangeChina',
  },
} as const;
