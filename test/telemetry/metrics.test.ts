// The text that Prometheus reads: names, labels, cumulative buckets, and figures that come and go.

import { expect, test } from 'vitest'
import { QuorateError } from '../../src/errors.ts'
import { flattenStats } from '../../src/telemetry/flatten-stats.ts'
import { histogramText } from '../../src/telemetry/histogram-text.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { createMetrics, type MetricsSource } from '../../src/telemetry/metrics.ts'
import { delayRecorder, processFigures } from '../../src/telemetry/process-figures.ts'

const REPAIR: ReturnType<MetricsSource['repairStatus']> = {
  rounds: 4,
  roundFailures: 3,
  filling: 1,
  comparisons: 40,
  keysRepaired: 3,
  bytesSent: 10,
  bytesReceived: 20,
  readRepairs: 5,
  collected: 6,
  oldestComparisonMs: null,
  peers: [{ node: 'node-1', lastRoundMs: 1500, differing: 2 }],
}

test('a scrape shows the source as it is now', async () => {
  let targets = [{ node: 'node-1', hints: 2, bytes: 30, oldestMs: 2500 }]
  let rounds = 4
  let repair: object = { oldestComparisonMs: 61_500 }
  const source: MetricsSource = {
    name: 'node-0',
    version: '1.2.3',
    readiness: () => ({ ready: true }),
    hints: () => ({ hints: 2, bytes: 30, bytesMax: 100, targets }),
    peers: () => [
      { name: 'node-1', reachable: false },
      { name: 'node-2', reachable: true },
    ],
    repairStatus: () => ({ ...REPAIR, rounds, ...repair }),
    stats: () => ({
      coordinator: { getsTotal: 7, last: { bounds: [1, 2], counts: [1, 1, 1], count: 3, sum: 6 } },
      storage: { bytesMax: 100, full: true },
      ready: false,
      hints: 9,
    }),
  }
  const metrics = createMetrics(source)
  const route = metrics.route('GET', '/v1/kv/:bucket/:key')
  route.observe(200, 0.6)
  route.observe(204, 30)
  route.observe(503, 99_000)
  const text = await metrics.scrape()
  for (const line of [
    'quorate_build_info{version="1.2.3",node="node-0"} 1',
    'quorate_ready 1',
    'quorate_hints 9',
    'quorate_hint_oldest_age_seconds 2.5',
    'quorate_hints_by_target{target="node-1"} 2',
    'quorate_repair_rounds_total 4',
    'quorate_repair_round_failures_total 3',
    'quorate_repair_oldest_comparison_age_seconds 61.5',
    'quorate_peer_reachable{peer="node-1"} 0',
    'quorate_peer_reachable{peer="node-2"} 1',
    'quorate_storage_bytes_max 100',
    'quorate_storage_full 1',
    'quorate_repair_last_round_age_seconds{peer="node-1"} 1.5',
    'quorate_coordinator_gets_total 7',
    'quorate_coordinator_last_bucket{le="2"} 2',
    'quorate_coordinator_last_bucket{le="+Inf"} 3',
    'quorate_http_request_duration_seconds_bucket{method="GET",route="/v1/kv/:bucket/:key",class="2xx",le="0.0005"} 0',
    'quorate_http_request_duration_seconds_bucket{method="GET",route="/v1/kv/:bucket/:key",class="2xx",le="0.001"} 1',
    'quorate_http_request_duration_seconds_bucket{method="GET",route="/v1/kv/:bucket/:key",class="2xx",le="60"} 2',
    'quorate_http_request_duration_seconds_bucket{method="GET",route="/v1/kv/:bucket/:key",class="5xx",le="60"} 0',
    'quorate_http_request_duration_seconds_count{method="GET",route="/v1/kv/:bucket/:key",class="5xx"} 1',
  ]) {
    expect(text.split('\n'), line).toContain(line)
  }
  expect(text).toContain('nodejs_eventloop_lag_p99_seconds')
  expect(text).toContain('process_cpu_seconds_total')
  targets = []
  rounds = 5
  // Without peers there is no age; a NaN would keep every alert on it from firing.
  repair = { oldestComparisonMs: null, peers: [{ node: 'node-1', lastRoundMs: null, differing: 0 }] }
  const later = await metrics.scrape()
  expect(later).not.toContain('target="node-1"')
  expect(later).toContain('quorate_repair_rounds_total 5\n')
  expect(later).not.toMatch(/^quorate_repair_(?:oldest_comparison|last_round)_age_seconds/m)
  expect(later).not.toContain('quorate_repair_differing{')
})

