// The table at the end of a run: what each story injected, what became of its writes, how it healed, what was skipped and why.
// Decides nothing. Invariant: every story that was asked for has a row.

import Table from 'cli-table3'
import type { Convergence, Verdict } from './verdict.ts'

export interface Row {
  readonly name: string
  /** What broke it off, where it came to no verdict. */
  readonly verdict: Verdict | string
  readonly seconds: number
}

const HEAD = ['story', 'injected', 'writes: acknowledged, failed, unknown', 'sloppy puts', 'healed', 'found', 's']
const WIDTHS = [13, 36, 16, 15, 22, 26, 6]

export function tableOf(rows: readonly Row[]): string {
  const table = new Table({ head: HEAD, colWidths: WIDTHS, wordWrap: true, style: { head: [], border: [] } })
  for (const { name, verdict, seconds } of rows) {
    const cells = typeof verdict === 'string' ? ['', '', '', '', `broke off: ${verdict}`] : cellsOf(verdict)
    table.push([name, ...cells, seconds.toFixed(0)])
  }
  return table.toString()
}

function cellsOf(verdict: Verdict): string[] {
  const { injected, skipped, writes, convergences, violated } = verdict
  const skips = Object.entries(skipped).map(([what, why]) => `${what} skipped: ${why}`)
  const faults = Object.entries(injected).map(([fault, count]) => `${count} × ${fault}`)
  return [
    faults.join('\n'),
    `${writes.acknowledged}\n${writes.failed}\n${writes.unknown}`,
    sloppyRate(verdict),
    healed(convergences),
    [violated === 0 ? 'nothing' : `${violated} violations`, ...skips].join('\n'),
  ]
}

function healed(all: readonly Convergence[]): string {
  const most = (of: (each: Convergence) => number): number => Math.max(...all.map(of))
  return all.length > 3
    ? `${all.length} times, at most ${most(({ keys }) => keys)} keys, ${most(({ seconds }) => seconds).toFixed(1)} s`
    : all.map(({ keys, seconds }) => `${keys} keys: ${seconds.toFixed(1)} s`).join('\n')
}

/** With as many digits as the number of requests bears. */
export function sloppyRate({ sloppy: { sent, acknowledged } }: Verdict): string {
  return sent === 0 ? '' : `${((100 * acknowledged) / sent).toFixed(3)} % of ${sent}`
}
