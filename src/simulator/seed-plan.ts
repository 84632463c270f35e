// What one seed is about: the cluster's size and settings, who works on it and how, and which faults it suffers. A pure function of the
// seed. Invariant: a plan never asks for more losses than the guarantees allow for its W.

import type { BucketSettings, Level } from '../core/membership/bucket-settings.ts'
import { DEFAULT_BUCKET } from '../core/membership/bucket-settings.ts'
import { quorumInForce } from '../core/quorum/level.ts'
import { DEFAULT_HEALING, type Healing, type NodeLimits, type NodeTimings } from '../node/options.ts'
import { SeededRandom } from './seeded-random.ts'

/** How a client uses contexts. `session`: the union of all it got, also on reads, on a key of its own. */
export type Habit = 'session' | 'careful' | 'blind' | 'stale' | 'latest'

export interface PlannedBucket {
  readonly name: string
  readonly settings: BucketSettings
  readonly keys: readonly string[]
}

const FAULT_KINDS = [
  'kill',
  'power-cut',
  'crash-at-io',
  'pause',
  'isolate',
  'split',
  'ring',
  'bridge',
  'one-way',
  'flapping',
  'slow-link',
  'slow-node',
  'slow-disk',
  'lossy-network',
  'resets',
  'refused-connections',
  'broken-link',
  'fragments',
  'impaired-links',
  'graceful-stop',
  'clock-jump',
  'failed-sync',
  'full-disk',
  'restart-all',
  'hostile-peer',
  'repair-now',
  'wipe',
  'bit-rot',
  'lost-record',
  'old-disk',
  'burst',
  'hot-key',
  'sibling-flood',
  'huge-values',
] as const

export type FaultKind = (typeof FAULT_KINDS)[number]

/** Those that destroy copies; at most W − 1 of them between two completed repairs. */
const DESTRUCTIVE: ReadonlySet<FaultKind> = new Set(['wipe', 'bit-rot', 'lost-record', 'old-disk'])

export interface SeedPlan {
  readonly seed: number
  readonly nodes: number
  /** Q */
  readonly partitions: number
  /** No node has a disk. */
  readonly memory: boolean
  readonly secrets: readonly string[]
  readonly buckets: readonly PlannedBucket[]
  readonly healing: Healing
  readonly habits: readonly Habit[]
  /** Keys are drawn with weights 1/rank^skew. */
  readonly skew: number
  readonly faults: readonly FaultKind[]
  readonly meanFaultIntervalMs: number
  readonly meanFaultDurationMs: number
  readonly meanThinkMs: number
  readonly operationsMin: number
  readonly faultsMin: number
  /** Lost disks (or processes without one) at a time. */
  readonly lossesMax: number
  /** Wall clocks are up to that far from true time, either way. */
  readonly clockOffsetMsMax: number
  readonly hintBytesMax: number
  readonly bytesMax: number
  readonly siblingsMax: number
  /** Requests may ask for their own R, W and sloppy. */
  readonly ownLevels: boolean
  readonly sloppyAllowed: boolean
  readonly valueBytesMax: number
  /** What is not the same in every cluster, nor in every seed. */
  readonly timings: Partial<NodeTimings>
  readonly files: Pick<NodeLimits, 'segmentBytesMax' | 'checkpointBytesMin'>
  /** Larger messages leave in parts, and are then neither lost nor repeated nor overtaken alone. */
  readonly partBytes: number
}

export function planOf(seed: number): SeedPlan {
  const random = new SeededRandom(`plan ${seed}`)
  const nodes = random.pick([3, 3, 4, 5, 5, 5, 6, 7, 9])
  const memory = random.chance(0.12)
  const destructive = memory || random.chance(0.4)
  const healing = healingOf(random, destructive)
  const sloppyAllowed = healing.handoff && !random.chance(0.15)
  const buckets = bucketsOf(random, nodes, { destructive, sloppyAllowed, memory })
  const lossesMax =
    Math.min(...buckets.map(({ settings }) => quorumInForce(settings.w, Math.min(settings.n, nodes)))) - 1
  const faults = faultsOf(random, { destructive, memory, healing, lossesMax })
  return {
    seed,
    nodes,
    partitions: random.pick([8, 16, 32]),
    memory,
    secrets: random.chance(0.2) ? ['old secret of the simulated cluster', 'another one'] : [],
    buckets,
    healing,
    habits: [
      'session',
      ...Array.from({ length: random.integer(3, 6) }, () =>
        random.pick<Habit>(['session', 'careful', 'careful', 'blind', 'stale', 'latest']),
      ),
    ],
    skew: random.pick([0.5, 1, 1.5]),
    faults,
    meanFaultIntervalMs: random.pick([350, 700, 1200]),
    meanFaultDurationMs: random.pick([500, 1200, 2500]),
    meanThinkMs: random.pick([40, 100, 200]),
    operationsMin: random.integer(220, 300),
    faultsMin: random.integer(12, 18),
    lossesMax,
    clockOffsetMsMax: random.pick([0, 20, 100, 240]),
    hintBytesMax: random.chance(0.15) ? 2_000 : 1 << 20,
    bytesMax: random.chance(0.1) && !memory ? 12_000 : 1 << 26,
    siblingsMax: random.chance(0.15) ? 4 : 100,
    ownLevels: random.chance(0.7),
    sloppyAllowed,
    partBytes: random.fork('parts').pick([1 << 10, 64 << 10]),
    valueBytesMax: random.pick([60, 300, 3000]),
    ...constantsOf(random.fork('constants')),
  }
}

