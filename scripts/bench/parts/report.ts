// How all benchmarks speak: which machine, tables, verdicts, sizes. Decides no figure.

import { cpus, release, totalmem } from 'node:os'
import Table from 'cli-table3'

export function machineLine(): string {
  const [cpu] = cpus()
  const memory = (totalmem() / 2 ** 30).toFixed(0)
  return `${cpu?.model ?? 'unknown'}, ${cpus().length} cores, ${memory} GiB, Linux ${release()}, Node ${process.version}`
}

export function verdict(target: string, met: boolean): string {
  return `${target} ${met ? 'met' : 'MISSED'}`
}

export function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const table = new Table({ head: [...head], style: { head: [], border: [] } })
  for (const row of rows) table.push([...row])
  return table.toString()
}

export function whole(value: number): string {
  return Number.isFinite(value) ? Math.round(value).toLocaleString('en') : String(value)
}

export function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1)
}

/** Progress goes beside the result, which alone stands on standard output. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`)
}
