// Turns the free-form figures of a node (numbers in nested plain objects) into named figures. Decides names and what is left out;
// knows nothing of Prometheus. Invariant: a name has only [a-z0-9_], and values are finite numbers.

import type { LatencyFigures } from './latency.ts'

export type Figure =
  | { readonly type: 'value'; readonly name: string; readonly path: string; readonly value: number }
  | { readonly type: 'histogram'; readonly name: string; readonly path: string; readonly figures: LatencyFigures }

const DEPTH_MAX = 5

/**
 * Numbers and booleans become values; an object with `bounds`, `counts` (one more than bounds), `count` and `sum` becomes a
 * histogram; lists, texts and nulls are left out.
 */
export function flattenStats(stats: Readonly<Record<string, unknown>>, max: number): Figure[] {
  const figures: Figure[] = []
  const seen = new Set<string>()
  const add = (figure: Figure): void => {
    if (figures.length >= max || seen.has(figure.name)) return
    seen.add(figure.name)
    figures.push(figure)
  }
  const walk = (value: unknown, path: readonly string[]): void => {
    const name = path.map(snakeCase).join('_')
    const shown = path.join('.')
    if (typeof value === 'number') {
      if (Number.isFinite(value)) add({ type: 'value', name, path: shown, value })
    } else if (typeof value === 'boolean') add({ type: 'value', name, path: shown, value: value ? 1 : 0 })
    else if (isLatencyFigures(value)) add({ type: 'histogram', name, path: shown, figures: value })
    else if (typeof value === 'object' && value !== null && !Array.isArray(value) && path.length < DEPTH_MAX) {
      for (const [key, inner] of Object.entries(value)) walk(inner, [...path, key])
    }
  }
  for (const [key, value] of Object.entries(stats)) walk(value, [key])
  return figures
}

function snakeCase(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
}

function isLatencyFigures(value: unknown): value is LatencyFigures {
  if (typeof value !== 'object' || value === null) return false
  const { bounds, counts, count, sum } = value as Partial<Record<keyof LatencyFigures, unknown>>
  if (!isNumbers(bounds) || !isNumbers(counts) || counts.length !== bounds.length + 1) return false
  return typeof count === 'number' && typeof sum === 'number'
}

function isNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'number')
}
