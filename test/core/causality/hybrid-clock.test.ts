import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { HybridClock, hybridFromMs, msFromHybrid } from '../../../src/core/causality/hybrid-clock.ts'

const BOUND_MS = 500
const wall = fc.integer({ min: 1_000_000, max: 1_002_000 })
const event = fc.oneof(
  fc.record({ op: fc.constant('tick' as const), wall, time: wall.map(hybridFromMs) }),
  fc.record({ op: fc.constant('observe' as const), wall, time: fc.oneof(wall.map(hybridFromMs), fc.maxSafeNat()) }),
  fc.record({ op: fc.constant('read' as const), wall, time: fc.constant(0) }),
)

describe('hybrid time', () => {
  test('never runs back, is never before the wall clock, and never beyond the bound ahead of the greatest wall time', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), (events) => {
        const clock = new HybridClock()
        let last = 0
        let greatestWall = 0
        for (const { op, wall: wallMs, time } of events) {
          greatestWall = Math.max(greatestWall, wallMs)
          if (op === 'tick') {
            const stamp = clock.tick(wallMs, time, BOUND_MS)
            expect(stamp).toBeGreaterThan(last)
            expect(stamp).toBeGreaterThan(time)
          } else if (op === 'observe') {
            const isTaken = clock.observe(time, wallMs, BOUND_MS)
            expect(isTaken).toBe(time <= hybridFromMs(wallMs + BOUND_MS))
            if (isTaken) expect(clock.read(wallMs)).toBeGreaterThanOrEqual(time)
          }
          const now = clock.read(wallMs)
          expect(now).toBeGreaterThanOrEqual(Math.max(last, hybridFromMs(wallMs)))
          // A tick may count on past the bound, one unit an event.
          expect(now).toBeLessThanOrEqual(hybridFromMs(greatestWall + BOUND_MS) + events.length)
          last = now
        }
      }),
    )
  })

  test('a stamp is later than the context it supersedes, but a runaway context does not take the clock along', () => {
    const clock = new HybridClock()
    const runaway = hybridFromMs(9e9)
    expect(clock.tick(1000, runaway)).toBe(runaway + 1)
    expect(msFromHybrid(clock.read(1000))).toBe(1000)
    const near = hybridFromMs(1400)
    expect(clock.tick(1000, near)).toBe(near + 1)
    expect(clock.read(1000)).toBe(near + 1)
  })
})
