// What a run of seeds did, in totals by kind, and what it found, with the command that shows it again. Pure.

import type { SeedResult } from './run.ts'

export class Report {
  readonly #results: readonly SeedResult[]

  constructor(results: readonly SeedResult[]) {
    this.#results = results
  }

  get text(): string {
    const results = this.#results
    const sum = (of: (result: SeedResult) => number): number => results.reduce((total, result) => total + of(result), 0)
    const lines = [
      ...table(
        'operations',
        results.map(({ operations }) => operations),
      ),
      ...table(
        'faults',
        results.map(({ faults }) => faults),
      ),
      `${results.length} seeds, ${sum((r) => r.operationCount)} operations, ${sum((r) => r.faultCount)} faults, ${Math.round(sum((r) => r.simulatedMs) / 1000)} simulated seconds, ${sum((r) => r.events)} events`,
      `least in one seed: ${least(results.map((r) => r.operationCount))} operations, ${least(results.map((r) => r.faultCount))} faults`,
      ...this.#violations(),
    ]
    return `${lines.join('\n')}\n`
  }

  #violations(): string[] {
    const bad = this.#results.filter(({ violations }) => violations.length > 0)
    if (bad.length === 0) return ['no violation']
    const lines = [`${bad.length} seeds with violations:`]
    for (const { seed, violations } of bad) {
      const names = [...new Set(violations.map(({ guarantee }) => guarantee))].join(', ')
      lines.push(`  seed ${seed}: ${names}; replay: npm run simulate -- --seed ${seed} --trace`)
    }
    return lines
  }
}

function table(title: string, counts: readonly Readonly<Record<string, number>>[]): string[] {
  const totals = new Map<string, number>()
  for (const count of counts)
    for (const [name, value] of Object.entries(count)) totals.set(name, (totals.get(name) ?? 0) + value)
  const width = Math.max(0, ...[...totals.keys()].map(({ length }) => length))
  return [
    title,
    ...[...totals]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => `  ${name.padEnd(width)} ${String(value).padStart(8)}`),
  ]
}

function least(values: readonly number[]): number {
  return values.length === 0 ? 0 : Math.min(...values)
}
