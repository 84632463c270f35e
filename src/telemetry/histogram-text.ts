// Writes histograms that were counted elsewhere as Prometheus text (format 0.0.4); prom-client can only count its own. Knows nothing
// of what was measured. Invariant: buckets are cumulative and end in +Inf, whose value is the count.

import type { LatencyFigures } from './latency.ts'

export interface LabelledFigures {
  readonly labels: Readonly<Record<string, string>>
  readonly figures: LatencyFigures
}

/** Ends in a newline. */
export function histogramText(name: string, help: string, rows: readonly LabelledFigures[]): string {
  const lines = [`# HELP ${name} ${help.replace(/\\/g, '\\\\').replace(/\n/g, '\\n')}`, `# TYPE ${name} histogram`]
  for (const { labels, figures } of rows) {
    const shared = Object.entries(labels).map(([label, value]) => `${label}="${escapeLabel(value)}"`)
    const bucket = (le: string, value: number): void => {
      lines.push(`${name}_bucket{${[...shared, `le="${le}"`].join(',')}} ${value}`)
    }
    let total = 0
    for (const [index, bound] of figures.bounds.entries()) {
      total += figures.counts[index] ?? 0
      bucket(String(bound), total)
    }
    bucket('+Inf', figures.count)
    const suffix = shared.length > 0 ? `{${shared.join(',')}}` : ''
    lines.push(`${name}_sum${suffix} ${figures.sum}`, `${name}_count${suffix} ${figures.count}`)
  }
  return `${lines.join('\n')}\n`
}

function escapeLabel(value: string): string {
  return value.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n')
}
