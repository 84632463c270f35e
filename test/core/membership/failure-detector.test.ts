import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FailureDetector } from '../../../src/core/membership/failure-detector.ts'

const SETTINGS = { heartbeatMs: 100, timeoutMs: 1000 }

/** Heartbeats at these intervals, from time 0; returns the time of the last. */
function beats(detector: FailureDetector, intervals: readonly number[]): number {
  let now = 0
  detector.heard('a', now)
  for (const interval of intervals) detector.heard('a', (now += interval))
  return now
}

describe('a member', () => {
  test('that was never heard is unreachable', () => {
    const detector = new FailureDetector(SETTINGS)
    expect(detector.livenessOf('a', 0)).toBe('unreachable')
    expect(detector.lastHeardAt('a')).toBeNull()
    expect(detector.changesAt('a', 0)).toBeNull()
  })

  test('heard in a steady rhythm is suspect after two beats and unreachable after the time-out', () => {
    const detector = new FailureDetector(SETTINGS)
    const last = beats(
      detector,
      Array.from({ length: 50 }, () => 100),
    )
    expect(detector.livenessOf('a', last + 199)).toBe('reachable')
    expect(detector.livenessOf('a', last + 200)).toBe('suspect')
    expect(detector.livenessOf('a', last + 999)).toBe('suspect')
    expect(detector.livenessOf('a', last + 1000)).toBe('unreachable')
    detector.heard('a', last + 5000)
    expect(detector.livenessOf('a', last + 5000)).toBe('reachable')
  })

  test('that is usually late is given more time, and loses it when the network calms', () => {
    const detector = new FailureDetector(SETTINGS)
    const jittery = Array.from({ length: 60 }, (_, i) => (i % 3 === 0 ? 400 : 100))
    const last = beats(detector, jittery)
    expect(detector.livenessOf('a', last + 350)).toBe('reachable')
    expect(detector.livenessOf('a', last + 1100)).not.toBe('unreachable')
    let now = last
    for (let i = 0; i < 60; i++) detector.heard('a', (now += 100))
    expect(detector.livenessOf('a', now + 350)).toBe('suspect')
    expect(detector.livenessOf('a', now + 1100)).toBe('unreachable')
  })

  test('that talks all the time is not expected to go on like that', () => {
    const detector = new FailureDetector(SETTINGS)
    const last = beats(
      detector,
      Array.from({ length: 1000 }, () => 1),
    )
    expect(detector.livenessOf('a', last + 150)).toBe('reachable')
  })

  test('whose link broke is unreachable at once, until it is heard', () => {
    const detector = new FailureDetector(SETTINGS)
    const last = beats(detector, [100, 100])
    detector.lost('a')
    expect(detector.livenessOf('a', last)).toBe('unreachable')
    detector.heard('a', last + 1)
    expect(detector.livenessOf('a', last + 1)).toBe('reachable')
    detector.forget('a')
    expect(detector.livenessOf('a', last + 1)).toBe('unreachable')
  })

  test('that was away for long is not excused for it later', () => {
    const detector = new FailureDetector(SETTINGS)
    const last = beats(detector, [100, 100, 100, 60_000])
    expect(detector.livenessOf('a', last + 1000)).toBe('unreachable')
  })
})

test('whatever the rhythm: fresh is reachable, long silence is not, and silence only makes it worse', () => {
  const order = ['reachable', 'suspect', 'unreachable']
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 6000 }), { maxLength: 100 }), (intervals) => {
      const detector = new FailureDetector(SETTINGS)
      const last = beats(detector, intervals)
      expect(detector.livenessOf('a', last)).toBe('reachable')
      expect(detector.livenessOf('a', last + 4000)).toBe('unreachable')
      let worst = 0
      for (let silence = 0; silence <= 4000; silence += 50) {
        const now = order.indexOf(detector.livenessOf('a', last + silence))
        expect(now).toBeGreaterThanOrEqual(worst)
        worst = now
      }
    }),
  )
})

test('says when to look again', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 50, max: 500 }), { maxLength: 50 }), (intervals) => {
      const detector = new FailureDetector(SETTINGS)
      let now: number | null = beats(detector, intervals)
      const seen: string[] = []
      for (let looks = 0; now !== null && looks < 10; looks++) {
        seen.push(detector.livenessOf('a', now))
        now = detector.changesAt('a', now)
      }
      expect(now).toBeNull()
      expect(seen.at(-1)).toBe('unreachable')
      expect(new Set(seen).size).toBe(seen.length)
    }),
  )
})
