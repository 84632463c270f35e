// Headers as long as a request's head may be, made to be tried in many ways: each is read in time that grows with its length.

import { describe, expect, it } from 'vitest'
import { parseEntityTags } from '../../src/http/conditions.ts'
import { prefersRepresentation } from '../../src/http/request-headers.ts'
import { HTTP_LIMITS } from '../../src/http/limits.ts'

const LENGTH = HTTP_LIMITS.headerBytesMax
const CPU_MS_MAX = 50

/** The least of three, of this thread alone: what else runs on the machine does not count. */
function cpuMs(act: () => void): number {
  const once = (): number => {
    const before = process.threadCpuUsage()
    act()
    const { user, system } = process.threadCpuUsage(before)
    return (user + system) / 1000
  }
  return Math.min(once(), once(), once())
}

const filled = (before: string, piece: string, after: string): string =>
  before + piece.repeat(LENGTH / piece.length) + after

describe('entity tags', () => {
  for (const [what, text] of [
    ['blanks before what is no tag', filled('"a",', ' ', 'x')],
    ['blanks behind a tag', filled('"a"', '\t', 'x')],
    ['commas', filled('', ',', 'x')],
    ['quotes', filled('', '"', '')],
    ['tags without a comma', filled('', '"a" ', '')],
  ] as const) {
    it(`are read at once: ${what}`, () => {
      expect(parseEntityTags(text)).toBeNull()
      expect(cpuMs(() => parseEntityTags(text))).toBeLessThan(CPU_MS_MAX)
    })
  }

  it('stand between blanks', () => {
    const two = [
      { weak: false, tag: 'a' },
      { weak: true, tag: 'b' },
    ]
    expect(parseEntityTags(' \t"a" \t, ,\tW/"b"\t ')).toEqual(two)
    expect(parseEntityTags('"a"W/"b"')).toBeNull()
  })
})

describe('preferences', () => {
  for (const [what, text] of [
    ['a quote without an end', filled('return=representation, x="', '\\"', '')],
    ['a quote that ends in a backslash', filled('"', '\\"', '\\')],
    ['blanks before what is no value', filled('return=', ' ', 'x y')],
    ['blanks behind the name', filled('return', ' ', 'x')],
    ['quotes', filled('"', '""', '')],
  ] as const) {
    it(`are read at once: ${what}`, () => {
      expect(prefersRepresentation({ prefer: text })).toBe(false)
      expect(cpuMs(() => prefersRepresentation({ prefer: text }))).toBeLessThan(CPU_MS_MAX)
    })
  }

  it('mean what they meant', () => {
    for (const prefer of [
      'return=representation',
      'a, return = "representation" ; x=1',
      'return, return=representation',
    ])
      expect(prefersRepresentation({ prefer }), prefer).toBe(true)
    for (const prefer of [
      'return',
      'return=',
      'return=minimal, return=representation',
      'x="return=representation"',
      '"a',
    ])
      expect(prefersRepresentation({ prefer }), prefer).toBe(false)
  })
})
