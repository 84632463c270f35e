// How rows, sizes and times look: a table on a terminal, aligned plain lines otherwise. Knows nothing of what they mean.

import { print, styled, type CommandIo } from './command-io.ts'

export type Cell = string | number | boolean | null | undefined

export async function printTable(
  io: CommandIo,
  head: readonly string[],
  rows: readonly (readonly Cell[])[],
): Promise<void> {
  const cells = rows.map((row) => row.map(cellText))
  if (!io.stdout.isTTY) return print(io, alignedLines([head, ...cells]))
  const { default: Table } = await import('cli-table3')
  const table = new Table({
    head: head.map((name) => styled(io.stdout, 'bold', name)),
    style: { head: [], border: ['gray'], compact: true },
  })
  for (const row of cells) table.push(row)
  await print(io, `${table.toString()}\n`)
}

/** Names to the left, values to the right. */
export async function printFacts(io: CommandIo, facts: readonly (readonly [string, Cell])[]): Promise<void> {
  const width = Math.max(0, ...facts.map(([name]) => name.length))
  const lines = facts.map(([name, value]) => `${styled(io.stdout, 'bold', name.padEnd(width))}  ${cellText(value)}\n`)
  await print(io, lines.join(''))
}

function alignedLines(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)))
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}

function cellText(value: Cell): string {
  if (value === null || value === undefined || value === '') return '-'
  return typeof value === 'boolean' ? (value ? 'yes' : 'no') : String(value)
}

export function formatSize(bytes: number): string {
  for (const [unit, size] of [
    ['GiB', 2 ** 30],
    ['MiB', 2 ** 20],
    ['KiB', 2 ** 10],
  ] as const) {
    if (bytes >= size) return `${(bytes / size).toFixed(1)} ${unit}`
  }
  return `${bytes} B`
}

export function formatAge(ms: number | null): string {
  if (ms === null) return 'never'
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 120_000) return `${(ms / 1000).toFixed(1)} s`
  return ms < 7_200_000 ? `${(ms / 60_000).toFixed(1)} min` : `${(ms / 3_600_000).toFixed(1)} h`
}
