// Every setting of a node: one schema, from which flags, environment names, file keys, defaults and documentation follow.
// Knows nothing of where values come from. Invariant: a property's name determines its flag and its environment variable.

import Type, { type Static, type TSchema } from 'typebox'

/** How a setting is written as text: in a flag or in the environment. */
export type SettingKind = 'text' | 'integer' | 'number' | 'bytes' | 'duration' | 'boolean' | 'list'

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

const KIB = 1024
const MIB = 1024 * KIB
const GIB = 1024 * MIB

/** A value is held, and travels, in one piece. */
const VALUE_BYTES_LIMIT = 16 * MIB

function port(description: string, value: number): Type.TInteger {
  const expected = 'a port, 0 to 65535 (0: any free one)'
  return Type.Integer({ kind: 'integer', minimum: 0, maximum: 65_535, default: value, description, expected })
}

function bytes(description: string, value: number, minimum: number, maximum: number): Type.TInteger {
  const expected = `a size, ${formatBytes(minimum)} to ${formatBytes(maximum)} (bytes, or with KiB, MiB, GiB)`
  return Type.Integer({ kind: 'bytes', minimum, maximum, default: value, description, expected })
}

function duration(description: string, value: number, minimum: number, maximum: number): Type.TInteger {
  const expected = `a duration, ${minimum} ms to ${maximum} ms (milliseconds, or with ms, s, min)`
  return Type.Integer({ kind: 'duration', minimum, maximum, default: value, description, expected })
}

function nullableText(description: string, expected: string, pattern: string): Type.TUnion<[Type.TString, Type.TNull]> {
  const options = { kind: 'text', default: null, description, expected }
  return Type.Union([Type.String({ minLength: 1, maxLength: 4096, pattern }), Type.Null()], options)
}

function switched(description: string): Type.TBoolean {
  return Type.Boolean({ kind: 'boolean', default: false, description, expected: 'true or false' })
}

const NAME = '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$'
const NAME_RULE = '1 to 63 letters, digits, ".", "_" or "-", a letter or digit first'
/** A host name or an IPv4 address, or an IPv6 address in or without brackets. */
const HOST = '^(?:[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9_.])?|\\[?[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*\\]?)$'
const HOST_PORT = '^(?:[A-Za-z0-9_][A-Za-z0-9._-]{0,253}|\\[[0-9A-Fa-f:.]+\\])(?::[0-9]{1,5})?$'

export const SettingsSchema: Type.TObject<SettingsProperties> = Type.Object(properties())

// An alias, since an interface has no implicit index signature, which TObject asks for.
type SettingsProperties = {
  name: Type.TString
  host: Type.TString
  port: Type.TInteger
  peerHost: Type.TString
  peerPort: Type.TInteger
  advertise: Type.TUnion<[Type.TString, Type.TNull]>
  data: Type.TUnion<[Type.TString, Type.TNull]>
  memory: Type.TBoolean
  join: Type.TArray<Type.TString>
  expect: Type.TUnion<[Type.TInteger, Type.TNull]>
  zone: Type.TUnion<[Type.TString, Type.TNull]>
  weight: Type.TNumber
  cluster: Type.TString
  secret: Type.TArray<Type.TString>
  partitions: Type.TInteger
  valueBytesMax: Type.TInteger
  siblingsMax: Type.TInteger
  siblingBytesMax: Type.TInteger
  hintBytesMax: Type.TInteger
  memoryBytesMax: Type.TInteger
  diskBytesMax: Type.TUnion<[Type.TInteger, Type.TNull]>
  segmentBytesMax: Type.TInteger
  checkpointBytesMin: Type.TInteger
  heartbeatMs: Type.TInteger
  failureTimeoutMs: Type.TInteger
  clockBoundMs: Type.TInteger
  antiEntropyIntervalMs: Type.TInteger
  drainMs: Type.TInteger
  logLevel: Type.TUnsafe<LogLevel>
  dev: Type.TBoolean
}

