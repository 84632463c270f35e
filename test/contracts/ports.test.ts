// Every port's contract on both worlds: a fake that passes what the real one passes may stand in for it.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, vi } from 'vitest'
import { FileDisk } from '../../src/io/file-disk.ts'
import { OsRandom } from '../../src/io/os-random.ts'
import { SocketTransport } from '../../src/io/socket-transport.ts'
import { SystemClock } from '../../src/io/system-clock.ts'
import { SimulatedNetwork } from '../../src/simulator/network.ts'
import { SeededRandom } from '../../src/simulator/seeded-random.ts'
import { SimulatedDisk } from '../../src/simulator/simulated-disk.ts'
import { SimulatedProcess } from '../../src/simulator/simulated-process.ts'
import { VirtualTime } from '../../src/simulator/virtual-clock.ts'
import { clockContract } from './clock.contract.ts'
import { diskContract } from './disk.contract.ts'
import { randomContract } from './random.contract.ts'
import { transportContract } from './transport.contract.ts'

const real = <T>(promise: Promise<T>): Promise<T> => promise
const cleanups: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

clockContract('system', () => ({ clock: new SystemClock(), settle: real }))

for (const drift of [0, 0.05, -0.05]) {
  clockContract(`simulated, drift ${drift}`, () => {
    const time = new VirtualTime()
    const { clock } = new SimulatedProcess(time, 'node', { offsetMs: 250, drift })
    return { clock, settle: (promise) => time.settle(promise) }
  })
}

randomContract('operating system', () => new OsRandom())
randomContract('seeded', () => new SeededRandom(1))

diskContract('directory', async () => {
  const path = await mkdtemp(join(tmpdir(), 'quorate-disk-'))
  const disk = await FileDisk.open(path)
  cleanups.push(async () => {
    await disk.close()
    await rm(path, { recursive: true })
  })
  return { disk, settle: real }
})

diskContract('simulated', () => {
  const time = new VirtualTime()
  const disk = new SimulatedDisk({ random: new SeededRandom(1) })
  return Promise.resolve({
    disk: disk.attach(new SimulatedProcess(time, 'node')),
    settle: (promise) => time.settle(promise),
  })
})

transportContract('sockets', () => ({
  server: new SocketTransport(),
  client: new SocketTransport(),
  address: '127.0.0.1:0',
  settle: real,
  until: (condition) => vi.waitUntil(condition, { timeout: 5000, interval: 2 }).then(() => {}),
}))

transportContract('simulated', () => {
  const time = new VirtualTime()
  const network = new SimulatedNetwork({ time, random: new SeededRandom(1) })
  return {
    server: network.transport('server', new SimulatedProcess(time, 'server')),
    client: network.transport('client', new SimulatedProcess(time, 'client')),
    address: 'server:0',
    settle: (promise) => time.settle(promise),
    until: async (condition) => {
      if (!(await time.runUntilCondition(condition, 60_000))) throw new Error('never happened')
    },
  }
})
