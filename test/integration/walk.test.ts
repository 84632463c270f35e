// The README's walk, as it stands, against a cluster of real processes: the README can't say what is not so.

import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Likeness } from '../../scripts/walk/likeness.ts'
import { rewritten, stepsOf } from '../../scripts/walk/transcript.ts'
import { play } from '../../scripts/walk/walk.ts'

const README = readFileSync(resolve(import.meta.dirname, '../../README.md'), 'utf8')

describe('the walk in README.md', () => {
  it('prints what it says', { timeout: 120_000 }, async () => {
    const steps = stepsOf(README)
    expect(steps.length).toBeGreaterThan(15)
    const played = await play(README)
    const differing = played.filter(({ difference }) => difference !== null)
    expect(differing.map(({ step, difference }) => `line ${step.line}: ${step.command}\n${difference}`)).toEqual([])
    expect(played).toHaveLength(steps.length)
  })

  // What it prints is recorded, so a cluster that did wrong would be recorded as well: this is what the text around it says.
  it('tells the story that it is there for', () => {
    const steps = stepsOf(README)
    const statusOf = (command: RegExp): string[] =>
      steps.filter((step) => command.test(step.command)).map(({ expected: [line = ''] }) => line.split(' ')[1] ?? line)
    expect(statusOf(/-i.* -X PUT .*carts\/alice.*'(?:milk|bread)'/)).toEqual(['201', '204'])
    expect(statusOf(/-i http.*carts\/alice$/)).toEqual(['300', '200', '404'])
    expect(statusOf(/Quorate-Context/)).toEqual(['204'])
    expect(statusOf(/-X DELETE/)).toEqual(['204'])
    const afterSleep = steps[steps.findIndex(({ command }) => command.startsWith('sleep ')) + 1]
    expect(afterSleep?.expected.join('\n')).toContain('"status":404')
    expect(statusOf(/Quorate-W: all/)).toEqual(['201'])
    expect(statusOf(/Quorate-Sloppy: \?0/)).toEqual(['503'])
  })
})

describe('a transcript', () => {
  const text = [
    '# x',
    '```console',
    '$ one \\',
    '  more',
    'a',
    '',
    'b',
    '',
    '$ two',
    '```',
    '```sh',
    '$ no',
    '```',
  ].join('\n')

  it('is commands and what follows them, in console blocks alone', () => {
    expect(stepsOf(text)).toEqual([
      { command: 'one \\\n  more', expected: ['a', '', 'b'], line: 3 },
      { command: 'two', expected: [], line: 9 },
    ])
  })

  it('is rewritten in place', () => {
    const steps = [
      { command: 'uno', expected: ['c'] },
      { command: 'two', expected: ['d', 'e'] },
    ]
    const after = rewritten(text, steps)
    expect(after.split('\n')).toEqual([
      '# x',
      '```console',
      '$ uno',
      'c',
      '',
      '$ two',
      'd',
      'e',
      '```',
      '```sh',
      '$ no',
      '```',
    ])
    expect(rewritten(text, stepsOf(text))).toBe(text)
  })
})

describe('likeness', () => {
  const [one, two, other] = ['76ccc7c0d29eee70', '24b42a52ec4e82e7', '00000000000000aa']

  it('lets names, dates and contexts vary, and nothing else', () => {
    const likeness = new Likeness()
    const expected = [`quorate-version: ${one}-1`, 'Date: Sat, 21 Nov 2026 23:35:15 GMT', 'quorate-siblings: 1']
    const actual = [`quorate-version: ${two}-1`, 'Date: Sun, 22 Nov 2026 03:05:00 GMT', 'quorate-siblings: 1']
    expect(likeness.difference(expected, actual)).toBeNull()
    expect(likeness.difference(expected, actual.with(2, 'quorate-siblings: 2'))).toContain('siblings: 2')
    expect(likeness.difference(expected, actual.with(0, `quorate-version: ${two}-2`))).toContain(`${two}-2`)
    expect(likeness.difference(expected, actual.slice(0, 2))).toContain('missing')
    expect(likeness.difference(expected, [...actual, 'more'])).toContain('not in the transcript')
  })

  it('holds a name to its meaning, both ways, and uses it in later commands', () => {
    const likeness = new Likeness()
    expect(likeness.difference([`v ${one}-1`, 'pid=27320'], [`v ${two}-1`, 'pid=11'])).toBeNull()
    expect(likeness.difference([`v ${one}-2`], [`v ${two}-2`])).toBeNull()
    expect(likeness.difference([`v ${one}-2`], [`v ${other}-2`])).not.toBeNull()
    expect(likeness.difference([`v ${other}-2`], [`v ${two}-2`])).not.toBeNull()
    expect(likeness.inThisRun(`kill -9 27320; get ?sibling=${one}-1`)).toBe(`kill -9 11; get ?sibling=${two}-1`)
  })

  it('tells a stand-in from none, however many there were', () => {
    const likeness = new Likeness()
    expect(likeness.difference(['hinted=1, durable=2'], ['hinted=2, durable=2'])).toBeNull()
    expect(likeness.difference(['hinted=1, durable=2'], ['hinted=0, durable=2'])).not.toBeNull()
    expect(likeness.difference(['hinted=0, durable=2'], ['hinted=1, durable=2'])).not.toBeNull()
  })

  it('takes siblings in any order', () => {
    const list = (...texts: string[]): string => JSON.stringify({ siblings: texts.map((text) => ({ text })) })
    expect(new Likeness().difference([list('bread', 'milk')], [list('milk', 'bread')])).toBeNull()
    expect(new Likeness().difference([list('bread', 'milk')], [list('milk', 'milk')])).not.toBeNull()
  })
})
