import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  beginWrite,
  mayProveNotApplied,
  tallyWrite,
  writeCounts,
  writeVerdict,
} from '../../../src/core/quorum/write-tally.ts'
import type { WriteEvent, WriteTally, WriteTerms } from '../../../src/core/quorum/write-tally.ts'

const TERMS: WriteTerms = { homes: ['a', 'b', 'c'], fallbacks: ['d', 'e'], required: 2, sloppy: true, durable: true }
const STRICT: WriteTerms = { ...TERMS, sloppy: false }

// Transcripts: one word an event. a+ acknowledged, a~ acknowledged unsynced, d>a hint for a, a! refused (full), a#x
// refused for good with reason x, a? failed, a/ unreachable, a. sent, | deadline.
function event(word: string): WriteEvent {
  const replica = word[0] ?? ''
  switch (word[1] ?? '|') {
    case '+':
      return { type: 'acknowledged', replica, durable: true }
    case '~':
      return { type: 'acknowledged', replica, durable: false }
    case '>':
      return { type: 'hinted', replica, hintFor: word[2] ?? '', durable: true }
    case '!':
      return { type: 'refused', replica, reason: 'storage-full', absent: true }
    case '#':
      return { type: 'refused', replica, reason: word.slice(2), absent: false }
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

function played(transcript: string, terms: WriteTerms = TERMS): WriteTally {
  const words = transcript.split(' ').filter((word) => word !== '')
  return words.reduce((tally, word) => tallyWrite(tally, event(word)), beginWrite(terms))
}

function verdict(transcript: string, terms: WriteTerms = TERMS): string {
  const result = writeVerdict(played(transcript, terms))
  if (result.state !== 'lost') return result.state
  return `${result.state} ${result.outcome}${result.reason === null ? '' : ` ${result.reason}`}`
}

describe('a write', () => {
  test.each([
    ['', 'pending'],
    ['a. b. c. a+', 'pending'],
    ['a. b. c. a+ b+', 'met'],
    ['a+ a+ a+', 'pending'], // a duplicate reply counts once
    ['x+ y+', 'pending'], // strangers
    ['d+ e+', 'pending'], // a fallback does not acknowledge for itself
    ['a. b. c. a+ b? c?', 'pending'], // fallbacks may still stand in
    ['a. b. c. a+ b? c? d>b', 'met'],
    ['a? d>a e>a', 'pending'], // two hints for one home are one copy
    ['a? d>a d>b', 'pending'], // one holder is one copy
    ['a? d>a a+', 'pending'], // the home and the hint for it are one copy
    ['a? d>a a+ b+', 'met'],
    ['a/ b/ d>a e>b', 'met'],
    ['a~ b~', 'lost unknown'], // unsynced does not count where synced is promised
    ['a~ b~ a+ b+', 'met'],
    ['a? b? a+ b+', 'met'], // late acknowledgements
  ])('sloppy %j is %s', (transcript, expected) => expect(verdict(transcript)).toBe(expected))

  test.each([
    ['a. b. c. a+ d>b e>c', 'pending'], // hints never count
    ['a. b. c. a+ b? c?', 'lost unknown'],
    ['a. b. c. a+ b/', 'pending'],
    ['a. b. c. a+ b/ c!', 'lost unknown'], // a holds it
    ['a/ b/', 'lost not-applied'], // nothing was sent
    ['a/ b/ c.', 'lost unknown'],
    ['a. b. c. a! b!', 'lost unknown'], // c was sent and may still act
    ['a. b. c. a! b! c!', 'lost not-applied storage-full'],
    ['a. b. c. a#siblings b#siblings c#siblings', 'lost not-applied siblings'],
    ['a. b. c. a#siblings b! c!', 'lost not-applied'],
    ['a. b. c. a#siblings b#siblings c/', 'lost not-applied siblings'],
    ['a. b. c. a? a. a! b! c!', 'lost unknown'], // the first attempt may have arrived
    ['a. a! a. b! c! |', 'lost unknown'], // the second attempt is on its way
    ['a. a! a. a+ b. b+', 'met'], // refused first, then taken
    ['a. a+ |', 'lost unknown'],
    ['|', 'lost not-applied'],
    ['a. |', 'lost unknown'],
  ])('strict %j is %s', (transcript, expected) => expect(verdict(transcript, STRICT)).toBe(expected))

  test('that its homes refuse for good is lost at once, although fallbacks stand by', () => {
    expect(verdict('a. b. c. a#siblings b#siblings')).toBe('lost unknown')
    expect(verdict('a. b. c. a#siblings b#siblings c#siblings')).toBe('lost not-applied siblings')
    expect(verdict('a. b. c. a! b! c!')).toBe('pending')
    expect(verdict('a. b. c. a! b! c! d! e!')).toBe('lost not-applied storage-full')
  })

  test('lists every reason it was refused for', () => {
    const result = writeVerdict(played('a. b. c. a#siblings b! c!', STRICT))
    expect(result).toMatchObject({ reason: null, reasons: ['siblings', 'storage-full'] })
  })

  test('counts for its receipt', () => {
    expect(writeCounts(played('a+ b? d>b c~'))).toEqual({
      acknowledged: 2,
      homes: 1,
      standIns: 1,
      replied: 3,
      hinted: 1,
      durable: 2,
      durableHomes: 1,
    })
    expect(writeCounts(played('a+ b? d>b b+'))).toMatchObject({ acknowledged: 2, homes: 2, standIns: 0, hinted: 1 })
    expect(writeCounts(played('a~ b~', { ...TERMS, durable: false }))).toMatchObject({ acknowledged: 2, durable: 0 })
  })
})

const anyWord = fc.oneof(
  fc
    .tuple(fc.constantFrom('a', 'b', 'c', 'd', 'e'), fc.constantFrom('+', '~', '!', '?', '/', '.'))
    .map((w) => w.join('')),
  fc.tuple(fc.constantFrom('d', 'e'), fc.constant('>'), fc.constantFrom('a', 'b', 'c')).map((w) => w.join('')),
)
const anyWords = fc.array(anyWord, { maxLength: 24 })
const anyTerms = fc.record({
  homes: fc.constant(TERMS.homes),
  fallbacks: fc.constant(TERMS.fallbacks),
  required: fc.integer({ min: 1, max: 3 }),
  sloppy: fc.boolean(),
  durable: fc.boolean(),
})

describe('whatever arrives, in whatever order', () => {
  test('repeating events changes nothing', () => {
    fc.assert(
      fc.property(anyWords, anyTerms, (words, terms) => {
        const answers = words.filter((word) => !word.endsWith('.'))
        const once = writeVerdict(played(answers.join(' '), terms))
        expect(writeVerdict(played([...answers, ...answers].join(' '), terms)).counts).toEqual(once.counts)
      }),
    )
  })

  test('the order of acknowledgements and failures does not matter', () => {
    fc.assert(
      fc.property(anyWords, anyTerms, fc.func(fc.integer()), (words, terms, weigh) => {
        // Each holder's first hint is the one that counts, so give each one home only.
        const answers = words.filter((w) => !w.endsWith('.') && (w[1] !== '>' || w[2] === (w[0] === 'd' ? 'a' : 'b')))
        const shuffled = answers.toSorted((x, y) => weigh(x) - weigh(y))
        expect(verdict([...answers, '|'].join(' '), terms)).toBe(verdict([...shuffled, '|'].join(' '), terms))
      }),
    )
  })

  test('met stays met, is never claimed on fewer than W distinct nodes, and strict only on homes', () => {
    fc.assert(
      fc.property(anyWords, anyTerms, (words, terms) => {
        let [tally, met] = [beginWrite(terms), false]
        const holders = new Set<string>()
        for (const word of words) {
          tally = tallyWrite(tally, event(word))
          if (word[1] === '+' || (word[1] === '~' && !terms.durable)) {
            if (terms.homes.includes(word[0]!)) holders.add(word[0]!)
          }
          if (word[1] === '>' && terms.sloppy) holders.add(word[0]!)
          const now = writeVerdict(tally).state === 'met'
          if (met) expect(now).toBe(true)
          met = now
          if (now) expect(holders.size).toBeGreaterThanOrEqual(terms.required)
        }
      }),
    )
  })

  test('not-applied is never claimed where a replica may hold the write', () => {
    fc.assert(
      fc.property(anyWords, anyTerms, (words, terms) => {
        const result = writeVerdict(played([...words, '|'].join(' '), terms))
        // The last event of each replica that leaves it open or taken.
        const mayHold = words.some((word, i) => {
          if (word[1] === '+' || word[1] === '~') return terms.homes.includes(word[0]!)
          if (word[1] === '>' || word[1] === '?') return true
          return word[1] === '.' && !words.slice(i + 1).some((later) => later[0] === word[0])
        })
        if (result.state === 'lost' && mayHold) expect(result.outcome).toBe('unknown')
      }),
    )
  })

  test('pending only as long as W can still be met', () => {
    fc.assert(
      fc.property(anyWords, anyTerms, (words, terms) => {
        const tally = played(words.join(' '), terms)
        if (writeVerdict(tally).state !== 'pending') return
        // The best that can come: every replica that has not concluded says yes.
        const open = [...terms.homes, ...terms.fallbacks].filter((name) => {
          const entry = tally.replicas.find(({ replica }) => replica === name)
          return entry === undefined || entry.state === 'in-flight'
        })
        let best = tally
        for (const home of terms.homes) if (open.includes(home)) best = tallyWrite(best, event(`${home}+`))
        for (const fallback of terms.fallbacks) {
          const entry = (home: string) => best.replicas.find(({ replica }) => replica === home)
          const bare = terms.homes.find(
            (home) =>
              entry(home)?.state !== 'acknowledged' &&
              !best.replicas.some((other) => other.state === 'hinted' && other.hintFor === home),
          )
          if (open.includes(fallback) && bare !== undefined) best = tallyWrite(best, event(`${fallback}>${bare}`))
        }
        expect(writeVerdict(best).state).toBe('met')
      }),
    )
  })
})

describe('a lost write is worth waiting for', () => {
  test.each([
    ['a. b. c. a#siblings b#siblings', true], // c may refuse as well: then nothing was applied
    ['a. b. c/ a#siblings', true],
    ['a. b. c. a#siblings b#siblings c#siblings', false],
    ['a. b. c. a#siblings b?', false], // b may hold it, whatever c says
    ['a. b. c. a#siblings b+', false],
    ['a. b. c. d. a! d>a b#siblings', false],
    ['a. b. c. a#siblings b#siblings |', false],
    ['a/ b/ c.', false], // nobody has refused: c will not say "not applied"
  ])('%j: %s', (transcript, expected) => expect(mayProveNotApplied(played(transcript, STRICT))).toBe(expected))
})