function constantsOf(random: SeededRandom): Pick<SeedPlan, 'timings' | 'files'> {
  const segmentBytesMax = random.pick([16 << 10, 64 << 10, 256 << 10])
  return {
    timings: {
      antiEntropyIntervalMs: random.pick([800, 1500, 3000]),
      collectionIntervalMs: random.pick([400, 1000, 2000]),
      hintIntervalMs: random.pick([100, 200, 500]),
      hedgeMs: random.pick([20, 60, 150]),
      healingBudgetMs: random.pick([500, 1000]),
    },
    files: { segmentBytesMax, checkpointBytesMin: 2 * segmentBytesMax },
  }
}

/** What is off in this seed; only where the others suffice. */
function healingOf(random: SeededRandom, destructive: boolean): Healing {
  const perhaps = destructive ? 'nothing' : 'antiEntropy'
  const off = random.pick(['nothing', 'nothing', 'readRepair', 'handoff', perhaps, perhaps])
  return {
    ...DEFAULT_HEALING,
    readAllRate: random.pick([0, 0.1, 1]),
    readRepair: off !== 'readRepair',
    handoff: off !== 'handoff',
    antiEntropy: off !== 'antiEntropy',
  }
}

function bucketsOf(
  random: SeededRandom,
  nodes: number,
  given: { destructive: boolean; sloppyAllowed: boolean; memory: boolean },
): PlannedBucket[] {
  const { destructive, sloppyAllowed, memory } = given
  const sloppy = sloppyAllowed && random.chance(0.7)
  // Names of every kind of character: the paths that bytes take differ.
  const keys = (prefix: string): string[] =>
    Array.from({ length: random.integer(2, 5) }, (_, i) => `${prefix}${['', 'é', '漢'][i % 3]}${i}`)
  const buckets: PlannedBucket[] = [
    { name: 'siblings', settings: { ...DEFAULT_BUCKET, sloppy }, keys: keys('s') },
    { name: 'última', settings: { ...DEFAULT_BUCKET, conflict: 'lww', sloppy }, keys: keys('l') },
  ]
  if (random.chance(0.5)) {
    const n = random.pick(destructive ? [3, 3, 5] : [1, 2, 3, 5])
    const inForce = Math.min(n, nodes)
    const leastW = destructive ? Math.min(2, inForce) : 1
    const w = random.integer(leastW, inForce + 1)
    // Mostly overlapping quorums, where there is something to be said about freshness.
    const r: Level = random.chance(0.7)
      ? Math.min(inForce, inForce - w + 1 + random.integer(0, 2))
      : random.pick<Level>(['one', 'quorum', 'all'])
    const conflict = random.chance(0.7) ? 'siblings' : 'lww'
    buckets.push({
      name: 'varied',
      settings: { ...DEFAULT_BUCKET, n, r, w, sloppy: sloppyAllowed && random.chance(0.5), conflict },
      keys: keys('v'),
    })
  }
  if (!memory && random.chance(0.25)) {
    buckets.push({ name: 'volatile', settings: { ...DEFAULT_BUCKET, durability: 'memory', sloppy }, keys: keys('m') })
  }
  return buckets
}

function faultsOf(
  random: SeededRandom,
  given: { destructive: boolean; memory: boolean; healing: Healing; lossesMax: number },
): FaultKind[] {
  const { destructive, memory, healing, lossesMax } = given
  const possible = FAULT_KINDS.filter((kind) => {
    if (DESTRUCTIVE.has(kind)) {
      return destructive && lossesMax > 0 && !(memory && kind !== 'lost-record')
    }
    if (memory && ['power-cut', 'crash-at-io', 'slow-disk', 'failed-sync', 'full-disk', 'restart-all'].includes(kind))
      return false
    if (memory && (kind === 'kill' || kind === 'graceful-stop')) return lossesMax > 0
    if (kind === 'clock-jump') return random.chance(0.2)
    if (kind === 'repair-now') return healing.antiEntropy
    return true
  })
  const wanted = Math.min(possible.length, random.integer(5, 12))
  const chosen = random.shuffle(possible).slice(0, wanted)
  for (const kind of possible)
    if (DESTRUCTIVE.has(kind) && !chosen.includes(kind) && random.chance(kind === 'old-disk' ? 0.25 : 0.5))
      chosen.push(kind)
  // Something must always be possible, whatever state the cluster is in.
  if (!chosen.includes('isolate')) chosen.push('isolate')
  return chosen
}
