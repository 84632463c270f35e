// What the answers say that show a node's state, as TypeBox, for the OpenAPI document alone: nothing is validated or serialized by it.
// Invariant: each compiles only while it has every field of its type in node/api.ts; whoever reads it must expect further ones.

import { type Static, type TSchema, Type } from 'typebox'
import type { ProcessFigures } from '../telemetry/process-figures.ts'
import type { ClusterStatus, HintStatus, KeyPlacement, RepairOutcome, RepairStatus, RingStatus } from '../node/api.ts'

const count = Type.Integer({ minimum: 0 })
const ms = (description: string) => Type.Number({ minimum: 0, description })
const orNull = <Schema extends TSchema>(schema: Schema, description: string) =>
  Type.Union([schema, Type.Null()], { description })

const clusterJson = Type.Object({
  id: Type.String(),
  name: Type.String(),
  partitions: count,
  members: Type.Array(
    Type.Object({
      name: Type.String(),
      storage: Type.String({ description: 'Which storage stands behind the name: a UUID.' }),
      peerAddress: Type.String({ description: 'host:port' }),
      clientAddress: Type.String({ description: 'host:port' }),
      zone: orNull(Type.String(), 'Null: none, or not known here.'),
      weight: Type.Number(),
      status: Type.Union([
        Type.Literal('alive'),
        Type.Literal('unreachable'),
        Type.Literal('filling'),
        Type.Literal('self'),
      ]),
      lastHeartbeatMs: orNull(Type.Number(), 'Milliseconds since it was last heard; null: never.'),
      ownedPartitions: count,
      version: orNull(Type.String(), 'Of its software; null: never heard.'),
    }),
  ),
})

const ringJson = Type.Object({
  partitions: count,
  n: Type.Integer({ description: 'N that the lists are for.' }),
  members: Type.Array(
    Type.Object({
      name: Type.String(),
      primary: Type.Integer({ description: 'Partitions whose first home it is.' }),
      owned: Type.Integer({ description: 'Partitions of which it is a home.' }),
    }),
  ),
  preferenceLists: Type.Array(Type.Array(count), {
    description: 'For each partition its homes in order, as indexes into `members`.',
  }),
})

const placementJson = Type.Object({
  hash: Type.String({ description: '16 hexadecimal digits.' }),
  partition: count,
  ring: Type.Integer({ description: 'Version of the ring, as in receipts.' }),
  preferenceList: Type.Array(Type.String(), { description: 'Homes, in order.' }),
  fallbacks: Type.Array(Type.String()),
  replicas: Type.Array(
    Type.Object({
      node: Type.String(),
      state: Type.Union([Type.Literal('reachable'), Type.Literal('unreachable'), Type.Literal('filling')]),
    }),
  ),
})

const hintsJson = Type.Object({
  hints: count,
  bytes: count,
  bytesMax: Type.Integer({ description: 'Beyond it this node stands in for nobody.' }),
  targets: Type.Array(
    Type.Object({
      node: Type.String(),
      hints: count,
      bytes: count,
      oldestMs: ms('Age of the oldest.'),
      reachable: Type.Boolean(),
    }),
  ),
})

const repairFields = {
  running: Type.Boolean(),
  rounds: count,
  filling: Type.Integer({ description: 'Partitions of this node’s storage that are not complete yet.' }),
  comparisons: count,
  keysRepaired: count,
  bytesSent: count,
  bytesReceived: count,
  readRepairs: count,
  collected: count,
  oldestComparisonMs: orNull(
    Type.Number(),
    'Age of the last round with the member that was compared longest ago; null: there is no other member.',
  ),
  roundFailures: Type.Integer({ description: 'Rounds with one peer that ended with an error.' }),
  peers: Type.Array(
    Type.Object({
      node: Type.String(),
      lastRoundMs: orNull(Type.Number(), 'Null: no round went through yet.'),
      differing: count,
      error: orNull(Type.String(), 'Why the last round failed; null: it went through.'),
    }),
  ),
  lastError: orNull(Type.String(), 'The newest of those errors, with the peer’s name.'),
}
const repairJson = Type.Object(repairFields)
const repairDoneJson = Type.Object({
  ...repairFields,
  failed: Type.Array(Type.String(), { description: 'What failed in the round that was asked for: `node: why`.' }),
})

void ((shown: Static<typeof clusterJson>): ClusterStatus => shown)
void ((shown: Static<typeof ringJson>): RingStatus => shown)
void ((shown: Static<typeof placementJson>): KeyPlacement => shown)
void ((shown: Static<typeof hintsJson>): HintStatus => shown)
void ((shown: Static<typeof repairJson>): RepairStatus => shown)
void ((shown: Static<typeof repairDoneJson>): RepairOutcome => shown)

export const ClusterJson: TSchema = clusterJson
export const RingJson: TSchema = ringJson
export const PlacementJson: TSchema = placementJson
export const HintsJson: TSchema = hintsJson
export const RepairJson: TSchema = repairJson
export const RepairDoneJson: TSchema = repairDoneJson

const bytes = (description: string) => Type.Integer({ minimum: 0, description })
const processJson = Type.Object(
  {
    rssBytes: bytes('Resident.'),
    heapUsedBytes: bytes('Of V8’s heap.'),
    heapTotalBytes: bytes('Of V8’s heap, with what is free in it.'),
    externalBytes: bytes('Outside V8’s heap, array buffers included.'),
    arrayBuffersBytes: bytes('Of array buffers.'),
    eventLoopDelaySeconds: Type.Object(
      {
        bounds: Type.Array(Type.Number(), { description: 'Upper bounds, ascending.' }),
        counts: Type.Array(count, { description: 'In each bucket alone; the last is above all bounds.' }),
        count,
        sum: Type.Number(),
      },
      {
        description:
          'By how much a timer of 10 ms came late, each time since the start. The difference of two readings is the time between them.',
      },
    ),
  },
  { description: 'The process that the node runs in.' },
)
void ((shown: Static<typeof processJson>): ProcessFigures => shown)

export const StatsJson: TSchema = Type.Object(
  { process: processJson },
  {
    additionalProperties: Type.Unknown(),
    description: 'Gauges and counters by area (storage, links, repair, …): plain JSON, whose names may change.',
  },
)

export const HealthJson: TSchema = Type.Object({
  status: Type.Literal('alive'),
  node: Type.String(),
  version: Type.String(),
})

export const ReadyJson: TSchema = Type.Object({ status: Type.Literal('ready'), node: Type.String() })
