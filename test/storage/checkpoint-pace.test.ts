import { describe, expect, it } from 'vitest'
import { CheckpointPace } from '../../src/storage/checkpoint-pace.ts'

const MIB = 1 << 20

async function isDone(promise: Promise<void>): Promise<boolean> {
  let done = false
  void promise.then(() => (done = true))
  for (let i = 0; i < 10; i++) await Promise.resolve()
  return done
}

describe('the pace of checkpoints', () => {
  it('is free while the log is idle, and a few bytes for each byte of log while it is busy', async () => {
    const log = { isBusy: false }
    const pace = new CheckpointPace(log)
    expect(await isDone(pace.spent(50 * MIB, () => false))).toBe(true)
    log.isBusy = true
    const spent = pace.spent(MIB, () => false)
    pace.synced(MIB / 8, 0)
    expect(await isDone(spent)).toBe(false)
    pace.synced(MIB / 8, 0)
    expect(await isDone(spent)).toBe(true)
  })

  it('grows with what the log has too much', async () => {
    const pace = new CheckpointPace({ isBusy: true })
    await pace.spent(256 << 10, () => false)
    expect(pace.blockBytes).toBe(64 << 10)
    const spent = pace.spent(MIB, () => false)
    pace.synced(MIB / 32, 5)
    expect(pace.blockBytes).toBe(256 << 10)
    expect(await isDone(spent)).toBe(true)
  })

  it('lets go whoever is waiting when the log ends', async () => {
    const pace = new CheckpointPace({ isBusy: true })
    let isOver = false
    const spent = pace.spent(50 * MIB, () => isOver)
    expect(await isDone(spent)).toBe(false)
    isOver = true
    pace.wake()
    expect(await isDone(spent)).toBe(true)
  })
})
