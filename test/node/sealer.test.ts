import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SEAL_CHARS } from '../../src/core/causality/context-token.ts'
import { createSealer } from '../../src/node/sealer.ts'

const sealers = [
  ['without a secret', createSealer(() => 'cluster', [])],
  ['with secrets', createSealer(() => 'cluster', ['new', 'old'])],
] as const

describe.each(sealers)('a seal %s', (_name, sealer) => {
  test('is some characters of base64url, the same each time', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), (bucket, key, payload) => {
        const seal = sealer.seal(bucket, key, payload)
        expect(seal).toMatch(new RegExp(`^[A-Za-z0-9_-]{${SEAL_CHARS}}$`))
        expect(sealer.verify(bucket, key, payload, seal)).toBe(true)
        expect(sealer.verify(bucket, key, payload, seal.slice(1))).toBe(false)
        expect(sealer.verify(bucket, key, payload, `${seal}A`)).toBe(false)
        expect(sealer.verify(bucket, key, payload, '\u0100'.repeat(SEAL_CHARS))).toBe(false)
      }),
    )
  })
  test('is another one for a payload in which anything was altered', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 200 }), fc.nat(), fc.nat(0xffff), (payload, place, other) => {
        const at = place % payload.length
        const altered = payload.slice(0, at) + String.fromCharCode(other) + payload.slice(at + 1)
        if (altered !== payload) expect(sealer.seal('b', 'k', altered)).not.toBe(sealer.seal('b', 'k', payload))
      }),
    )
  })
  test('is another one wherever a boundary lies elsewhere', () => {
    const whole = 'aaaaaaaaaaaa'
    const seals = new Set<string>()
    for (let i = 0; i <= whole.length; i++) {
      for (let j = i; j <= whole.length; j++)
        seals.add(sealer.seal(whole.slice(0, i), whole.slice(i, j), whole.slice(j)))
    }
    expect(seals.size).toBe((13 * 14) / 2)
  })
})

test('seals of many neighbours are all different, in each half', () => {
  const sealer = createSealer(() => 'cluster', [])
  const seals = new Set<string>()
  for (let i = 0; i < 300; i++) for (let j = 0; j < 300; j++) seals.add(sealer.seal('b', `key-${i}`, `payload ${j}`))
  expect(seals.size).toBe(90_000)
  // 32 bits are expected to meet once among so many: often would mean that a lane does not spread.
  for (const [from, to] of [
    [0, 6],
    [6, 12],
  ])
    expect(new Set([...seals].map((seal) => seal.slice(from, to))).size).toBeGreaterThan(89_980)
})

test('another cluster, another secret: another seal; every secret opens, the first seals', () => {
  let cluster = 'one'
  const accident = createSealer(() => cluster, [])
  const old = createSealer(() => cluster, ['old'])
  const both = createSealer(() => cluster, ['new', 'old'])
  const seals = [accident, old, both].map((sealer) => sealer.seal('b', 'k', 'p'))
  expect(new Set(seals).size).toBe(3)
  expect(both.verify('b', 'k', 'p', seals[1]!)).toBe(true)
  expect(old.verify('b', 'k', 'p', seals[2]!)).toBe(false)
  cluster = 'another'
  for (const [index, sealer] of [accident, old, both].entries())
    expect(sealer.verify('b', 'k', 'p', seals[index]!)).toBe(false)
})
