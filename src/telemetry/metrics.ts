// The node's figures as Prometheus text. Decides metric names and labels; reads its sources at scrape time only and knows neither
// who serves the text nor what a key is. Invariant: labels are members, routes and status classes, never a bucket's key.

import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client'
import { QuorateError } from '../errors.ts'
import { flattenStats } from './flatten-stats.ts'
import { histogramText } from './histogram-text.ts'
import { RouteLatency } from './latency.ts'
import type { ProcessFigures } from './process-figures.ts'

/** What a node tells about itself; the node's own interface has these methods. */
export interface MetricsSource {
  readonly name: string
  readonly version: string
  readiness(): { readonly ready: boolean }
  hints(): {
    readonly hints: number
    readonly bytes: number
    readonly bytesMax: number
    readonly targets: readonly {
      readonly node: string
      readonly hints: number
      readonly bytes: number
      readonly oldestMs: number
    }[]
  }
  peers(): readonly { readonly name: string; readonly reachable: boolean }[]
  repairStatus(): {
    readonly rounds: number
    readonly roundFailures: number
    readonly filling: number
    readonly comparisons: number
    readonly keysRepaired: number
    readonly bytesSent: number
    readonly bytesReceived: number
    readonly readRepairs: number
    readonly collected: number
    readonly oldestComparisonMs: number | null
    readonly peers: readonly {
      readonly node: string
      readonly lastRoundMs: number | null
      readonly differing: number
    }[]
  }
  stats(): Record<string, unknown>
}

export interface Metrics {
  readonly contentType: string
  /** A recorder for one route; the pattern is its label. */
  route(method: string, pattern: string): RouteLatency
  /** The text of one scrape. */
  scrape(): Promise<string>
}

/** A node with ten thousand figures has a bug; its scrape shall not become one. */
const STATS_MAX = 2000

/** Names that have labels or another meaning here: a figure of the same name is left out. */
const OWN_LABELS = /^quorate_(?:build_info|ready|peer_|hints?_|http_|repair_)/

/** A node that has not started has no figures; its process has, and those are wanted just then. */
function unlessClosed<T>(read: () => T): T | null {
  try {
    return read()
  } catch (error) {
    if (error instanceof QuorateError) return null
    throw error
  }
}

