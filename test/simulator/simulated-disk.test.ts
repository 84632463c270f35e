import { describe, expect, test } from 'vitest'
import type { Disk } from '../../src/ports/disk.ts'
import { NO_DISK_FAULTS, SimulatedDisk } from '../../src/simulator/simulated-disk.ts'
import { SeededRandom } from '../../src/simulator/seeded-random.ts'
import { SimulatedProcess } from '../../src/simulator/simulated-process.ts'
import { VirtualTime } from '../../src/simulator/virtual-clock.ts'
import { bytes, codeOf, text } from '../contracts/disk.contract.ts'

class Machine {
  readonly time: VirtualTime = new VirtualTime()
  readonly disk: SimulatedDisk
  process: SimulatedProcess = new SimulatedProcess(this.time, 'node')
  port: Disk

  constructor(seed: number) {
    this.disk = new SimulatedDisk({ random: new SeededRandom(seed) })
    this.port = this.disk.attach(this.process)
  }

  run<T>(story: (disk: Disk) => Promise<T>): Promise<T> {
    return this.time.settle(story(this.port))
  }

  restart(how: 'power-cut' | 'kill'): void {
    this.process.kill()
    if (how === 'power-cut') this.disk.powerCut()
    this.process = new SimulatedProcess(this.time, 'node')
    this.port = this.disk.attach(this.process)
  }

  content(name: string): Promise<string> {
    return this.run(async (disk) => text(await (await disk.open(name, 'existing')).read(0, 1e9)))
  }
}

async function written(disk: Disk, name: string, content: string): Promise<void> {
  const file = await disk.open(name, 'create')
  await file.append([bytes(content)])
  await file.sync()
  await disk.syncDirectory()
}

describe('a power cut', () => {
  test('keeps what was synced, and of the rest only what was written', async () => {
    const sizes = new Set<number>()
    let torn = 0
    for (let seed = 0; seed < 200; seed++) {
      const machine = new Machine(seed)
      await machine.run(async (disk) => {
        await written(disk, 'log', 'a'.repeat(700))
        const file = await disk.open('log', 'existing')
        await file.append([bytes('b'.repeat(3000))])
      })
      machine.restart('power-cut')
      const content = await machine.content('log')
      expect(content.slice(0, 700)).toBe('a'.repeat(700))
      expect(content.slice(700)).toMatch(/^[b\0]*$/)
      sizes.add(content.length)
      if (/\0+b/.test(content)) torn++
    }
    expect(sizes.size).toBeGreaterThan(20)
    expect(torn).toBeGreaterThan(5)
  })

  test('keeps names in order only as far as the directory was synced', async () => {
    const outcomes = new Set<string>()
    for (let seed = 0; seed < 60; seed++) {
      const machine = new Machine(seed)
      await machine.run(async (disk) => {
        await written(disk, 'current', 'old')
        const next = await disk.open('next', 'create')
        await next.append([bytes('new')])
        await next.sync()
        await disk.rename('next', 'current')
        await disk.open('other', 'create')
      })
      machine.restart('power-cut')
      outcomes.add(`${await machine.content('current')} ${(await machine.run((disk) => disk.list())).join(',')}`)
    }
    expect([...outcomes].sort()).toEqual(['new current', 'new current,other', 'old current', 'old current,next'])
  })

  test('a killed process alone loses nothing', async () => {
    const machine = new Machine(1)
    await machine.run(async (disk) => (await disk.open('log', 'create')).append([bytes('unsynced')]))
    machine.restart('kill')
    expect(await machine.content('log')).toBe('unsynced')
  })

  test('syncs that overlap never take back what an earlier answer promised', async () => {
    for (let seed = 0; seed < 100; seed++) {
      const machine = new Machine(seed)
      await machine.run(async (disk) => {
        await written(disk, 'log', '')
        const file = await disk.open('log', 'existing')
        const syncs: Promise<void>[] = []
        for (let i = 0; i < 8; i++) {
          await file.append([bytes(String(i).repeat(300))])
          syncs.push(file.sync())
        }
        await Promise.all(syncs)
      })
      machine.restart('power-cut')
      expect((await machine.content('log')).length).toBe(2400)
    }
  })

  test('a truncation that was synced stays', async () => {
    for (let seed = 0; seed < 30; seed++) {
      const machine = new Machine(seed)
      await machine.run(async (disk) => {
        await written(disk, 'log', 'a'.repeat(2000))
        const file = await disk.open('log', 'existing')
        await file.truncate(600)
        await file.append([bytes('b'.repeat(100))])
        await file.sync()
      })
      machine.restart('power-cut')
      expect(await machine.content('log')).toBe('a'.repeat(600) + 'b'.repeat(100))
    }
  })
})

describe('a failing disk', () => {
  test('a failed sync loses its pages, although the next one succeeds', async () => {
    const machine = new Machine(3)
    await machine.run((disk) => written(disk, 'log', 'synced'))
    const outcomes = await machine.run(async (disk) => {
      const file = await disk.open('log', 'existing')
      await file.append([bytes('lost')])
      machine.disk.faults = { ...NO_DISK_FAULTS, syncError: 1 }
      const first = await codeOf(file.sync())
      machine.disk.faults = NO_DISK_FAULTS
      return [first, await codeOf(file.sync()), text(await file.read(0, 100))]
    })
    expect(outcomes).toEqual(['EIO', 'resolved', 'syncedlost'])
    machine.restart('power-cut')
    expect(await machine.content('log')).not.toContain('lost')
    expect(machine.disk.counters.syncErrors).toBe(1)
  })

  test('a full disk refuses appends whole and goes on reading', async () => {
    const machine = new Machine(4)
    machine.disk.faults = { ...NO_DISK_FAULTS, capacityBytes: 10 }
    const outcomes = await machine.run(async (disk) => {
      const file = await disk.open('log', 'create')
      await file.append([bytes('12345678')])
      return [await codeOf(file.append([bytes('abc')])), file.size, text(await file.read(0, 100))]
    })
    expect(outcomes).toEqual(['ENOSPC', 8, '12345678'])
  })

  test('read errors are errors', async () => {
    const machine = new Machine(5)
    await machine.run((disk) => written(disk, 'log', 'content'))
    machine.disk.faults = { ...NO_DISK_FAULTS, readError: 1 }
    expect(await machine.run(async (disk) => codeOf((await disk.open('log', 'existing')).read(0, 7)))).toBe('EIO')
  })

  test('bit rot changes exactly one bit, before and after a crash', async () => {
    const machine = new Machine(6)
    await machine.run((disk) => written(disk, 'log', 'x'.repeat(1000)))
    const damage = machine.disk.rot()
    expect(damage?.name).toBe('log')
    for (const how of ['kill', 'power-cut'] as const) {
      machine.restart(how)
      const content = await machine.content('log')
      expect(content.replaceAll('x', '')).toHaveLength(1)
      expect(content[damage?.position ?? 0]).not.toBe('x')
    }
  })

  test('a copied directory comes back as it was', async () => {
    const machine = new Machine(7)
    await machine.run((disk) => written(disk, 'log', 'first'))
    const image = machine.disk.snapshot()
    await machine.run((disk) => written(disk, 'more', 'second'))
    machine.disk.wipe()
    expect(await machine.run((disk) => disk.list())).toEqual([])
    machine.disk.restore(image)
    machine.restart('power-cut')
    expect(await machine.run((disk) => disk.list())).toEqual(['log'])
    expect(await machine.content('log')).toBe('first')
  })
})
