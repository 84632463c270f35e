// Shows how far a long command has come: a bar on a terminal, a plain line every few seconds otherwise. Decides nothing.

import type { CommandIo } from './command-io.ts'

export interface Progress {
  /** `fraction` 0..1, or null when the end is not known; `text` is one short clause. */
  update(fraction: number | null, text: string): void
  stop(): void
}

const LINE_INTERVAL_MS = 2_000
const BAR_INTERVAL_MS = 100

export async function startProgress(io: CommandIo, quiet: boolean): Promise<Progress> {
  if (quiet) return { update() {}, stop() {} }
  if (!io.stderr.isTTY) return plainLines(io)
  const { default: progress } = await import('cli-progress')
  const format = '{bar} {percent} {text}'
  const bar = new progress.SingleBar({
    format,
    stream: io.stderr,
    hideCursor: true,
    clearOnComplete: true,
    barsize: 30,
  })
  bar.start(1, 0, { text: '', percent: '' })
  const due = every(BAR_INTERVAL_MS)
  return {
    update(fraction, text) {
      if (due()) bar.update(fraction ?? 0, { text, percent: percentOf(fraction) })
    },
    stop: () => bar.stop(),
  }
}

function plainLines(io: CommandIo): Progress {
  const due = every(LINE_INTERVAL_MS)
  due()
  return {
    update(fraction, text) {
      if (due()) io.stderr.write(`${percentOf(fraction)} ${text}\n`.trimStart())
    },
    stop() {},
  }
}

/** True at the first call and then once an interval. */
function every(intervalMs: number): () => boolean {
  let next = 0
  return () => {
    const now = performance.now()
    if (now < next) return false
    next = now + intervalMs
    return true
  }
}

function percentOf(fraction: number | null): string {
  return fraction === null ? '' : `${Math.floor(fraction * 100)} %`
}
