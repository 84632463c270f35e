// Whether a command printed what the transcript says. Decides which words may vary from run to run (process ids, versions, tags, dates,
// contexts) and remembers what each of them stands for now, so that a later command that repeats one means the same thing.
// Invariant: names that must be equal are equal on both sides: a version that two answers show is one version in this run too.

import { ELLIPSIS } from './transcript.ts'

interface Kind {
  readonly pattern: RegExp
  /**
   * `name`: one word of the transcript stands for one word of this run, both ways. `latest`: the last one seen is meant, since a
   * context may grow between answers. `any`: of the same form, no more.
   */
  readonly rule: 'name' | 'latest' | 'any'
}

const KINDS: readonly Kind[] = [
  { pattern: /(?<=pid=|kill -9 )\d+/, rule: 'name' },
  { pattern: /\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/, rule: 'name' }, // a storage or a cluster
  { pattern: /\b[0-9a-f]{16}\b/, rule: 'name' }, // a life, an entity tag, a hash
  { pattern: /(?<=[Qq]uorate-[Cc]ontext: |"context":")[\w-]+/, rule: 'latest' },
  { pattern: /\b[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT\b/, rule: 'any' },
  { pattern: /\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/, rule: 'any' },
  { pattern: /(?<="(?:oldestMs|bytes|lastHeartbeatMs)":)\d+/, rule: 'any' },
  { pattern: /(?<=hinted=)[1-9]\d*/, rule: 'any' }, // how many stood in depends on who was first; that somebody did, does not
]

const TOKEN = new RegExp(KINDS.map(({ pattern }) => `(${pattern.source})`).join('|'), 'g')

export class Likeness {
  readonly #meaning = new Map<string, string>()
  readonly #namedBy = new Map<string, string>()

  /** A command of the transcript in the words of this run. */
  inThisRun(command: string): string {
    if (this.#meaning.size === 0) return command
    const words = new RegExp(`(?<![\\w-])(?:${[...this.#meaning.keys()].join('|')})(?!\\w)`, 'g')
    return command.replaceAll(words, (word) => this.#meaning.get(word) ?? word)
  }

  /** Takes over this run's names in the order in which they come, whatever else differs. */
  adopt(expected: readonly string[], actual: readonly string[]): void {
    const ours = [...actual.join('\n').matchAll(TOKEN)]
    for (const match of expected.join('\n').matchAll(TOKEN)) {
      const [word] = match
      const kind = kindOf(match.slice(1))
      const next = ours.findIndex((other) => kindOf(other.slice(1)) === kind)
      if (next >= 0 && kind?.rule !== 'any') this.#meaning.set(word, ours.splice(next, 1)[0]?.[0] ?? word)
    }
  }

  /** Null when this is what was expected, else the first difference in words. Learns names only when all is equal. */
  difference(expected: readonly string[], actual: readonly string[]): string | null {
    const learned: [string, string, Kind][] = []
    const complaint = this.#compareLines(expected, actual, learned)
    if (complaint !== null) return complaint
    for (const [theirs, ours, { rule }] of learned) {
      if (rule === 'any') continue
      this.#meaning.set(theirs, ours)
      if (rule === 'name') this.#namedBy.set(ours, theirs)
    }
    return null
  }

  #compareLines(
    expected: readonly string[],
    actual: readonly string[],
    learned: [string, string, Kind][],
  ): string | null {
    let at = 0
    for (let index = 0; index < expected.length; index++) {
      const wanted = expected[index] ?? ''
      if (wanted === ELLIPSIS) {
        const next = expected[index + 1]
        if (next === undefined) return null
        const found = actual.findIndex((line, i) => i >= at && this.#compareLine(next, line, [...learned]) === null)
        if (found < 0) return `nowhere is\n  ${next}`
        at = found
        continue
      }
      const line = actual[at++]
      if (line === undefined) return `this line is missing:\n  ${wanted}`
      const complaint = this.#compareLine(wanted, line, learned)
      if (complaint !== null) return complaint
    }
    return at < actual.length ? `this line is not in the transcript:\n  ${actual[at]}` : null
  }

  #compareLine(wanted: string, actual: string, learned: [string, string, Kind][]): string | null {
    const [theirs, ours] = [inOrder(wanted), inOrder(actual)]
    const said = `the transcript has\n  ${wanted}\nand this run printed\n  ${actual}`
    if (theirs.replaceAll(TOKEN, kindMark) !== ours.replaceAll(TOKEN, kindMark)) return said
    const words = [...ours.matchAll(TOKEN)]
    for (const [index, match] of [...theirs.matchAll(TOKEN)].entries()) {
      const [word, other] = [match[0], words[index]?.[0] ?? '']
      const kind = kindOf(match.slice(1))
      if (kind === undefined) continue
      if (kind.rule === 'name') {
        const known = this.#meaning.get(word) ?? learned.find(([theirWord]) => theirWord === word)?.[1]
        const knownBy = this.#namedBy.get(other) ?? learned.find(([, ourWord]) => ourWord === other)?.[0]
        if ((known ?? other) !== other || (knownBy ?? word) !== word)
          return `${said}\nbut ${word} was ${known ?? 'another'}`
      }
      learned.push([word, other, kind])
    }
    return null
  }
}

function kindOf(groups: readonly (string | undefined)[]): Kind | undefined {
  return KINDS[groups.findIndex((group) => group !== undefined)]
}

function kindMark(_match: string, ...groups: readonly unknown[]): string {
  return `<${groups.slice(0, KINDS.length).findIndex((group) => group !== undefined)}>`
}

/** Lists whose order follows random names are put in an order of their own; every other line stays as it is. */
function inOrder(line: string): string {
  if (!line.startsWith('{')) return line
  try {
    const body: unknown = JSON.parse(line)
    if (typeof body !== 'object' || body === null || !('siblings' in body) || !Array.isArray(body.siblings)) return line
    const siblings = body.siblings.toSorted((a: unknown, b: unknown) => (textOf(a) < textOf(b) ? -1 : 1))
    return JSON.stringify({ ...body, siblings })
  } catch {
    return line
  }
}

function textOf(sibling: unknown): string {
  return typeof sibling === 'object' && sibling !== null && 'text' in sibling ? String(sibling.text) : ''
}
