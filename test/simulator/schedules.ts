// Explicit schedules of operations, partitions, crashes and settings, drawn by fast-check; how one is played in the simulator, and how it
// reads as a story. Decides nothing about right and wrong: the judges are the simulator's own.

import fc from 'fast-check'
import type { Level } from '../../src/core/membership/bucket-settings.ts'
import { DEFAULT_BUCKET } from '../../src/core/membership/bucket-settings.ts'
import { DEFAULT_HEALING, type Healing } from '../../src/node/options.ts'
import { runSeed, type SeedResult, type Stage } from '../../src/simulator/run.ts'
import { planOf, type SeedPlan } from '../../src/simulator/seed-plan.ts'
import type { Host } from '../../src/simulator/simulated-cluster.ts'

type Step =
  | {
      readonly do: 'put' | 'get' | 'delete' | 'burst' | 'retry'
      readonly client: number
      readonly key: number
      /** Until the answer, or so long that others get in between. */
      readonly wait: boolean
    }
  | { readonly do: 'cut'; readonly from: number; readonly to: number; readonly bothWays: boolean }
  | { readonly do: 'isolate' | 'kill' | 'power-cut' | 'restart'; readonly host: number }
  | { readonly do: 'heal' }
  | { readonly do: 'wait'; readonly milliseconds: number }

export interface Schedule {
  readonly nodes: number
  readonly n: number
  readonly r: Level
  readonly w: Level
  readonly conflict: 'siblings' | 'lww'
  readonly sloppy: boolean
  readonly off: 'nothing' | 'readRepair' | 'handoff' | 'antiEntropy'
  readonly steps: readonly Step[]
}

const index = fc.nat(6)

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constantFrom('put', 'get', 'get', 'delete', 'burst', 'retry'),
      client: fc.nat(2),
      key: fc.nat(1),
      wait: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('cut'), from: index, to: index, bothWays: fc.boolean() }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom('isolate', 'kill', 'power-cut', 'restart', 'restart'), host: index }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('heal') }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait'), milliseconds: fc.constantFrom(1, 50, 700, 3000) }) },
)

/** The first of each is the usual: what a story does not need shrinks to it. */
export const schedule: fc.Arbitrary<Schedule> = fc.record({
  nodes: fc.constantFrom(3, 4, 5, 7),
  n: fc.constantFrom(3, 1, 2, 4, 5),
  r: fc.constantFrom<Level>('quorum', 1, 2, 'one', 'all'),
  w: fc.constantFrom<Level>('quorum', 1, 2, 'one', 'all'),
  conflict: fc.constantFrom('siblings', 'lww'),
  sloppy: fc.boolean(),
  off: fc.constantFrom('nothing', 'readRepair', 'handoff', 'antiEntropy'),
  steps: fc.array(step, { minLength: 1, maxLength: 25, size: 'max' }),
})

const HABITS = ['careful', 'blind', 'stale'] as const

function planFor({ nodes, n, r, w, conflict, sloppy, off }: Schedule): SeedPlan {
  const healing: Healing = { ...DEFAULT_HEALING, ...(off !== 'nothing' && { [off]: false }) }
  const settings = { ...DEFAULT_BUCKET, n, r, w, conflict, sloppy: sloppy && healing.handoff }
  return {
    ...planOf(1),
    seed: 1,
    nodes,
    partitions: 8,
    memory: false,
    secrets: [],
    buckets: [{ name: 'b', settings, keys: ['k0', 'k1'] }],
    healing,
    habits: HABITS,
    faults: [],
    lossesMax: 0,
    clockOffsetMsMax: 20,
    hintBytesMax: 1 << 20,
    bytesMax: 1 << 26,
    siblingsMax: 100,
    ownLevels: false,
    sloppyAllowed: settings.sloppy,
    valueBytesMax: 60,
  }
}

export function run(given: Schedule, onEvent?: (at: number, event: string) => void): Promise<SeedResult> {
  const work = (stage: Stage): Promise<void> => play(stage, given.steps)
  return runSeed(1, { plan: planFor(given), work, ...(onEvent && { onEvent }) })
}

async function play({ world, observation, clients, faults }: Stage, steps: readonly Step[]): Promise<void> {
  const { cluster, plan } = world
  const [bucket] = plan.buckets
  if (!bucket) return
  // Who reaches whom is the schedule's secret: availability is not judged here.
  observation.stability.begin('everything')
  let open = 0
  for (const one of steps) {
    const host = (at: number): Host => cluster.hosts[at % cluster.hosts.length] as Host
    switch (one.do) {
      case 'wait':
        await cluster.time.runFor(one.milliseconds)
        break
      case 'heal':
        cluster.network.healAll()
        break
      case 'cut':
        cluster.network.cut(host(one.from).name, host(one.to).name)
        if (one.bothWays) cluster.network.cut(host(one.to).name, host(one.from).name)
        break
      case 'isolate':
        for (const other of cluster.hosts) {
          if (other === host(one.host)) continue
          cluster.network.cut(host(one.host).name, other.name)
          cluster.network.cut(other.name, host(one.host).name)
        }
        break
      case 'kill':
      case 'power-cut':
        cluster.crash(host(one.host), one.do === 'kill' ? 'reset' : 'silent', one.do === 'power-cut')
        break
      case 'restart':
        faults.operator.bringBack(host(one.host))
        break
      default: {
        const client = clients[one.client]
        open++
        const done = client?.perform(one.do, bucket, bucket.keys[one.key] ?? 'k0').finally(() => open--)
        if (one.wait && done) await cluster.time.settle(done)
        else await cluster.time.runFor(0.2)
      }
    }
  }
  await cluster.time.runUntilCondition(() => open === 0)
}

/** A line for the settings, one for each step, what clients asked and got on the way, and what was violated. */
export async function storyOf(given: Schedule): Promise<string> {
  const { nodes, n, r, w, conflict, sloppy, off, steps } = given
  const lines = [`${nodes} nodes, N=${n} R=${r} W=${w}, ${conflict}${sloppy ? ', sloppy' : ''}, ${off} switched off`]
  for (const one of steps) lines.push(`  ${textOf(one, nodes)}`)
  const { violations } = await run(given, (at, event) => {
    if (/^c\d [→←]/.test(event)) lines.push(`${at.toFixed(1).padStart(9)} ${event}`)
  })
  for (const { guarantee, at, what } of violations) lines.push(`${at.toFixed(1).padStart(9)} ${guarantee}: ${what}`)
  return lines.join('\n')
}

function textOf(one: Step, nodes: number): string {
  const node = (at: number): string => `node-${at % nodes}`
  switch (one.do) {
    case 'wait':
      return `wait ${one.milliseconds} ms`
    case 'heal':
      return 'heal the network'
    case 'cut':
      return `cut ${node(one.from)} ${one.bothWays ? '↔' : '→'} ${node(one.to)}`
    case 'isolate':
    case 'kill':
    case 'power-cut':
    case 'restart':
      return `${one.do} ${node(one.host)}`
    default:
      return `c${one.client} (${HABITS[one.client]}): ${one.do} k${one.key}${one.wait ? '' : ', and go on at once'}`
  }
}
