// One sync fails, and its pages are clean from then on: seen by every reader, and gone with the next power cut (fsyncgate). The storage
// stops; the next one reads what was never on the disk, goes on, and loses its power. At whichever sync that happens, nothing that was
// acknowledged is missing after it, and no damage is seen where only that was lost.

import { expect, test } from 'vitest'
import { SeededRandom } from '../../src/simulator/seeded-random.ts'
import { NO_DISK_FAULTS, SimulatedDisk } from '../../src/simulator/simulated-disk.ts'
import { SimulatedProcess } from '../../src/simulator/simulated-process.ts'
import { VirtualTime } from '../../src/simulator/virtual-clock.ts'
import { Storage } from '../../src/storage/storage.ts'
import { SILENT_LOGGER } from '../../src/telemetry/log.ts'
import { LIFE } from './fixture.ts'

const PARTITIONS = [0, 17, 4000]
const SYNCS_MAX = 400

/** Runs of one storage on one disk; counters are what was acknowledged as synced. */
class Machine {
  readonly time = new VirtualTime()
  readonly acknowledged = new Set<number>()
  readonly disk: SimulatedDisk
  readonly #random: SeededRandom
  #process: SimulatedProcess | null = null
  #counter = 0

  constructor(seed: string) {
    this.#random = new SeededRandom(seed)
    this.disk = new SimulatedDisk({ random: this.#random.fork('disk') })
  }

  /** Rejects where the storage cannot begin. */
  async start(): Promise<Storage> {
    this.#process?.kill()
    const process = new SimulatedProcess(this.time, 'storage')
    this.#process = process
    return this.time.settle(
      Storage.open({
        disk: this.disk.attach(process),
        clock: process.clock,
        random: this.#random,
        logger: SILENT_LOGGER,
        ...{ segmentBytesMax: 2000, checkpointBytesMin: 1500, hintBytesMax: 1 << 20, bytesMax: 1 << 30 },
      }),
    )
  }

  powerCut(): void {
    this.#process?.kill()
    this.disk.powerCut()
  }

  /** Until so much is written or the storage fails. */
  async write(storage: Storage, count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      const counter = ++this.#counter
      const partition = PARTITIONS[counter % PARTITIONS.length] as number
      try {
        const lsn = storage.putRecord(partition, 'b', `k${counter % 5}`, Buffer.alloc(150, counter), [
          { life: LIFE, counter },
        ])
        await this.time.settle(storage.synced(lsn))
        this.acknowledged.add(counter)
      } catch {
        return
      }
    }
  }

  lostBy(storage: Storage): number[] {
    return [...this.acknowledged].filter(
      (counter) => !storage.clockOf(PARTITIONS[counter % PARTITIONS.length] as number).has({ life: LIFE, counter }),
    )
  }
}

/** False: there are not that many syncs. */
async function failAt(failing: number, writesBetween: number): Promise<boolean> {
  const machine = new Machine(`${failing} ${writesBetween}`)
  let syncs = 0
  machine.disk.beforeOperation = (what) => {
    const isSync = /^(append-synced|sync) /.test(what)
    machine.disk.faults = { ...NO_DISK_FAULTS, syncError: isSync && ++syncs === failing ? 1 : 0 }
  }
  // The second run is not the first: it repeats the last batch of that before.
  const attempts: (() => Promise<void>)[] = [
    async () => machine.write(await machine.start(), 40),
    async () => machine.write(await machine.start(), 40),
  ]
  for (const attempt of attempts) await attempt().catch(() => {})
  machine.disk.beforeOperation = null
  machine.disk.faults = NO_DISK_FAULTS
  await machine.write(await machine.start(), writesBetween)
  for (let cut = 0; cut < 2; cut++) {
    machine.powerCut()
    const storage = await machine.start()
    const where = `sync ${failing} fails, ${writesBetween} writes later the power is cut (${cut + 1})`
    expect(storage.recovery.damaged, where).toEqual([])
    expect(machine.lostBy(storage), where).toEqual([])
  }
  return syncs >= failing
}

test.for([0, 1, 30])('any one sync fails; %i writes, and a power cut', async (writesBetween) => {
  let failing = 1
  while (await failAt(failing, writesBetween)) failing++
  expect(failing).toBeGreaterThan(50)
  expect(failing).toBeLessThan(SYNCS_MAX)
})