function properties(): SettingsProperties {
  return {
    name: Type.String({
      kind: 'text',
      pattern: NAME,
      description: 'the member that this node is, unique in the cluster (default: the host name)',
      expected: `a name: ${NAME_RULE}`,
    }),
    host: Type.String({
      kind: 'text',
      pattern: HOST,
      default: '127.0.0.1',
      description: 'address that clients are served on',
      expected: 'a host name or an address',
    }),
    port: port('port that clients are served on', 7480),
    peerHost: Type.String({
      kind: 'text',
      pattern: HOST,
      default: '127.0.0.1',
      description: 'address that other nodes are served on',
      expected: 'a host name or an address',
    }),
    peerPort: port('port that other nodes are served on', 7481),
    advertise: nullableText(
      'host, or host:peer-port, under which others reach this node, where it is not the address it listens on',
      'a host, or host:port',
      HOST_PORT,
    ),
    data: nullableText("directory of this node's data (default: ./.quorate/<name>)", 'a directory', '^[^\\0]+$'),
    memory: switched('keep nothing on disk'),
    join: Type.Array(Type.String({ pattern: HOST_PORT }), {
      kind: 'list',
      default: [],
      maxItems: 1000,
      description: 'peer addresses to meet the cluster at; a DNS name stands for all its addresses',
      expected: 'host:port, separated by commas (the port is 7481 where it is left out)',
    }),
    expect: Type.Union([Type.Integer({ minimum: 1, maximum: 1000 }), Type.Null()], {
      kind: 'integer',
      default: null,
      description: 'on a first start, found the cluster once this many members know each other',
      expected: 'a number of members, 1 to 1000',
    }),
    zone: nullableText(
      'zone (rack, room, region) that this node fails with; shown, not used for placement yet',
      `a zone: ${NAME_RULE}`,
      NAME,
    ),
    weight: Type.Number({
      kind: 'number',
      minimum: 0.01,
      maximum: 100,
      default: 1,
      description: 'share of the data, relative to other nodes; shown, not used for placement yet',
      expected: 'a number, 0.01 to 100',
    }),
    cluster: Type.String({
      kind: 'text',
      pattern: NAME,
      default: 'quorate',
      description: 'name of the cluster; nodes of another name are refused',
      expected: `a name: ${NAME_RULE}`,
    }),
    secret: Type.Array(Type.String({ minLength: 1, maxLength: 1024 }), {
      kind: 'list',
      secret: true,
      default: [],
      maxItems: 16,
      description: 'secrets shared by the cluster: the first one seals, all of them open',
      expected: 'one or more secrets, separated by commas',
    }),
    partitions: Type.Integer({
      kind: 'integer',
      minimum: 1,
      maximum: 65_536,
      default: 1024,
      description: 'partitions of the ring (Q), a power of two; settled when the cluster is founded',
      expected: 'a power of two, 1 to 65536',
    }),
    valueBytesMax: bytes('largest value; the same on all nodes', MIB, 1, VALUE_BYTES_LIMIT),
    siblingsMax: Type.Integer({
      kind: 'integer',
      minimum: 1,
      maximum: 10_000,
      default: 100,
      description: 'siblings of one key beyond which a put is refused',
      expected: 'a number of siblings, 1 to 10000',
    }),
    siblingBytesMax: bytes(
      "bytes of one key's siblings beyond which a put is refused; the same on all nodes",
      4 * MIB,
      1,
      2 * VALUE_BYTES_LIMIT,
    ),
    hintBytesMax: bytes(
      'bytes of hints kept for others; beyond them this node refuses to stand in',
      256 * MIB,
      0,
      1024 * GIB,
    ),
    memoryBytesMax: bytes(
      'resident memory of the process; what data would take beyond it is refused',
      4 * GIB,
      MIB,
      1024 * GIB,
    ),
    diskBytesMax: Type.Union([Type.Integer({ minimum: 8 * MIB, maximum: 1024 * 1024 * GIB }), Type.Null()], {
      kind: 'bytes',
      default: null,
      description: 'size of the data directory; what would take it near that is refused (default: what the disk has)',
      expected: 'a size, 8 MiB to 1024 TiB (bytes, or with KiB, MiB, GiB)',
    }),
    segmentBytesMax: bytes('size at which a log segment is closed at the latest', 64 * MIB, 64 * KIB, 2 * GIB),
    checkpointBytesMin: bytes(
      'bytes that the log may always hold; beyond them 0.4 of the live data',
      16 * MIB,
      64 * KIB,
      1024 * GIB,
    ),
    heartbeatMs: duration('interval of heartbeats between nodes', 500, 10, 60_000),
    failureTimeoutMs: duration('silence after which a peer counts as unreachable', 2000, 50, 600_000),
    clockBoundMs: duration('largest difference between clocks that is tolerated', 500, 1, 600_000),
    antiEntropyIntervalMs: duration('interval of comparisons with other replicas', 10_000, 50, 86_400_000),
    drainMs: duration('time to finish requests in before the process ends', 10_000, 0, 600_000),
    logLevel: Type.Unsafe<LogLevel>(
      Type.Enum([...LOG_LEVELS], {
        kind: 'text',
        default: 'info',
        description: 'least level that is logged',
        expected: `one of ${LOG_LEVELS.join(', ')}`,
      }),
    ),
    dev: switched('development mode: links can be cut on request; never in production'),
  }
}

export type Settings = Readonly<Static<typeof SettingsSchema>>
export type SettingName = keyof Settings

export interface Setting {
  readonly name: SettingName
  readonly kind: SettingKind
  /** `--peer-port` */
  readonly flag: string
  /** `QUORATE_PEER_PORT`; with `_FILE` behind it, the name of a file that holds the value. */
  readonly env: string
  readonly description: string
  /** What a value must be, in words that continue "is not …". */
  readonly expected: string
  readonly default: unknown
  readonly secret: boolean
  readonly schema: TSchema
}

const KINDS: readonly SettingKind[] = ['text', 'integer', 'number', 'bytes', 'duration', 'boolean', 'list']

/** All settings in the order in which they are documented. */
export const SETTINGS: readonly Setting[] = Object.entries(SettingsSchema.properties).map(([name, schema]) => {
  const facts = new Map<string, unknown>(Object.entries(schema))
  const words = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
  return {
    name: name as SettingName, // the keys of the schema are, by construction, the keys of Settings
    kind: KINDS.find((kind) => kind === facts.get('kind')) ?? 'text',
    flag: `--${words}`,
    env: `QUORATE_${words.toUpperCase().replaceAll('-', '_')}`,
    description: String(facts.get('description')),
    expected: String(facts.get('expected')),
    default: facts.get('default'),
    secret: facts.get('secret') === true,
    schema,
  }
})

/** `1.5 MiB`, `64 KiB`, `17 bytes`: exact, or in bytes. */
export function formatBytes(count: number): string {
  for (const [unit, size] of [
    ['GiB', GIB],
    ['MiB', MIB],
    ['KiB', KIB],
  ] as const) {
    if (count >= size && (count * 2) % size === 0) return `${count / size} ${unit}`
  }
  return `${count} bytes`
}