test('a node that has not started still shows its process', async () => {
  const closed = (): never => {
    throw new QuorateError('closed', 'not started')
  }
  const source = {
    name: 'n',
    version: '1',
    readiness: () => ({ ready: false }),
    hints: closed,
    peers: closed,
    repairStatus: closed,
    stats: closed,
  }
  expect(await createMetrics(source).scrape()).toMatch(
    /quorate_ready 0\n[^]*process_cpu_seconds_total|process_cpu_seconds_total[^]*quorate_ready 0\n/,
  )
})

test('the process has its memory and its delays, whether the node has started or not', async () => {
  const delays = delayRecorder()
  delays.observe(0.0002)
  delays.observe(0.016)
  delays.observe(60)
  const memory = { rss: 5, heapTotal: 4, heapUsed: 3, external: 2, arrayBuffers: 1 }
  const closed = (): never => {
    throw new QuorateError('closed', 'not started')
  }
  const source = {
    ...{ name: 'n', version: '1', readiness: () => ({ ready: false }) },
    ...{ hints: closed, peers: closed, repairStatus: closed, stats: closed },
  }
  const text = await createMetrics(source, () => processFigures(memory, delays)).scrape()
  for (const line of [
    'quorate_process_heap_used_bytes 3',
    'quorate_process_external_bytes 2',
    'quorate_process_array_buffers_bytes 1',
    'quorate_process_event_loop_delay_seconds_bucket{le="0.0005"} 1',
    'quorate_process_event_loop_delay_seconds_bucket{le="0.016"} 2',
    'quorate_process_event_loop_delay_seconds_bucket{le="8.192"} 2',
    'quorate_process_event_loop_delay_seconds_count 3',
  ])
    expect(text.split('\n'), line).toContain(line)
})

test('no name is given twice', async () => {
  const source: MetricsSource = {
    name: 'n',
    version: '1',
    readiness: () => ({ ready: false }),
    hints: () => ({ hints: 0, bytes: 0, bytesMax: 0, targets: [] }),
    peers: () => [{ name: 'm', reachable: true }],
    repairStatus: () => REPAIR,
    stats: () => ({ repair: { roundsTotal: 1 }, peer: { reachable: 1 }, http: { a: 1 }, aB: 1, a_b: 2 }),
  }
  const metrics = createMetrics(source)
  metrics.route('GET', '/a').observe(200, 1)
  const names = [...(await metrics.scrape()).matchAll(/^# TYPE (\S+)/gm)].map((match) => match[1])
  expect(new Set(names).size).toBe(names.length)
})

test('stats are flattened to finite numbers with plain names, up to a bound', () => {
  const stats = {
    'a-B': { c: 1, d: 'text', e: null, f: [1], g: Number.NaN, 'weird "key"': 2 },
    on: true,
    deep: { a: { b: { c: { d: { e: 1 } } } } },
  }
  expect(flattenStats(stats, 10).map((figure) => [figure.name, figure.type === 'value' && figure.value])).toEqual([
    ['a_b_c', 1],
    ['a_b_weird_key_', 2],
    ['on', 1],
  ])
  expect(flattenStats({ a: 1, b: 2, c: 3 }, 2)).toHaveLength(2)
})

test('histogram text escapes labels', () => {
  const figures = { bounds: [1], counts: [0, 0], count: 0, sum: 0 }
  expect(histogramText('x', 'h', [{ labels: { a: '"\\\n' }, figures }])).toContain('x_count{a="\\"\\\\\\n"} 0\n')
})

test('the logger writes JSON lines and masks secrets', () => {
  const lines: string[] = []
  const logger = createLogger({
    node: 'node-0',
    level: 'info',
    destination: { write: (line: string) => void lines.push(line) },
  })
  logger.info({ secret: 'hush', trace: 't' }, 'hello')
  logger.debug('unheard')
  expect(lines).toHaveLength(1)
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    level: 'info',
    node: 'node-0',
    secret: '***',
    trace: 't',
    msg: 'hello',
  })
})
