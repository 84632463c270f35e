// Short explicit schedules of operations, partitions, crashes and restarts, which fast-check shrinks when a checker objects. The judges are
// the simulator's own; only the choices are fast-check's. A failure prints the schedule itself, and seed and path to run it again.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { runSeed, type Stage } from '../../src/simulator/run.ts'
import { planOf, type SeedPlan } from '../../src/simulator/seed-plan.ts'
import { DEFAULT_BUCKET } from '../../src/core/membership/bucket-settings.ts'
import { DEFAULT_HEALING } from '../../src/node/options.ts'

type Step =
  | {
      readonly do: 'put' | 'get' | 'delete' | 'burst' | 'retry'
      readonly client: number
      readonly key: number
      readonly wait: boolean
    }
  | { readonly do: 'cut'; readonly from: number; readonly to: number; readonly bothWays: boolean }
  | { readonly do: 'isolate' | 'kill' | 'power-cut' | 'restart'; readonly host: number }
  | { readonly do: 'heal' }
  | { readonly do: 'wait'; readonly milliseconds: number }

const index = fc.nat(4)

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

interface Schedule {
  readonly nodes: number
  readonly conflict: 'siblings' | 'lww'
  readonly sloppy: boolean
  readonly steps: readonly Step[]
}

const schedule: fc.Arbitrary<Schedule> = fc.record({
  nodes: fc.constantFrom(3, 4, 5),
  conflict: fc.constantFrom('siblings', 'lww'),
  sloppy: fc.boolean(),
  steps: fc.array(step, { minLength: 3, maxLength: 25 }),
})

function planFor({ nodes, conflict, sloppy }: Schedule): SeedPlan {
  return {
    ...planOf(1),
    seed: 1,
    nodes,
    partitions: 8,
    memory: false,
    secrets: [],
    buckets: [{ name: 'siblings', settings: { ...DEFAULT_BUCKET, conflict, sloppy }, keys: ['a', 'b'] }],
    healing: DEFAULT_HEALING,
    habits: ['careful', 'blind', 'stale'],
    faults: [],
    lossesMax: 0,
    clockOffsetMsMax: 20,
    hintBytesMax: 1 << 20,
    bytesMax: 1 << 26,
    siblingsMax: 100,
    ownLevels: false,
    sloppyAllowed: sloppy,
    valueBytesMax: 60,
  }
}

async function play({ world, observation, clients, faults }: Stage, steps: readonly Step[]): Promise<void> {
  const { cluster, plan } = world
  const [bucket] = plan.buckets
  if (!bucket) return
  // Who reaches whom is the schedule's secret: availability is not judged here.
  observation.stability.begin('everything')
  let open = 0
  for (const one of steps) {
    const host = (at: number): (typeof cluster.hosts)[number] =>
      cluster.hosts[at % cluster.hosts.length] as (typeof cluster.hosts)[number]
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
        const done = client?.perform(one.do, bucket, bucket.keys[one.key] ?? 'a').finally(() => open--)
        if (one.wait && done) await cluster.time.settle(done)
        else await cluster.time.runFor(0.2)
      }
    }
  }
  await cluster.time.runUntilCondition(() => open === 0)
}

describe('partitions', () => {
  test('no schedule of operations, partitions and crashes breaks a guarantee', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(schedule, async (given) => {
        const { violations } = await runSeed(1, { plan: planFor(given), work: (stage) => play(stage, given.steps) })
        expect(violations).toEqual([])
      }),
      // `seed` and `path` of a failure go here; `endOnFailure` off, so that it shrinks.
      { numRuns: 250, interruptAfterTimeLimit: 20_000, markInterruptAsFailure: false, seed: 20260101 },
    )
  })
})
