// Shrinking: what is left fails, and nothing of it can be done without; leaving one thing out changes no other's chances.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { runSeed } from '../../src/simulator/run.ts'
import { planOf } from '../../src/simulator/seed-plan.ts'
import { type Ending, Shrinker, type Story } from '../../src/simulator/shrink.ts'
import type { Doings } from '../../src/simulator/world.ts'

const PLAN = { ...planOf(1), nodes: 5, buckets: [] }
const FAULTS = 18
const OPERATIONS = 60

function doingsOf({ leftOut }: Story): Doings {
  const faults = new Set(Array.from({ length: FAULTS }, (_, number) => number)).difference(leftOut.faults)
  const all = Array.from({ length: OPERATIONS }, (_, number) => `c${number % 4}:${Math.floor(number / 4)}`)
  return { faults, operations: new Set(all).difference(leftOut.operations) }
}

/** Fails as long as all of these are done, on so many nodes at least. */
function failsWith(faults: readonly number[], operations: readonly string[], nodes: number) {
  return (story: Story): Ending => {
    const done = doingsOf(story)
    const isThere =
      faults.every((fault) => done.faults.has(fault)) && operations.every((one) => done.operations.has(one))
    const violation = isThere && story.plan.nodes >= nodes ? { guarantee: 'G1', at: 400, what: 'lost' } : null
    return { violation, done }
  }
}

const WHOLE: Story = { plan: PLAN, leftOut: { faults: new Set(), operations: new Set() }, activeUntilMs: 1000 }

describe('shrinking', () => {
  it('leaves exactly what is needed', async () => {
    const needed = fc.record({
      faults: fc.uniqueArray(fc.nat(FAULTS - 1), { maxLength: 3 }),
      operations: fc.uniqueArray(fc.nat(OPERATIONS - 1), { minLength: 1, maxLength: 4 }),
      nodes: fc.integer({ min: 3, max: 5 }),
    })
    await fc.assert(
      fc.asyncProperty(needed, async ({ faults, operations, nodes }) => {
        const names = operations.map((number) => `c${number % 4}:${Math.floor(number / 4)}`)
        const tell = failsWith(faults, names, nodes)
        const shrinker = new Shrinker(WHOLE, tell(WHOLE), {
          tell: (story) => Promise.resolve(tell(story)),
          triesMax: 1000,
          onProgress: () => {},
        })
        const story = await shrinker.shrink()
        expect(tell(story).violation).not.toBeNull()
        expect([...doingsOf(story).faults].toSorted()).toEqual(faults.toSorted())
        expect([...doingsOf(story).operations].toSorted()).toEqual(names.toSorted())
        expect([story.plan.nodes, story.activeUntilMs]).toEqual([nodes, 400])
      }),
    )
  })

  it('ends after so many tries with what fails', async () => {
    const tell = failsWith([3, 9], ['c1:4', 'c2:7'], 3)
    const shrinker = new Shrinker(WHOLE, tell(WHOLE), {
      tell: (story) => Promise.resolve(tell(story)),
      triesMax: 12,
      onProgress: () => {},
    })
    expect(tell(await shrinker.shrink()).violation).not.toBeNull()
    expect(shrinker.tries).toBeLessThanOrEqual(14)
  })

  it('of a seed leaves the others what they were', async () => {
    const eventsOf = async (leftOut: Doings): Promise<string[]> => {
      const events: string[] = []
      await runSeed(7, { leftOut, activeUntilMs: 3000, onEvent: (_at, event) => events.push(event) })
      return events.slice(0, events.indexOf('everything is mended'))
    }
    const whole = await eventsOf({ faults: new Set(), operations: new Set() })
    const asked = (events: readonly string[], client: string): string[] =>
      events.filter((event) => event.startsWith(`${client} → `)).map((event) => event.split(' ').slice(3, 6).join(' '))
    const faultsOf = (events: readonly string[]): string[] => events.filter((event) => event.startsWith('fault '))
    const operations = new Set(Array.from({ length: 100 }, (_, number) => `c0:${number}`))
    const all = new Set(Array.from({ length: 100 }, (_, number) => number))
    const calm = await eventsOf({ faults: all, operations })
    expect(faultsOf(whole).length).toBeGreaterThan(0)
    expect(faultsOf(calm)).toEqual([])
    expect(asked(whole, 'c0').length).toBeGreaterThan(0)
    expect(asked(calm, 'c0')).toEqual([])
    const first = asked(whole, 'c1').slice(0, 3)
    expect(first).toHaveLength(3)
    expect(asked(calm, 'c1').slice(0, 3)).toEqual(first)
  })
})
