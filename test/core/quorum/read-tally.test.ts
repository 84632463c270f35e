import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { beginRead, readCounts, readVerdict, tallyRead } from '../../../src/core/quorum/read-tally.ts'
import type { ReadEvent, ReadTally, ReadTerms } from '../../../src/core/quorum/read-tally.ts'

const TERMS: ReadTerms = { homes: ['a', 'b', 'c'], fallbacks: ['d', 'e'], required: 2, sloppy: true }
const STRICT: ReadTerms = { ...TERMS, sloppy: false }

// a+ answered, a~ answered while filling, d> stood in, a! refused, a? failed, a/ unreachable, a. sent, | deadline.
function event(word: string): ReadEvent {
  const replica = word[0] ?? ''
  switch (word[1] ?? '|') {
    case '+':
      return { type: 'answered', replica, filling: false }
    case '~':
      return { type: 'answered', replica, filling: true }
    case '>':
      return { type: 'stood-in', replica }
    case '!':
      return { type: 'refused', replica, reason: 'not-serving' }
    case '?':
      return { type: 'failed', replica }
    case '/':
      return { type: 'unreachable', replica }
    case '.':
      return { type: 'sent', replica }
    default:
      return { type: 'deadline' }
  }
}

function played(transcript: string, terms: ReadTerms = TERMS): ReadTally {
  const words = transcript.split(' ').filter((word) => word !== '')
  return words.reduce((tally, word) => tallyRead(tally, event(word)), beginRead(terms))
}

const verdict = (transcript: string, live: boolean, terms: ReadTerms = TERMS): string =>
  readVerdict(played(transcript, terms), live).state

describe('a read', () => {
  test.each([
    ['', 'pending', 'pending'],
    ['a+', 'pending', 'pending'],
    ['a+ b+', 'met', 'met'],
    ['a+ a+', 'pending', 'pending'], // a duplicate reply counts once
    ['a+ x+ d+', 'pending', 'pending'], // strangers; a fallback is no home
    ['a+ b~ c.', 'pending', 'pending'], // filling counts in no R
    ['a+ b~ c~', 'lost', 'lost'], // and nobody stands in for it
    ['a+ b~ b+', 'met', 'met'], // complete by now
    ['a+ b/ c/ d>', 'met', 'pending'], // a fallback counts for a value, never for "not found"; e is still open
    ['a+ b/ c/ d> e>', 'met', 'lost'],
    ['a+ b/ c/ d> e?', 'met', 'lost'],
    ['a/ b/ c/ d> e>', 'met', 'lost'],
    ['a~ b~ c/ d> e>', 'lost', 'lost'], // one absent home, one stand-in
    ['a? b? c? d? e?', 'lost', 'lost'],
    ['a+ |', 'lost', 'lost'],
    ['a? a+ b+', 'met', 'met'], // late answers
    ['a+ a? b+', 'met', 'met'], // what was answered stays answered
  ])('sloppy %j is %s with a live value, %s without', (transcript, live, dead) => {
    expect(verdict(transcript, true)).toBe(live)
    expect(verdict(transcript, false)).toBe(dead)
  })

  test.each([
    ['a+ b/ d> e>', 'pending'],
    ['a+ b/ c/ d> e>', 'lost'],
    ['a+ b? c+', 'met'],
    ['a! b!', 'lost'],
  ])('strict %j is %s', (transcript, expected) => {
    expect(verdict(transcript, true, STRICT)).toBe(expected)
    expect(verdict(transcript, false, STRICT)).toBe(expected)
  })

  test('names the replicas that count, homes first', () => {
    expect(readCounts(played('a/ d> b+ c~'), true)).toEqual({ counted: ['b', 'd'], homes: 1, standIns: 1, replied: 3 })
    expect(readCounts(played('d> e> a+ b+ c+'), true).counted).toEqual(['a', 'b', 'c'])
  })

  test('tells why when all refuse for one reason', () => {
    expect(readVerdict(played('a. b. c. a! b! c!', STRICT), false)).toMatchObject({
      state: 'lost',
      reason: 'not-serving',
    })
    expect(readVerdict(played('a. b. c. a! b! c?', STRICT), false)).toMatchObject({ state: 'lost', reason: null })
    expect(readVerdict(played('a/ b/ c/', STRICT), false)).toMatchObject({ state: 'lost', reason: null })
  })
})

const anyWords = fc.array(
  fc
    .tuple(fc.constantFrom('a', 'b', 'c', 'd', 'e'), fc.constantFrom('+', '~', '>', '!', '?', '/', '.'))
    .map((w) => w.join('')),
  { maxLength: 24 },
)
const anyTerms = fc.record({
  homes: fc.constant(TERMS.homes),
  fallbacks: fc.constant(TERMS.fallbacks),
  required: fc.integer({ min: 1, max: 3 }),
  sloppy: fc.boolean(),
})

describe('whatever arrives, in whatever order', () => {
  test('never counts a replica that did not answer, was filling, or twice; nor more than N', () => {
    fc.assert(
      fc.property(anyWords, anyTerms, fc.boolean(), (words, terms, live) => {
        const { counted } = readCounts(played(words.join(' '), terms), live)
        expect(new Set(counted).size).toBe(counted.length)
        expect(counted.length).toBeLessThanOrEqual(terms.homes.length)
        for (const name of counted) {
          if (terms.homes.includes(name)) expect(words).toContain(`${name}+`)
          else expect(terms.sloppy && live && words.includes(`${name}>`)).toBe(true)
        }
      }),
    )
  })

  test('met stays met while a live value stays live, and lost means that nobody open could help', () => {
    fc.assert(
      fc.property(anyWords, anyTerms, (words, terms) => {
        let [tally, met] = [beginRead(terms), false]
        for (const word of words) {
          tally = tallyRead(tally, event(word))
          const { state } = readVerdict(tally, false)
          if (state === 'lost') {
            const best = [...terms.homes, ...terms.fallbacks].reduce((best, name) => {
              const known = best.replicas.find(({ replica }) => replica === name)
              if (known !== undefined && known.state !== 'in-flight') return best
              return tallyRead(best, event(terms.homes.includes(name) ? `${name}+` : `${name}>`))
            }, tally)
            const open =
              best.replicas.length > tally.replicas.length || tally.replicas.some((e) => e.state === 'in-flight')
            expect(readVerdict(best, open).state).toBe('lost')
          }
          if (met) expect(state).toBe('met')
          met = state === 'met'
        }
      }),
    )
  })
})