/** `ofProcess`: known before the node has started, too. */
export function createMetrics(source: MetricsSource, ofProcess: (() => ProcessFigures) | null = null): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const routes: RouteLatency[] = []
  const gauges = new Map<string, Gauge>()
  const counters = new Map<string, Counter>()

  const gauge = (name: string, help: string, labels: readonly string[] = []): Gauge => {
    const known = gauges.get(name)
    if (known !== undefined) return known
    const made = new Gauge({ name, help, labelNames: [...labels], registers: [registry] })
    gauges.set(name, made)
    return made
  }
  const counter = (name: string, help: string, value: number): void => {
    let known = counters.get(name)
    if (known === undefined) {
      known = new Counter({ name, help, registers: [registry] })
      counters.set(name, known)
    }
    // The source counts; Prometheus' client can only add.
    known.reset()
    known.inc(Math.max(0, value))
  }

  gauge('quorate_build_info', 'Always 1; the version is a label.', ['version', 'node']).set(
    { version: source.version, node: source.name },
    1,
  )
  const httpText = (): string =>
    histogramText(
      'quorate_http_request_duration_seconds',
      'Time from the arrival of a request’s headers to the end of its answer.',
      routes.flatMap((route) =>
        [...route.byClass].map(([statusClass, figures]) => ({
          labels: { method: route.method, route: route.route, class: statusClass },
          figures,
        })),
      ),
    )

  const readHints = (): void => {
    const status = source.hints()
    gauge('quorate_hints', 'Hints held for other members.').set(status.hints)
    gauge('quorate_hint_bytes', 'Bytes of hints held.').set(status.bytes)
    gauge('quorate_hint_bytes_max', 'Bytes of hints that may be held.').set(status.bytesMax)
    const oldest = status.targets.reduce((age, target) => Math.max(age, target.oldestMs), 0)
    gauge('quorate_hint_oldest_age_seconds', 'Age of the oldest hint; 0 without hints.').set(oldest / 1000)
    const held = gauge('quorate_hints_by_target', 'Hints held, by the member they wait for.', ['target'])
    const ages = gauge('quorate_hint_oldest_age_seconds_by_target', 'Age of the oldest hint by target.', ['target'])
    held.reset()
    ages.reset()
    for (const target of status.targets) {
      held.set({ target: target.node }, target.hints)
      ages.set({ target: target.node }, target.oldestMs / 1000)
    }
  }

  const readPeers = (): void => {
    const peers = source.peers()
    const reachable = gauge('quorate_peer_reachable', '1 when the member is heard now, 0 when it is not.', ['peer'])
    reachable.reset()
    for (const { name, reachable: heard } of peers) reachable.set({ peer: name }, heard ? 1 : 0)
  }

  const readRepair = (): void => {
    const status = source.repairStatus()
    counter('quorate_repair_rounds_total', 'Anti-entropy rounds.', status.rounds)
    counter('quorate_repair_comparisons_total', 'Partition comparisons.', status.comparisons)
    counter('quorate_repair_keys_total', 'Keys that anti-entropy repaired.', status.keysRepaired)
    counter('quorate_repair_sent_bytes_total', 'Bytes of anti-entropy sent.', status.bytesSent)
    counter('quorate_repair_received_bytes_total', 'Bytes of anti-entropy received.', status.bytesReceived)
    counter('quorate_read_repairs_total', 'Keys that reads repaired.', status.readRepairs)
    counter('quorate_collected_total', 'Deletions and expired versions collected.', status.collected)
    gauge('quorate_partitions_filling', 'Partitions of this storage that are not complete yet.').set(status.filling)
    counter('quorate_repair_round_failures_total', 'Rounds with a peer that failed.', status.roundFailures)
    const oldest = gauge(
      'quorate_repair_oldest_comparison_age_seconds',
      'Age of the last round with the peer that was compared longest ago, or since the start if one never was; none without peers.',
    )
    if (status.oldestComparisonMs === null) oldest.remove()
    else oldest.set(status.oldestComparisonMs / 1000)
    const rounds = gauge('quorate_repair_last_round_age_seconds', 'Age of the last round with a peer.', ['peer'])
    const differing = gauge('quorate_repair_differing', 'What the last round with a peer found different.', ['peer'])
    rounds.reset()
    differing.reset()
    for (const peer of status.peers) {
      if (peer.lastRoundMs === null) continue
      rounds.set({ peer: peer.node }, peer.lastRoundMs / 1000)
      differing.set({ peer: peer.node }, peer.differing)
    }
  }

  /** Sets the gauges; returns the text of what are histograms. */
  const readStats = (stats: Readonly<Record<string, unknown>>): string => {
    let text = ''
    for (const figure of flattenStats(stats, STATS_MAX)) {
      const name = `quorate_${figure.name}`
      const help = `${figure.path} of /v1/stats.`
      if (figure.type === 'histogram')
        text += `\n${histogramText(name, help, [{ labels: {}, figures: figure.figures }])}`
      else if (!counters.has(name) && !OWN_LABELS.test(name)) gauge(name, help).set(figure.value)
    }
    return text
  }

  return {
    contentType: registry.contentType,
    route: (method, pattern) => {
      const latency = new RouteLatency(method, pattern)
      routes.push(latency)
      return latency
    },
    scrape: async () => {
      gauge('quorate_ready', '1 when this node serves.').set(source.readiness().ready ? 1 : 0)
      unlessClosed(readHints)
      unlessClosed(readPeers)
      unlessClosed(readRepair)
      const process = ofProcess === null ? '' : readStats({ process: ofProcess() })
      const histograms = `\n${httpText()}${process}${unlessClosed(() => readStats(source.stats())) ?? ''}`
      return (await registry.metrics()) + histograms
    },
  }
}
