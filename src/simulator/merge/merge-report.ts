// What `--merge` says in the end: whether the merge converges, which law it breaks and by which values, which acknowledged edits are gone
// and which merge dropped them. Pure.

import type { Json, MergeFailed } from './merge-function.ts'
import { type Law, LAWS, type LawVerdict, type MergeLaws } from './merge-laws.ts'
import type { LostEdit } from './merge-ledger.ts'
import type { MergeResult } from './merge-run.ts'

const LAW_TEXT: Readonly<Record<Law, string>> = {
  determinism: 'the same siblings give the same value again',
  order: 'their order does not matter',
  grouping: 'nor which of them are merged first',
  repetition: 'nor that one is merged twice',
}

const VALUE_CHARS_MAX = 160

export class MergeReport {
  readonly #results: readonly MergeResult[]
  readonly #laws: MergeLaws

  constructor(results: readonly MergeResult[], laws: MergeLaws) {
    this.#results = results
    this.#laws = laws
  }

  /** It converges and loses nothing, and the store kept its promises. */
  get isGood(): boolean {
    return (
      this.#laws.hold &&
      this.#results.every(
        ({ seed, lost, restless, failure }) =>
          failure === null && lost.length === 0 && restless.length === 0 && seed.violations.length === 0,
      )
    )
  }

  get text(): string {
    const failed = this.#results.find(({ failure }) => failure !== null)
    const lines = [...this.#totals(), '']
    if (failed?.failure) lines.push(...describeFailure(failed.seed.seed, failed.failure))
    else lines.push(...this.#convergence(), ...this.#losses())
    lines.push(...this.#store())
    return `${lines.join('\n')}\n`
  }

  #totals(): string[] {
    const sum = (of: (result: MergeResult) => number): number => this.#results.reduce((all, one) => all + of(one), 0)
    const fates = (fate: 'acknowledged' | 'unknown' | 'void'): number => sum(({ ledger }) => ledger.count(fate))
    const most = Math.max(...this.#results.map(({ ledger }) => ledger.siblingsMax))
    const seconds = Math.round(sum(({ seed }) => seed.simulatedMs) / 1000)
    return [
      `${this.#results.length} seeds, ${sum((r) => r.operations)} operations, ${sum((r) => r.seed.faultCount)} faults, ${seconds} simulated seconds`,
      `edits      ${fates('acknowledged')} acknowledged, ${fates('unknown')} with an unknown outcome, ${fates('void')} not applied`,
      `conflicts  ${sum(({ ledger }) => ledger.merges.length)} merges of 2 to ${most} siblings`,
    ]
  }

  #convergence(): string[] {
    const restless = this.#results.flatMap((result) =>
      result.restless.map((one) => ({ ...one, seed: result.seed.seed })),
    )
    const converges = this.#laws.hold && restless.length === 0
    const lines = [`converges  ${converges ? 'yes' : 'NO'}`]
    for (const law of LAWS) {
      const verdict = this.#laws.verdicts.get(law)
      if (verdict) lines.push(...describeLaw(law, verdict))
    }
    const [first] = restless
    if (first) {
      lines.push(
        `  NO   ${restless.length} keys did not come to one value after all edits had ended; seed ${first.seed}, ${first.key}:`,
      )
      for (const value of first.values.slice(0, 3)) lines.push(`         ${show(value)}`)
    } else lines.push('  yes  after all edits had ended every client came to one value, and it stayed')
    return lines
  }

  #losses(): string[] {
    const lost = this.#results.flatMap((result) => result.lost.map((one) => ({ ...one, seed: result.seed.seed })))
    const acknowledged = this.#results.reduce((sum, { ledger }) => sum + ledger.count('acknowledged'), 0)
    if (lost.length === 0) return [`lost       nothing: the last values show all ${acknowledged} acknowledged edits`]
    const byMerge = lost.filter(({ by }) => by !== null)
    const lines = [
      `lost       ${lost.length} of ${acknowledged} acknowledged edits are not in the last values; ${byMerge.length} of them were dropped by a merge`,
    ]
    const example = byMerge.toSorted((a, b) => sizeOf(a) - sizeOf(b))[0]
    if (!example?.by) return lines
    const { edit, by, seed } = example
    lines.push(`  ${edit.id} in ${edit.key.name}, seed ${seed}: ${by.client} merged at ${(by.at / 1000).toFixed(1)} s`)
    for (const sibling of by.siblings) lines.push(`         ${show(sibling)}`)
    lines.push('       into', `         ${show(by.merged)}`)
    return lines
  }

  #store(): string[] {
    const bad = this.#results.filter(({ seed }) => seed.violations.length > 0)
    if (bad.length === 0) return ['store      kept its promises: no violation']
    return [
      `store      BROKE ITS PROMISES in ${bad.length} seeds; this is Quorate's fault, not the merge's:`,
      ...bad.map(({ seed }) => `  seed ${seed.seed}: ${seed.violations[0]?.guarantee} ${seed.violations[0]?.what}`),
    ]
  }
}

function describeLaw(law: Law, { tried, broken, smallest }: LawVerdict): string[] {
  if (broken === 0 || smallest === null) return [`  ${tried > 0 ? 'yes' : '-  '}  ${LAW_TEXT[law]} (${tried} tried)`]
  const { siblings, ways, values } = smallest
  return [
    `  NO   ${LAW_TEXT[law]}: broken ${broken} times of ${tried}; the smallest, of siblings`,
    ...siblings.map((sibling, i) => `         #${i + 1} ${show(sibling)}`),
    ...ways.map((way, i) => `       ${way}: ${show(values[i] as Json)}`),
  ]
}

function describeFailure(seed: number, { message, siblings }: MergeFailed): string[] {
  return [`failed     seed ${seed}: ${message}; it was given`, ...siblings.map((one) => `         ${show(one)}`)]
}

function sizeOf({ by }: LostEdit): number {
  return JSON.stringify(by?.siblings ?? []).length
}

function show(value: Json): string {
  const text = JSON.stringify(value)
  return text.length <= VALUE_CHARS_MAX ? text : `${text.slice(0, VALUE_CHARS_MAX)}… (${text.length} characters)`
}
